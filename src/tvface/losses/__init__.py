"""DECA's losses (Feng et al. 2021; its ``lossfunc.py``, ``trainer.py``): one file per loss, pure functions of tensors.

None of them carries its weight (``settings.train.*.loss_weights`` does), and none writes into its arguments. "Sum"
losses grow with the batch and the map, as the originals do; the others are means. :mod:`tvface.losses.table` lists
the terms of each phase.
"""
