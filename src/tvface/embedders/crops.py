"""The two kinds of face crops that embedders take, 160 x 160 pixels."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tvface.conventions.similarity import similarity
from tvface.embedders.base import SIDE
from tvface.media.images import Image, warp_crop

# Where the five points lie in an aligned crop [pixels]: an average frontal face, eyes 44 px apart, so that forehead,
# hair and chin are in the crop.
TEMPLATE: NDArray[np.float32] = np.array([(57.5, 71), (101.5, 71), (79.5, 96), (61.5, 119), (97.5, 119)], np.float32)


def box_window(box: NDArray[np.floating], shape: tuple[int, ...], margin: int) -> tuple[int, int, int, int]:
    """Return the whole-pixel window left, top, right, bottom of a box with a margin, as facenet-pytorch cuts it.

    Args:
        box: x0, y0, x1, y1 in pixels; the window is clipped to the picture and its corners truncated.
        shape: of the picture, (H, W, ...).
        margin: pixels of the 160 px output that lie outside the box, both sides together.

    Raises:
        ValueError: the box lies outside the picture.
    """
    x0, y0, x1, y1 = (float(value) for value in box)
    grow_x, grow_y = margin * (x1 - x0) / (SIDE - margin), margin * (y1 - y0) / (SIDE - margin)
    left, top = int(max(x0 - grow_x / 2, 0)), int(max(y0 - grow_y / 2, 0))
    right, bottom = int(min(x1 + grow_x / 2, shape[1])), int(min(y1 + grow_y / 2, shape[0]))
    if right <= left or bottom <= top:
        raise ValueError(f"the box {x0:.1f}, {y0:.1f}, {x1:.1f}, {y1:.1f} lies outside the {shape[:2]} picture")
    return left, top, right, bottom


def box_crop(rgb: Image, box: NDArray[np.floating], margin: int) -> Image:
    """Cut a detected box with a margin and stretch it to a square, as FaceNet was trained on (facenet-pytorch).

    Args:
        rgb: H x W x 3 uint8.
        box, margin: see :func:`box_window`.

    Returns:
        160 x 160 x 3 uint8.

    Raises:
        ValueError: the box lies outside the picture.
    """
    left, top, right, bottom = box_window(box, rgb.shape, margin)
    return np.asarray(cv2.resize(rgb[top:bottom, left:right], (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def aligned_crop(rgb: Image, points5: NDArray[np.floating]) -> Image:
    """Return the 160 x 160 x 3 uint8 crop in which the five points (5, 2) lie at :data:`TEMPLATE`; black outside."""
    return warp_crop(rgb, similarity(np.asarray(points5), TEMPLATE), SIDE)
