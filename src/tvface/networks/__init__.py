"""Networks of the pipeline: plain ``torch.nn`` modules without paths or downloads.

Parameters have the names of the public originals, so that their checkpoints load strictly (``loading``).
"""
