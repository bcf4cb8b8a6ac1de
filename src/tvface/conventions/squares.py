"""Square crops around faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def square_transform(centre: tuple[float, float], side: float, size: int) -> NDArray[np.float64]:
    """Return the (2,3) map from picture to crop pixels, centres at integers, of a square at ``centre``.

    Args:
        centre: x, y in picture pixels; becomes the middle of the crop.
        side: of the square in picture pixels.
        size: side of the crop in pixels.
    """
    zoom = size / side
    middle = (size - 1) / 2
    return np.array([[zoom, 0, middle - zoom * centre[0]], [0, zoom, middle - zoom * centre[1]]])


def crop_squares(
    boxes: NDArray[np.floating], crop_scale: float, crop_down: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the square crops of boxes.

    Args:
        boxes: (N, 4) x0, y0, x1, y1 in pixels.
        crop_scale: side of a crop in mean sides of its box.
        crop_down: how far the centre of a crop lies below that of its box, in mean sides of the box, as DECA crops.

    Returns:
        Centres (N, 2) and sides (N,) in pixels.
    """
    boxes = np.asarray(boxes, np.float64)
    side = (boxes[:, 2] - boxes[:, 0] + boxes[:, 3] - boxes[:, 1]) / 2
    centres = (boxes[:, :2] + boxes[:, 2:]) / 2 + np.stack([np.zeros_like(side), crop_down * side], 1)
    return centres, crop_scale * side
