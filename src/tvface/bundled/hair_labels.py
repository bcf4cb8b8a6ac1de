"""Hair as people label it: one area. The generator's labels know every strand, and skin between the strands."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from tvface.conventions.classes import CLASSES

HAIR = CLASSES.index("hair")
BETWEEN = tuple(CLASSES.index(name) for name in ("background", "skin"))
GAP = 0.07  # of the face's width: the widest gap between strands that people label as hair


def closed_hair(labels: NDArray[np.uint8], points: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Return label maps whose gaps between strands of hair are hair: skin under a fringe, and what shows between tips.

    CelebAMask-HQ's labels are outlines; a network that learns single strands calls half of a real fringe skin.

    Args:
        labels: (N,S,S), classes 0..18 in zllrunning order.
        points: (N,68,2) px; they say how wide each face is.
    """
    result = labels.copy()
    between = np.isin(np.arange(256), BETWEEN)
    for label, width in zip(result, np.ptp(points[:, :, 0], axis=1), strict=True):
        side = 2 * round(GAP * float(width) / 2) + 1
        if side < 3:
            continue
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        closed = cv2.morphologyEx((label == HAIR).astype(np.uint8), cv2.MORPH_CLOSE, kernel)
        label[(closed > 0) & between[label]] = HAIR
    return result
