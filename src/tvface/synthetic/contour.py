"""The jaw's seventeen points as 300-W has them: evenly spaced along the outline that the picture shows."""

from __future__ import annotations

import numpy as np


def space_evenly(points: np.ndarray) -> np.ndarray:
    """Slide points 1..7 and 9..15 along the line of the jaw so that both sides are evenly spaced.

    Annotators of 300-W divide the visible outline between ear and chin evenly (the mean shapes made from it have equal
    steps of .117 to .120, but .111 beside the chin). The head's own points are fixed on the surface, so that on the
    side which turns to the viewer those beside the chin drift up along the outline.

    Args:
        points: (..., 68, 2) pixels.

    Returns:
        A copy; points 0, 8, 16 and 17..67 are the same.
    """
    spaced = points.copy()
    flat, out = points.reshape(-1, 68, 2), spaced.reshape(-1, 68, 2)
    for old, new in zip(flat, out, strict=True):
        for first, last in ((0, 8), (8, 16)):
            line = old[first : last + 1].astype(np.float64)
            length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
            even = np.linspace(0, length[-1], last - first + 1)
            new[first : last + 1] = np.stack([np.interp(even, length, line[:, k]) for k in (0, 1)], 1)
    return spaced
