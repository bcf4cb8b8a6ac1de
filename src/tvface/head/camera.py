"""Scaled orthographic camera (DECA's convention)."""

from __future__ import annotations

import torch
from torch import Tensor


def project(points: Tensor, camera: Tensor) -> Tensor:
    """Project head points to normalised image coordinates.

    The translation is added before scaling and does not touch z; then y and z change sign (``decode`` in
    DECA's ``deca.py``).

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


def to_picture(points: Tensor, inverse: Tensor, crop_size: int, height: int, width: int) -> Tensor:
    """Map points from normalised coordinates of a crop to normalised coordinates of its picture.

    Normalised coordinates are taken as pixel index over size, as DECA's datasets do.

    Args:
        points: (B,N,3) as from :func:`project`.
        inverse: (B,3,3) map from crop pixels (x, y, 1) to picture pixels.
        crop_size: side of the crop in pixels.
        height, width: of the picture in pixels.

    Returns:
        (B,N,3): x and y in [-1,1] of the picture, z as it was (in units of the crop).
    """
    pixels = (points[..., :2] + 1) / 2 * crop_size
    homogeneous = torch.cat([pixels, torch.ones_like(pixels[..., :1])], -1)
    moved = (homogeneous @ inverse.to(points).transpose(1, 2))[..., :2]
    return torch.cat([moved / points.new_tensor([width, height]) * 2 - 1, points[..., 2:]], -1)
