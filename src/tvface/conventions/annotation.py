"""The 68 points as annotators of 300-W set them in a picture, where that differs from points fixed on the surface."""

from __future__ import annotations

import numpy as np

# How far the annotated corners of an eye lie within the lids' ends, in eye widths: without the lacrimal caruncle and
# the fold at the outer end. In 300-W's published mean shapes an eye is .40 of the distance between the eyes' middles
# wide (OpenFace's template .400, the 51 points of dlib-based aligners .406), on the generic head, whose lids have the
# length that anthropometry gives, .45.
INSET = 0.055
# outer and inner corner of the right eye, inner and outer one of the left
CORNERS = ((36, 39), (39, 36), (42, 45), (45, 42))


def as_annotated(points: np.ndarray) -> np.ndarray:
    """Return points (..., 68, 2) as 300-W has them: jaw evenly spaced, corners of the eyes within the lids' ends.

    Annotators divide the visible outline between ear and chin evenly (the mean shapes made from 300-W have equal steps
    of .117 to .120, and .111 beside the chin). The head's own points are fixed on the surface, so that on the side
    which turns to the viewer those beside the chin drift up along the outline.

    Points 0, 8 and 16, and all that are neither jaw nor corners of the eyes, stay.
    """
    result = points.copy()
    for near, far in CORNERS:
        result[..., near, :] += INSET * (points[..., far, :] - points[..., near, :])
    for old, new in zip(points.reshape(-1, 68, 2), result.reshape(-1, 68, 2), strict=True):
        for first, last in ((0, 8), (8, 16)):
            new[first : last + 1] = evenly(old[first : last + 1].astype(np.float64), last - first + 1)
    return result


def evenly(line: np.ndarray, count: int) -> np.ndarray:
    """Return ``count`` points (count, 2) in equal steps along the straight pieces of a line (N, 2), ends included."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    even = np.linspace(0, length[-1], count)
    return np.stack([np.interp(even, length, line[:, k]) for k in (0, 1)], 1)
