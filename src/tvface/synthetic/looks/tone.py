"""The colour of a person's skin, as it was painted."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.conventions.classes import BARE_SKIN
from tvface.head.data import HeadData


def painted_skin(head: HeadData, colour: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the mean painted colour (3,) of the skin inside the head's face mask, display values in 0..1.

    Args:
        head: for its mask and classes.
        colour: (S, S, 3) uint8 RGB reflectance, row 0 at v = 1.
        labels: (S, S) uint8 classes of the painted texture.
    """
    side = len(labels)
    inside = cv2.resize(head.face_mask, (side, side)) > 0.5
    classes = cv2.resize(head.labels, (side, side), interpolation=cv2.INTER_NEAREST_EXACT)
    skin = inside & np.isin(classes, BARE_SKIN) & np.isin(labels, BARE_SKIN)
    return np.asarray(colour[skin].mean(0) / 255)
