"""Networks of the pipeline: plain ``torch.nn`` modules that know no paths and download nothing.

Names of parameters equal the public originals', so that their checkpoints load strictly (``loading``).
"""
