"""A reconstructed shape drawn over the picture.

A head is larger than the crop it is reconstructed from, so it is drawn on a canvas :data:`MARGIN` times as wide, at the
resolution of the picture.
"""

from __future__ import annotations

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tvface.rendering.renderer import Renderer

# Side of the canvas / side of the crop: with crops of 1.25 boxes the whole head of a close-up fits.
MARGIN = 2.0
# Largest side of a canvas in px; the drawing of a larger face is enlarged, to bound memory and time.
LARGEST = 768


def canvas(matrix: NDArray[np.float64], crop: int) -> tuple[NDArray[np.float64], int]:
    """Return the (2,3) map from picture to canvas pixels, and the canvas' side.

    Args:
        matrix: (2,3) map from picture to crop pixels, pixel centres at integers; no rotation.
        crop: side of the crop in its pixels.
    """
    size = min(LARGEST, int(np.ceil(MARGIN * crop / matrix[0, 0])))
    zoom = size / (MARGIN * crop)
    # Both have the same centre.
    wider = zoom * matrix
    wider[:, 2] += (size - 1) / 2 - zoom * (crop - 1) / 2
    return wider, size


@torch.no_grad()
def shape_layer(
    renderer: Renderer, vertices: torch.Tensor, projected: torch.Tensor, normals: torch.Tensor | None, size: int
) -> NDArray[np.float32]:
    """Draw one head on a canvas.

    Args:
        renderer: of the head.
        vertices, projected: (V,3), projected in normalised coordinates of the crop.
        normals: (3,U,U) detail normals in UV; none: the surface as it is.
        size: side of the canvas in px.

    Returns:
        (size,size,4) float32: grey RGB in [0,1], on black, and coverage.
    """
    wide = (projected / MARGIN)[None]
    detail = None if normals is None else normals[None]
    black, white = (
        renderer.render_shape(
            vertices[None], wide, detail, torch.full((1, 3, size, size), shade, device=projected.device)
        )
        for shade in (0.0, 1.0)
    )
    # Surfaces that face away are not drawn, so the coverage of the mesh would leave a black rim.
    coverage = 1 - (white - black)[:, :1]
    return torch.cat([black, coverage], 1)[0].permute(1, 2, 0).cpu().numpy().astype(np.float32)


def paste(picture: NDArray[np.uint8], layer: NDArray[np.float32], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    """Draw a layer over a picture.

    Args:
        picture: (H,W,3) uint8 RGB.
        layer: (S,S,4) float32: RGB in [0,1] on black, and coverage.
        matrix: (2,3) map from picture to layer pixels, pixel centres at integers.

    Returns:
        A new picture (H,W,3) uint8.
    """
    size = len(layer)
    outline = np.array([[-1, -1], [size, -1], [-1, size], [size, size]], np.float64)
    corners = (outline - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    low = np.maximum(np.floor(corners.min(0)).astype(int), 0)
    high = np.minimum(np.ceil(corners.max(0)).astype(int) + 1, picture.shape[1::-1])
    result = picture.copy()
    if (high <= low).any():  # the layer lies outside
        return result
    shifted = matrix.copy()
    shifted[:, 2] += matrix[:, :2] @ low
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = np.asarray(cv2.warpAffine(layer, shifted, tuple(map(int, high - low)), flags=flags))
    under = result[low[1] : high[1], low[0] : high[0]]
    under[...] = np.round(under * (1 - warped[..., 3:]) + 255 * warped[..., :3]).clip(0, 255).astype(np.uint8)
    return result
