"""Photometric loss inside a mask."""

from __future__ import annotations

import torch


def photometric_loss(predicted: torch.Tensor, target: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Mean absolute colour difference inside a mask, taken over ALL pixels and not over the mask's area.

    Args:
        predicted: (B, 3, H, W) shaded rendering, RGB in [0, 1], zero outside the rendered face.
        target: (B, 3, H, W) image. Mask pixels without a rendered face add the image itself, a constant.
        mask: (B, 1, H, W) in [0, 1].

    Returns:
        Scalar.
    """
    return (mask * (predicted - target).abs()).mean()
