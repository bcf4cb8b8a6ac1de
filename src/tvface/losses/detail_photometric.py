"""Photometric loss of the detail stage, in UV."""

from __future__ import annotations

import torch
from torch.nn import functional as F

WINDOW_SIDE = 2048
WINDOWS = {
    "face": (400, 1648, 400, 1648),
    "forehead": (550, 1498, 430, 750),
    "eyes_nose": (490, 1558, 700, 1100),
    "mouth": (574, 1474, 1050, 1550),
}
"""Parts of a UV map of side 2048: left, right, top, bottom (right and bottom excluded).

DECA defines all four and uses the face alone.
"""


def uv_window(name: str, side: int) -> tuple[int, int, int, int]:
    """Return left, right, top, bottom of one of :data:`WINDOWS` in a UV map of this side, truncated to pixels."""
    left, right, top, bottom = (int(edge / WINDOW_SIDE * side) for edge in WINDOWS[name])
    return left, right, top, bottom


def face_window(uv_map: torch.Tensor) -> torch.Tensor:
    """Cut the face out of UV maps and enlarge it back to the map's side.

    Args:
        uv_map: (B, C, U, U).

    Returns:
        (B, C, U, U), the middle 39 to 61 % in both axes (50:206 at U = 256), bilinear.
    """
    side = uv_map.shape[-1]
    left, right, top, bottom = uv_window("face", side)
    cut = uv_map[:, :, top:bottom, left:right]
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
