"""The edges of the lids, and a blink that closes the upper lid on the lower one along its whole length.

Round an eye the skin consists of rings of 28 vertices; the fourth from the seam between lid and socket is the lids'
visible edge. MakeHuman's closing unit crosses the edges by up to 2 mm at the outer corner.
"""

from __future__ import annotations

import numpy as np

from tvface.head.human.cut import Cut

EDGE = 3  # ring of the visible edge, counted from the seam
OVERLAP = 1.2  # mm that the closed upper lid reaches over the lower one's edge: people's eyes are of several heights
_CORNER = 1.5  # mm at the corners, where the edges meet and no gap can be measured
_SAMPLES = 40


def edges(cut: Cut, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vertices of the upper and of the lower lid's edge of the subject's left eye, from the inner to the
    outer corner, each with both corners; their mirror images are those of the right eye."""
    face = np.unique(cut.quads[cut.piece("face")])
    socket = np.unique(cut.quads[cut.piece("socket_left")])
    near = cut.neighbours()
    ring = np.full(len(positions), -1)
    allowed = np.isin(np.arange(len(positions)), face)
    front = np.intersect1d(face, socket)
    ring[front] = 0
    for step in range(1, EDGE + 1):
        reached = np.unique(near[front].nonzero()[1])
        front = reached[(ring[reached] < 0) & allowed[reached]]
        ring[front] = step
    members = np.flatnonzero(ring == EDGE)
    beside = near[members][:, members].toarray() > 0
    order = [int(np.argmin(positions[members, 0]))]
    while len(order) < len(members):
        options = [k for k in np.flatnonzero(beside[order[-1]]) if k not in order]
        order.append(int(max(options, key=lambda k: positions[members[k], 1])))  # first along the upper lid
    half = order.index(int(np.argmax(positions[members, 0])))
    return members[order[: half + 1]], members[[order[0], *order[: half - 1 : -1]]]


def gap(positions: np.ndarray, upper: np.ndarray, lower: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return x and the frontal height (mm) of the upper over the lower edge there, (40,) each; negative: crossed."""
    ends = sorted((positions[upper[0], 0], positions[upper[-1], 0]))
    x = np.linspace(ends[0] + _CORNER, ends[1] - _CORNER, _SAMPLES)
    heights = []
    for edge in (upper, lower):
        line = positions[edge][np.argsort(positions[edge, 0])]
        heights.append(np.interp(x, line[:, 0], line[:, 1]))
    return x, heights[0] - heights[1]


def meeting(field: np.ndarray, cut: Cut, positions: np.ndarray) -> np.ndarray:
    """Return the closing field (V,3) of the left eye, scaled along the lids so that they overlap by :data:`OVERLAP`.

    Args:
        field: MakeHuman's closing unit, mm; positions: (V,3) mm of the mean head.
    """
    upper, lower = edges(cut, positions)
    x, opened = gap(positions, upper, lower)
    # Edges also move sideways, and other vertices then face each other: the scale has to be solved for.
    scale = np.ones_like(x)
    for _ in range(6):
        moved = positions + field * np.interp(positions[:, 0], x, scale)[:, None]
        at, left = gap(moved, upper, lower)
        left = np.interp(x, at, left)
        scale = np.clip(scale * (opened + OVERLAP) / np.maximum(opened - left, 0.1), 0.6, 1.4)
    kernel = np.array([1.0, 2.0, 3.0, 2.0, 1.0]) / 9
    scale = np.convolve(np.pad(scale, 2, mode="edge"), kernel, "valid")
    return np.asarray(field * np.interp(positions[:, 0], x, scale)[:, None])
