"""The 68 points as the annotators of 300-W place them in a picture, where they differ from points on the surface."""

from __future__ import annotations

import numpy as np

# How far the annotated corners of an eye lie inside the ends of the lids, in eye widths: annotators leave out the
# lacrimal caruncle and the fold at the outer end. In 300-W's published mean shapes an eye is .40 times as wide as the
# distance between the eye centres (OpenFace's template .400, the 51 points of dlib-based aligners .402). On the human
# head, over its people, it is .432.
INSET = 0.038
# outer and inner corner of the right eye, inner and outer one of the left
CORNERS = ((36, 39), (39, 36), (42, 45), (45, 42))


def as_annotated(points: np.ndarray) -> np.ndarray:
    """Return points as 300-W has them: jaw evenly spaced, corners of the eyes inside the ends of the lids.

    Annotators divide the visible outline between ear and chin evenly (the mean shapes made from 300-W have equal steps
    of .117 to .120, and .111 beside the chin). The points of the head are fixed on the surface: on the side that turns
    to the viewer, those beside the chin drift up along the outline.

    Points 0, 8 and 16 stay, and so do all that are neither jaw nor corners of the eyes.

    Args:
        points: (..., 68, 2).

    Returns:
        The same shape and units.
    """
    result = points.copy()
    for near, far in CORNERS:
        result[..., near, :] += INSET * (points[..., far, :] - points[..., near, :])
    for old, new in zip(points.reshape(-1, 68, 2), result.reshape(-1, 68, 2), strict=True):
        for first, last in ((0, 8), (8, 16)):
            new[first : last + 1] = evenly(old[first : last + 1].astype(np.float64), last - first + 1)
    return result


def evenly(line: np.ndarray, count: int) -> np.ndarray:
    """Return ``count`` points (count, 2) at equal steps along a polyline (N, 2), ends included."""
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    even = np.linspace(0, length[-1], count)
    return np.stack([np.interp(even, length, line[:, k]) for k in (0, 1)], 1)
