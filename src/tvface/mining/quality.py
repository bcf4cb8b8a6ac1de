"""Scores of single faces: place in the picture, pose, crop, clarity."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tvface.conventions.boxes import area
from tvface.media.images import Image
from tvface.mining.shots import luma
from tvface.settings.data import Sequences

Array = NDArray[np.float64]


def box_scores(boxes: NDArray[np.floating], width: NDArray[np.integer], height: NDArray[np.integer]) -> pd.DataFrame:
    """Return ``side`` sqrt(w h) [px], ``inside`` (part of the box in the picture) and ``aspect`` w / h per box.

    Args:
        boxes: (N, 4) x0, y0, x1, y1 in pixels.
        width, height: (N,) picture sizes in pixels.
    """
    corners = np.asarray(boxes, np.float64).reshape(-1, 4)
    whole = area(corners)
    limits = np.stack([width, height, width, height], axis=1) if len(corners) else np.zeros((0, 4))
    visible = area(np.clip(corners, 0, limits))
    tall = np.maximum(corners[:, 3] - corners[:, 1], 1e-6)
    return pd.DataFrame(
        {
            "side": np.sqrt(whole),
            "inside": np.clip(visible / np.maximum(whole, 1e-6), 0, 1),
            "aspect": np.maximum(corners[:, 2] - corners[:, 0], 0) / tall,
        }
    )


def pose(points5: NDArray[np.floating]) -> Array:
    """Return how far faces turn from the camera: |nose - middle of the eyes| along the eye line / eye distance.

    Args:
        points5: (N, 5, 2) in pixels. About 0 is frontal, 0.5 a half profile; eyes that coincide give a large value.
    """
    points = np.asarray(points5, np.float64).reshape(-1, 5, 2)
    along = points[:, 1] - points[:, 0]
    distance = np.maximum(np.linalg.norm(along, axis=1), 1e-6)
    nose = points[:, 2] - (points[:, 0] + points[:, 1]) / 2
    return np.asarray(np.abs((nose * along).sum(1)) / distance**2, np.float64)


def crowded(
    frame: NDArray[np.integer], scores: NDArray[np.floating], areas: NDArray[np.floating], settings: Sequences
) -> NDArray[np.bool_]:
    """Return which faces share their frame with another face whose score and size make it a character of its own."""
    result = np.zeros(len(frame), bool)
    for number in np.unique(frame):
        members = np.flatnonzero(frame == number)
        for face in members:
            others = members[members != face]
            sure = scores[others] >= settings.other_score
            result[face] = bool((sure & (areas[others] >= settings.other_area * areas[face])).any())
    return result


def crop_square(box: NDArray[np.floating], settings: Sequences) -> tuple[Array, float]:
    """Return centre (x, y) and side of a box's crop in picture pixels, by DECA's recipe for boxes."""
    x0, y0, x1, y1 = np.asarray(box, np.float64)
    size = (x1 - x0 + y1 - y0) / 2
    return np.array([(x0 + x1) / 2, (y0 + y1) / 2 + settings.crop_down * size]), settings.crop_scale * size


def crop_transform(centre: NDArray[np.floating], side: float, size: int) -> Array:
    """Return the (2, 3) map from picture to crop pixels, pixel centres at integers in both.

    The square's edges fall on the outer edges of the crop's first and last pixels, -0.5 and size - 0.5.
    """
    scale = size / side
    shift = -scale * (np.asarray(centre, np.float64) - side / 2) - 0.5
    return np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])


def padding(centre: NDArray[np.floating], side: float, width: int, height: int) -> float:
    """Return the part (0..1) of a square that lies outside a picture of this size."""
    low = np.asarray(centre, np.float64) - side / 2
    inside = np.minimum(low + side, (width - 0.5, height - 0.5)) - np.maximum(low, (-0.5, -0.5))
    return float(np.clip(1 - np.prod(np.maximum(inside, 0)) / side**2, 0, 1))


def clarity(crop: Image) -> float:
    """Return the contrast-normalised Laplacian variance of a crop at half its size; larger is sharper.

    Brightness and contrast fall out, and so does the size of the face while it has more pixels than the halved crop.
    Smaller faces score lower, as they hold less detail. A flat crop scores 0.
    """
    grey = luma(crop)
    half = cv2.resize(grey, (grey.shape[1] // 2, grey.shape[0] // 2), interpolation=cv2.INTER_AREA).astype(np.float32)
    contrast = float(half.var())
    return float(cv2.Laplacian(half, cv2.CV_32F).var() / contrast) if contrast > 1e-3 else 0.0


def phash(crop: Image) -> int:
    """Return a 64-bit perceptual hash as a signed integer: which of the lowest 8 x 8 cosine terms exceed their median.

    The constant term is left out of the median, so that brightness does not count.
    """
    small = cv2.resize(luma(crop), (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)
    low = cv2.dct(small)[:8, :8].ravel()
    bits = low > np.median(low[1:])
    return int(np.packbits(bits).view(">i8")[0])
