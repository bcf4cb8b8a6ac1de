"""Pixel and normalised coordinates of square pictures."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray


def normalise(points: NDArray[np.float32], side: int, half_pixel: bool = True) -> NDArray[np.float32]:
    """Return pixel coordinates of a square picture in normalised coordinates.

    Convention: pixels, centres at integers; normalised: [-1, 1] over the picture.

    Args:
        points: (..., 2).
        side: of the picture in px.
        half_pixel: as DECA: index / side, half a pixel up and left of where the renderer has that pixel's centre. The
            published weights expect it. False: -1 and 1 are the picture's edges, as in the renderer.

    Returns:
        (..., 2) float32.
    """
    return np.asarray((points + (0.0 if half_pixel else 0.5)) / side * 2 - 1, np.float32)


def to_pixels(points: torch.Tensor, side: int, half_pixel: bool = True) -> torch.Tensor:
    """Return normalised coordinates in pixels: the inverse of :func:`normalise`."""
    return (points + 1) / 2 * side - (0.0 if half_pixel else 0.5)
