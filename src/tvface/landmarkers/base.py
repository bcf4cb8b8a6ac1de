"""What every landmarker offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float32]


class Landmarker(ABC):
    """Finds the 68 iBUG/300-W points of faces whose boxes are known.

    ``weights`` maps the name of every weight file to its sha256, and ``precision`` names the network's
    arithmetic (``float32``, ``bfloat16``), both for the provenance.
    """

    weights: dict[str, str]
    precision: str = "float32"

    @abstractmethod
    def locate(self, crops: NDArray[np.uint8], boxes: NDArray[np.float32]) -> tuple[Points, NDArray[np.float32]]:
        """Find the points of one face per crop.

        Args:
            crops: (N, S, S, 3) uint8 RGB; N may be 0.
            boxes: (N, 4) x0, y0, x1, y1 of the face as the detector gave it, in crop pixels; may reach outside.

        Returns:
            points (N, 68, 2) float32 in crop pixels (x right, y down, pixel centres at integers) and the
            confidence of each, (N, 68) float32 >= 0.
        """


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
