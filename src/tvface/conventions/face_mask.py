"""The face mask: which classes of a label map are face."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# The paper's tool (xiyichen/face-parsing.PyTorch): skin, brows, eyes, glasses, nose, mouth, lips. The paper's text
# does not name glasses (6); its tool includes them.
PAPER_TOOL = (1, 2, 3, 4, 5, 6, 10, 11, 12, 13)
PAPER_TEXT = (1, 2, 3, 4, 5, 10, 11, 12, 13)


def face_mask(labels: NDArray[np.integer], classes: Iterable[int] = PAPER_TOOL) -> NDArray[np.bool_]:
    """Return where a label map (any shape, classes 0..18) holds one of ``classes``.

    Raises:
        ValueError: a class outside 0..18.
    """
    face_classes = sorted(set(classes))
    if any(not 0 <= label <= 18 for label in face_classes):
        raise ValueError(f"masks.classes: {face_classes} holds classes outside 0..18")
    return np.isin(labels, face_classes)
