"""Size of the displacement."""

from __future__ import annotations

import torch


def displacement_loss(displacement: torch.Tensor) -> torch.Tensor:
    """Mean absolute displacement: (B, 1, U, U) in metres -> scalar."""
    return displacement.abs().mean()
