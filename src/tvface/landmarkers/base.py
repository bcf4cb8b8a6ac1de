"""Base class of landmarkers."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from tvface.assets.backends import Weighted
from tvface.conventions.boxes import box_of_points, centre_and_sides

Points = NDArray[np.float32]


class Landmarker(Weighted, ABC):
    """Finds the 68 iBUG/300-W points of faces whose boxes are known.

    A backend implements :meth:`find`. ``precision`` names the network's arithmetic (``float32``, ``bfloat16``), for the
    provenance; ``refine`` is the setting.
    """

    precision: str = "float32"
    refine: int = 0

    @abstractmethod
    def find(
        self, crops: NDArray[np.uint8], boxes: NDArray[np.floating]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Find the points of one face per crop in a single pass.

        Args:
            crops: (N, S, S, 3) uint8 RGB; N may be 0.
            boxes: (N, 4) x0, y0, x1, y1 of the detected face in crop pixels; may reach outside.

        Returns:
            points (N, 68, 2) and the confidence of each, (N, 68) >= 0.

        Convention: crop pixels, x right, y down, centres at integers.
        """

    def locate(self, crops: NDArray[np.uint8], boxes: NDArray[np.floating]) -> tuple[Points, NDArray[np.float32]]:
        """Find the points with :meth:`find`, then ``refine`` times again, each time in the box of the last points.

        Args and result as for :meth:`find`, the result as float32.
        """
        points, confidence = self.find(crops, np.asarray(boxes, np.float64))
        for _ in range(self.refine if len(crops) else 0):
            points, confidence = self.find(crops, box_of_points(points))
        return points.astype(np.float32), confidence.astype(np.float32)

    def instability(
        self, crops: NDArray[np.uint8], boxes: NDArray[np.floating], points: Points, shift: float
    ) -> NDArray[np.float32]:
        """Return how much the points depend on the box, from one more pass with a shifted box.

        DECA's authors left out images whose landmarks change when the box is shifted by 5 % (section 5 of the paper).

        Args:
            crops, boxes: the arguments of :meth:`locate`.
            points: its result.
            shift: of the last box, to the right and down, in its sides.

        Returns:
            (N,) float32: mean distance of the 68 points, in mean sides of their tight box.
        """
        if not len(crops):
            return np.zeros(0, np.float32)
        last = box_of_points(points) if self.refine else np.asarray(boxes, np.float64)
        beside = last + np.tile(shift * centre_and_sides(last)[1], 2)
        moved = np.linalg.norm(self.find(crops, beside)[0] - points, axis=-1).mean(1)
        side = np.ptp(points, axis=1).mean(1)
        return np.asarray(moved / np.maximum(side, 1.0), np.float32)
