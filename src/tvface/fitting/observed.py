"""What was found of one person: 68 points per frame, in metres of the head, with confidence and time."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Observed:
    """Frames of one person; those of one segment are neighbours in time.

    ``points`` (T,68,2): x right, y UP. Each segment has a frame of coordinates at rest in the picture, whose unit is
    about a metre of the head (:class:`Placed`). ``confidence`` (T,68) >= 0, about the probability that a point is
    right. ``segment`` (T,) int64, equal and neighbouring rows belong together. ``time`` (T,) s, rising in a segment.
    ``opening`` (T,2): gap of the lids over the width of the eye as the picture shows it, of the eye at the picture's
    left and right; nan: not seen.
    """

    points: Array
    confidence: Array
    segment: NDArray[np.int64]
    time: NDArray[np.float64]
    opening: Array

    def __post_init__(self) -> None:
        count = len(self.points)
        shapes = {
            "points": (count, 68, 2),
            "confidence": (count, 68),
            "segment": (count,),
            "time": (count,),
            "opening": (count, 2),
        }
        for field in fields(self):
            shape = getattr(self, field.name).shape
            if shape != shapes[field.name]:
                raise ValueError(f"observed {field.name} are {shape}, expected {shapes[field.name]}")
        if not np.isfinite(self.points).all():
            raise ValueError("observed points are not finite; leave such frames out")

    def __len__(self) -> int:
        return len(self.points)

    def take(self, rows: NDArray[np.int64] | slice) -> Observed:
        """Return these frames, in order."""
        return Observed(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def triples(observed: Observed) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the middle frames of all runs of three neighbours in a segment, and their frames per second.

    Uneven triples (a frame is missing on one side) are left out: a second difference would not mean bending.
    """
    middle = np.arange(1, len(observed) - 1)
    segment, time = observed.segment, observed.time
    before, after = time[middle] - time[middle - 1], time[middle + 1] - time[middle]
    even = (segment[middle - 1] == segment[middle + 1]) & (np.abs(after - before) < 0.2 * np.abs(after + before))
    return middle[even], 2 / (before + after)[even]
