"""The face mask: which classes of a label map are face."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

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


def resized_face_mask(
    labels: NDArray[np.uint8], width: int, height: int, classes: Iterable[int] = PAPER_TOOL
) -> NDArray[np.bool_]:
    """Return the face mask of a label map at another size, by the rule of the paper's tool.

    The mask is resized, not the labels: 0/255, Pillow's bilinear filter (which averages where it shrinks), then
    at least one half.

    Args:
        labels: (H, W) uint8, classes 0..18.
        width, height: of the result, in pixels.
    """
    mask = Image.fromarray(face_mask(labels, classes).astype(np.uint8) * 255)
    return np.asarray(mask.resize((width, height), Image.Resampling.BILINEAR)) >= 128
