"""Base class of face detectors."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tvface.assets.backends import Weighted
from tvface.media.images import Image


@dataclass(frozen=True)
class Detections:
    """The n >= 0 faces of one picture, largest box first.

    boxes (n, 4) float32 x0, y0, x1, y1 in pixels, possibly reaching outside the picture; scores (n,) float32 in
    0..1; points (n, 5, 2) float32 in pixels: the eye on the viewer's left, the other eye, nose, mouth corner on the
    viewer's left, the other corner.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    points: NDArray[np.float32]

    def __post_init__(self) -> None:
        count = len(self.boxes)
        shapes = {"boxes": (count, 4), "scores": (count,), "points": (count, 5, 2)}
        for name, shape in shapes.items():
            array = getattr(self, name)
            if array.shape != shape or array.dtype != np.float32:
                raise ValueError(f"detections: {name} is {array.dtype} {array.shape}, expected float32 {shape}")

    @staticmethod
    def none() -> Detections:
        """Return the detections of a picture without faces."""
        return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros((0, 5, 2), np.float32))


class Detector(Weighted, ABC):
    """Finds faces."""

    @abstractmethod
    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """Find the faces of pictures of one size.

        Args:
            images: H x W x 3 uint8 RGB, all of one size; may be empty.

        Returns:
            one :class:`Detections` per picture.

        Raises:
            ValueError: the pictures differ in size or are not uint8.
        """


def require_one_size(images: Sequence[Image]) -> None:
    """Raise ValueError unless the pictures are uint8 H x W x 3 of one size."""
    shapes = {(image.shape, str(image.dtype)) for image in images}
    if len(shapes) > 1:
        raise ValueError(f"a batch holds pictures of several sizes: {sorted(shapes)}; group them by size")
    for shape, kind in shapes:
        if len(shape) != 3 or shape[2] != 3 or kind != "uint8":
            raise ValueError(f"pictures must be uint8 H x W x 3, not {kind} {shape}")
