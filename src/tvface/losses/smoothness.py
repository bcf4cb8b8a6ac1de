"""Smoothness of the detail shading."""

from __future__ import annotations

import torch


def smoothness_loss(shading: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of neighbours, along x plus along y, each without the border of the other axis.

    Args:
        shading: (B, 3, U, U).

    Returns:
        Scalar.
    """
    along_x = shading[:, :, 1:-1, 1:] - shading[:, :, 1:-1, :-1]
    along_y = shading[:, :, 1:, 1:-1] - shading[:, :, :-1, 1:-1]
    return along_x.square().mean() + along_y.square().mean()
