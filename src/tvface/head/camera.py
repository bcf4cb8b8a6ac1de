"""Scaled orthographic camera (DECA's convention)."""

from __future__ import annotations

import torch
from torch import Tensor


def project(points: Tensor, camera: Tensor) -> Tensor:
    """Project head points to normalised image coordinates.

    The translation is added before scaling and does not touch z; then y and z change sign (spec deca.md 4).

    Args:
        points: (B,N,3) metres, x to the subject's left, y up, z towards the camera.
        camera: (B,3) scale, x translation, y translation; the translations in metres.

    Returns:
        (B,N,3): x right and y down in [-1,1] of the image, smaller z nearer to the viewer.
    """
    scale = camera[:, None, :1]
    moved = points[..., :2] + camera[:, None, 1:]
    x, y = (scale * moved).unbind(-1)
    return torch.stack([x, -y, -scale[..., 0] * points[..., 2]], -1)
