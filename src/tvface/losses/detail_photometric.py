"""Photometric loss of the detail stage, in UV."""

from __future__ import annotations

import torch
from torch.nn import functional as F

FACE_WINDOW = (400, 1648)
"""First and last + 1 row and column of the face in a UV map of side 2048."""


def face_window(uv_map: torch.Tensor) -> torch.Tensor:
    """Cut the face out of UV maps and enlarge it back to the map's side.

    Args:
        uv_map: (B, C, U, U).

    Returns:
        (B, C, U, U), the middle 39 to 61 % in both axes (50:206 at U = 256), bilinear.
    """
    side = uv_map.shape[-1]
    low, high = (int(edge / 2048 * side) for edge in FACE_WINDOW)
    cut = uv_map[:, :, low:high, low:high]
    return F.interpolate(cut, size=(side, side), mode="bilinear", align_corners=False)


def detail_photometric_loss(predicted: torch.Tensor, target: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
    """Mean absolute difference of textures where they are seen, over ALL pixels.

    Args:
        predicted: (B, 3, U, U) albedo times detail shading, RGB.
        target: (B, 3, U, U) texture taken from the image.
        visible: (B, 1, U, U) in [0, 1].

    Returns:
        Scalar.
    """
    return (predicted * visible - target * visible).abs().mean()
