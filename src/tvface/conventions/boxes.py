"""Boxes and windows around faces, shared by the landmarkers.

Convention: pixels of the picture, x right, y down, centres at integers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# How MTCNN's box lies around the 68 points, in mean sides of the tight box of the points: its mean side, and how far
# its centre is above theirs. Measured on the LFPW photographs: 1.14 .. 1.23 and 0.18 .. 0.22 (smiling or bowed heads at
# the upper ends); `benchmarks/landmarks.py` prints both for every picture.
BOX_SIDE = 1.16
BOX_UP = 0.18


def centre_and_sides(boxes: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return centres (N, 2) and sides (N, 2) (width, height) of (N, 4) boxes x0, y0, x1, y1."""
    corners = np.asarray(boxes, np.float64).reshape(-1, 2, 2)
    return corners.mean(1), corners[:, 1] - corners[:, 0]


def box_of_points(points: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the box that the detector would give a face with these points.

    Args:
        points: (N, 68, 2).

    Returns:
        (N, 4) square boxes x0, y0, x1, y1.
    """
    low, high = np.min(points, axis=1).astype(np.float64), np.max(points, axis=1).astype(np.float64)
    side = (high - low).mean(1)
    centre = (low + high) / 2 - np.stack([np.zeros_like(side), BOX_UP * side], 1)
    half = BOX_SIDE * side[:, None] / 2
    return np.concatenate([centre - half, centre + half], 1)


def window_transform(centre: NDArray[np.floating], side: float, size: int) -> NDArray[np.float64]:
    """Return the map from picture pixels to the pixels of an upright square window.

    Args:
        centre: (2,) x, y of the window in picture pixels.
        side: of the window in picture pixels.
        size: of the window in its own pixels.

    Returns:
        (2, 3).
    """
    scale = size / side
    shift = (size - 1) / 2 - scale * np.asarray(centre, np.float64)
    return np.array([[scale, 0.0, shift[0]], [0.0, scale, shift[1]]])


def unwindow(points: NDArray[np.floating], transform: NDArray[np.float64]) -> NDArray[np.float64]:
    """Map (P, 2) window pixels back to picture pixels; ``transform`` is from :func:`window_transform`."""
    return (np.asarray(points, np.float64) - transform[:, 2]) / transform[0, 0]


def area(boxes: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the areas (N,) of (N, 4) boxes x0, y0, x1, y1; the area of an inverted box is 0."""
    size = np.maximum(np.asarray(boxes, np.float64)[:, 2:] - np.asarray(boxes, np.float64)[:, :2], 0)
    return np.asarray(size[:, 0] * size[:, 1], np.float64)


def iou(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (N, M) intersection over union of (N, 4) and (M, 4) boxes."""
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    common = np.prod(np.maximum(high - low, 0), axis=-1)
    union = area(a)[:, None] + area(b)[None] - common
    return np.asarray(np.divide(common, union, out=np.zeros_like(common, dtype=np.float64), where=union > 0))


def centre_shift(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (N, M) distances of box centres in units of the mean of the two box sides."""
    centres = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (a, b)]
    apart = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=-1)
    sides = (np.sqrt(area(a))[:, None] + np.sqrt(area(b))[None]) / 2
    return np.asarray(apart / np.maximum(sides, 1e-9), np.float64)
