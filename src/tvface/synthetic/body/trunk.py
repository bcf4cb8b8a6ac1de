"""Neck, shoulders and chest below the head: one bare mesh that begins on the head's lowest ring of vertices."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from tvface.synthetic.people.traits import Traits

# Outlines of the trunk from the foot of the neck down: distance from the axis and height over the foot's front, side
# and back, mm. The axis lies 50 mm behind the pit of the neck.
_FRONT = np.array(
    [[52, 57, 63, 71, 79, 87, 94, 99, 102, 104], [0, -10, -22, -38, -56, -78, -104, -150, -220, -380]], float
).T
_SIDE = np.array(
    [[70, 84, 102, 124, 150, 178, 206, 222, 226, 222], [0, -7, -16, -28, -40, -56, -84, -130, -210, -380]], float
).T
_BACK = np.array(
    [[52, 60, 70, 82, 92, 101, 106, 110, 108, 104], [0, -10, -26, -44, -64, -88, -116, -160, -240, -380]], float
).T
FOLLOWS = np.array([0, 0.12, 0.35, 0.65, 0.9, 1, 1, 1, 1, 1], np.float32)


class Foot(NamedTuple):
    """Where the trunk begins: seam (K,) the head's lowest ring of vertices, ordered by azimuth; skin (K, 3) RGB in
    [0, 1] of the skin there."""

    seam: np.ndarray
    skin: np.ndarray


class Trunk(NamedTuple):
    """The bare trunk: grid (rings, columns, 3) float64 mm, the first ring on the head's seam; angle (columns,) azimuth
    in radians, 0 in front; seam (columns,) vertices of the head."""

    grid: np.ndarray
    angle: np.ndarray
    seam: np.ndarray


def lowest_ring(faces: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Return the ring of a head's open edge that reaches lowest, ordered by azimuth: (K,) int.

    Args:
        faces: (F, 3) triangles; vertices: (V, 3), y up.
    """
    edges = np.sort(faces[:, [[0, 1], [1, 2], [2, 0]]].reshape(-1, 2), axis=1)
    single, count = np.unique(edges, axis=0, return_counts=True)
    border = single[count == 1]
    graph = sparse.coo_matrix((np.ones(len(border)), border.T), shape=(len(vertices),) * 2)
    _, component = connected_components(graph, directed=False)
    lowest = border[np.argmin(vertices[border, 1].min(1)), 0]
    ring = np.flatnonzero(component == component[lowest])
    middle = 0.5 * (vertices[ring].max(0) + vertices[ring].min(0))
    offset = vertices[ring] - middle
    return np.asarray(ring[np.argsort(np.arctan2(offset[:, 0], offset[:, 2]))])


def trunk(vertices: np.ndarray, seam: np.ndarray, traits: Traits) -> Trunk:
    """Build shoulders and chest of a person on the foot of the neck.

    Args:
        vertices: (V, 3) the person's head, mm in the atlas' frame; seam: (K,) its lowest ring of vertices, ordered by
            azimuth.
    """
    rng = np.random.default_rng([traits.seed, 0x7A0])
    ring = vertices[seam].astype(float)
    middle = 0.5 * (ring.max(0) + ring.min(0))
    angle = np.arctan2(ring[:, 0] - middle[0], ring[:, 2] - middle[2])
    male, weight = traits.nature.male, traits.nature.weight
    wide = (0.86 + 0.14 * male) * (0.92 + 0.16 * weight) * rng.uniform(0.96, 1.04)
    deep = (0.9 + 0.1 * male) * (0.85 + 0.3 * weight)
    slope = rng.uniform(0.8, 1.25)
    bust = (1 - male) * rng.uniform(6, 24)
    across, ahead = np.sin(angle) ** 2, np.where(np.cos(angle) >= 0, 1.0, 0.0)
    near = np.hypot(ring[:, 0] - middle[0], ring[:, 2] - middle[2])
    rings = []
    for k, (front, side, back) in enumerate(zip(_FRONT, _SIDE, _BACK, strict=True)):
        depth, breadth = np.where(ahead, front[0], back[0]) - 52, side[0] - 70.0
        # The outline of the trunk is squarer than an ellipse.
        power = 2.0 + 0.9 * min(1.0, k / 5)
        a, b = 70 + breadth * wide, 52 + depth * deep
        shape = (np.abs(np.sin(angle) / a) ** power + np.abs(np.cos(angle) / b) ** power) ** (-1 / power)
        start = (np.abs(np.sin(angle) / 70) ** 2 + np.abs(np.cos(angle) / 52) ** 2) ** -0.5
        radius = shape + (near - start) * max(0.0, 1 - k / 4)
        lowered = np.where(ahead, front[1], back[1]) * (1 - across) + side[1] * slope * across
        height = ring[:, 1] * max(0.0, 1 - k / 5) + ring[:, 1].mean() * min(1.0, k / 5) + lowered
        # In front the foot of the neck lies lower than behind, and so does the whole ring.
        height = height + (ring[:, 1] - ring[:, 1].mean()) * min(1.0, k / 5) * 0.55
        x, z = middle[0] + radius * np.sin(angle), middle[2] + radius * np.cos(angle)
        if k > 4:
            z = z + bust * np.exp(-(((np.abs(x) - 75) / 45) ** 2) - ((lowered + 150) / 55) ** 2) * ahead
        rings.append(np.stack([x, height, z], 1))
    rings[0] = ring
    return Trunk(np.stack(rings), angle, seam)
