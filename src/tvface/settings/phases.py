"""Names of the models and of the phases of their training, in order."""

from __future__ import annotations

MODELS = ("deca", "temporal")
PHASES = ("pretrain", "coarse", "detail")
