"""Regularisers of the jaw in Euler angles, DECA's option ``jaw_type: euler`` (its ``trainer.py``)."""

from __future__ import annotations

import torch

ROLL_WEIGHT = 100.0
CLOSED_WEIGHT = 10.0


def jaw_roll_loss(jaw: torch.Tensor) -> torch.Tensor:
    """Half the weighted SUM of squared rolls: (B, 3) Euler angles x, y, z in rad -> scalar; z is the roll."""
    return ROLL_WEIGHT * jaw[:, 2].square().sum() / 2


def jaw_closed_loss(jaw: torch.Tensor) -> torch.Tensor:
    """Half the weighted SUM of squared rotations beyond the closed mouth: (B, 3) rad -> scalar; x > 0 opens."""
    return CLOSED_WEIGHT * torch.relu(-jaw[:, 0]).square().sum() / 2
