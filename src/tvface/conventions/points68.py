"""The 68 points of iBUG 300-W: mirror order, parts, outer eye corners."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def _mirror() -> NDArray[np.int64]:
    order = np.arange(68)
    pairs = (
        [(i, 16 - i) for i in range(8)]  # jaw
        + [(17 + i, 26 - i) for i in range(5)]  # brows
        + [(31, 35), (32, 34)]  # nose wings
        + [(36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46)]  # eyes
        + [(48, 54), (49, 53), (50, 52), (55, 59), (56, 58)]  # outer lips
        + [(60, 64), (61, 63), (65, 67)]  # inner lips
    )
    for left, right in pairs:
        order[left], order[right] = right, left
    return order


# The point that each point becomes in the mirrored picture.
MIRROR = _mirror()


OUTER_EYES = (36, 45)


PARTS = {
    "jaw": slice(0, 17),
    "brows": slice(17, 27),
    "nose": slice(27, 36),
    "eyes": slice(36, 48),
    "mouth": slice(48, 68),
}


def eye_distance(points: np.ndarray) -> np.ndarray:
    """Return the distance of the outer eye corners of (N, 68, 2) points, shape (N,)."""
    return np.linalg.norm(points[:, OUTER_EYES[0]] - points[:, OUTER_EYES[1]], axis=-1)
