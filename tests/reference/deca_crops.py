"""The crops of DECA's own datasets, which tvface does not make.

Its crops (:func:`tvface.mining.quality.crop_transform`) map the square's edges to the outer edges of the
crop's pixels, and are of one size per clip. DECA maps its corners to the CENTRES of the first and last pixels,
truncates the side to a whole number, and lets pixel indices stand for coordinates (``datasets.py``, ``vggface.py``).

Coordinates are pixels of the picture, x right, y down, pixel centres at integers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.transform import warp

from tvface.conventions.similarity import similarity

TRAIN_SCALES = (1.4, 1.8)  # the side over the landmark box's mean side is drawn from this range in training
TEST_SCALE = 1.25
LANDMARK_BOX = 1.1  # a box of landmarks is smaller than a detector's, in the test loader
CENTRE_DOWN = 0.12  # of the side: a detector's box reaches further up than the face
SIDE = 224

Array = NDArray[np.float64]


def landmark_square(points: NDArray[np.floating], scale: float, *, test: bool = False) -> tuple[Array, int]:
    """Return centre (x, y) and side of the square around landmarks (68, 2).

    Args:
        scale: side over the mean side of the landmarks' box; see :data:`TRAIN_SCALES` and :data:`TEST_SCALE`.
        test: as the test loader, which takes the box 1.1 times larger.
    """
    low, high = np.min(points, axis=0).astype(np.float64), np.max(points, axis=0).astype(np.float64)
    return (low + high) / 2, int((high - low).mean() * (LANDMARK_BOX if test else 1.0) * scale)


def box_square(
    box: NDArray[np.floating], scale: float = TEST_SCALE, *, of_landmarks: bool = False
) -> tuple[Array, int]:
    """Return centre (x, y) and side of the square around a detector's box x0, y0, x1, y1.

    Args:
        of_landmarks: the detector took the box from landmarks (DECA's ``kpt68``): larger, and not moved down.
    """
    low, high = np.asarray(box, np.float64).reshape(2, 2)
    mean = float((high - low).mean())
    centre = (low + high) / 2
    if of_landmarks:
        return centre, int(LANDMARK_BOX * mean * scale)
    return centre + np.array([0.0, CENTRE_DOWN * mean]), int(mean * scale)


def no_face_square(height: int, width: int, scale: float = TEST_SCALE) -> tuple[Array, int]:
    """Return the square for a picture without a face: the whole picture as a box of landmarks.

    Height and width change places in the original, which matters off the square; kept.
    """
    return box_square(np.array([0, 0, height - 1, width - 1]), scale, of_landmarks=True)


def square_transform(centre: NDArray[np.floating], side: float, size: int = SIDE) -> Array:
    """Return the (3, 3) map from picture to crop pixels that takes a square to ``size`` x ``size`` pixels."""
    x0, y0 = np.asarray(centre, np.float64) - side / 2
    return _fitted(x0, y0, x0 + side, y0 + side, size)


def whole_transform(height: int, width: int, size: int = SIDE) -> Array:
    """Return the (3, 3) map of a picture that is a crop already (DECA's ``iscrop=False``).

    Three corners of the picture are fitted by rotation, scale and shift, so a picture off the square turns a little.
    """
    return _fitted(0, 0, width - 1, height - 1, size)


def _fitted(x0: float, y0: float, x1: float, y1: float, size: int) -> Array:
    source = np.array([[x0, y0], [x0, y1], [x1, y0]])
    target = np.array([[0, 0], [0, size - 1], [size - 1, 0]])
    return np.vstack([similarity(source, target), [0, 0, 1]])


def crop(image: NDArray[np.generic], transform: Array, size: int = SIDE) -> Array:
    """Resample a crop: bilinear, without a low-pass filter, black outside.

    Args:
        image: (H, W) or (H, W, C); uint8 is scaled to [0, 1], floats are taken as they are.
        transform: (3, 3) from picture to crop pixels.

    Returns:
        (size, size) or (size, size, C) float64.
    """
    return np.asarray(warp(image, np.linalg.inv(transform), output_shape=(size, size)), np.float64)


def normalised(points: NDArray[np.floating], transform: Array, size: int = SIDE) -> Array:
    """Map picture points (N, 2) to [-1, 1] of the crop as DECA does: pixel index over size.

    The rasteriser's pixel i has its centre at (2 i + 1) / size - 1, half a pixel further; DECA trains with that offset.
    """
    return (np.asarray(points, np.float64) @ transform[:2, :2].T + transform[:2, 2]) / size * 2 - 1
