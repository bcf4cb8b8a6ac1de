"""The 19 classes of label maps, in zllrunning's order, and their mirror order."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# zllrunning's order, the order of label maps everywhere in tvface. Left and right are the subject's.
CLASSES = (
    "background", "skin", "l_brow", "r_brow", "l_eye", "r_eye", "glasses", "l_ear", "r_ear", "earring", "nose",
    "mouth", "u_lip", "l_lip", "neck", "necklace", "cloth", "hair", "hat",
)  # fmt: skip
BARE_SKIN = (1, 10)
"""Classes whose colour is the skin's: skin and nose."""


def _mirror() -> NDArray[np.uint8]:
    order = np.arange(len(CLASSES), dtype=np.uint8)
    for left, right in ((2, 3), (4, 5), (7, 8)):
        order[left], order[right] = right, left
    return order


# The class that each class becomes in the mirrored picture.
MIRROR = _mirror()
