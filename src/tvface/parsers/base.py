"""What every parser offers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from tvface.registry import Weighted

# zllrunning's order, the order of label maps everywhere in tvface. Left and right are the subject's.
CLASSES = (
    "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "glasses", "l_ear", "r_ear", "earring", "nose",
    "mouth", "u_lip", "l_lip", "neck", "necklace", "cloth", "hair", "hat",
)  # fmt: skip


class Parser(Weighted, ABC):
    """Labels every pixel with one of 19 classes.

    ``precision`` names the network's arithmetic (``float32``, ``bfloat16``), for the provenance.
    """

    precision: str = "float32"

    @abstractmethod
    def parse(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Label (N, S, S, 3) uint8 RGB pictures of one face each; N may be 0.

        Returns:
            (N, S, S) uint8, classes 0..18 in zllrunning order (:data:`CLASSES`).
        """


def _mirror() -> NDArray[np.uint8]:
    order = np.arange(len(CLASSES), dtype=np.uint8)
    for left, right in ((2, 3), (4, 5), (7, 8)):
        order[left], order[right] = right, left
    return order


# The class that each class becomes in the mirrored picture.
MIRROR = _mirror()
