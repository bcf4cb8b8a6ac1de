"""Brows drawn along a line per person: where their hairs grow, and the matching landmarks."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from tvface.synthetic.atlas import SKIN, Atlas

HAIR = 3.75  # mm, mean length of a hair of a brow WIDTH mm wide; it grows with the root of the width
WIDTH = 3.2
ABOVE = 0.1  # of the width: how far the points lie above the middle line of the hairs

Embedding = tuple[np.ndarray, np.ndarray]


def lean(at: np.ndarray) -> np.ndarray:
    """Return the slope of the hairs to the brow's line at positions 0 (inner end) .. 1 (outer end)."""
    return np.clip(1.1 - 1.2 * at, 0.05, 1.1)


def roots(line: np.ndarray, width: float) -> np.ndarray:
    """Return the line (N, 2) of the hairs' roots, such that the hairs cover ``line``.

    Hairs rise from their roots and extend beyond the outermost root, so the line of the roots is the lower edge.

    Args:
        line: (N, 2) frontal mm from the inner to the outer end.
        width: of the brow, mm.
    """
    count = len(line)
    hair = HAIR * (width / WIDTH) ** 0.5
    length = np.linalg.norm(np.diff(line, axis=0), axis=1).sum()
    at = np.linspace(0, 1, count)
    place = at * max(0.0, 1 - hair / length) * (count - 1)
    shorter = np.stack([np.interp(place, np.arange(count), line[:, k]) for k in (0, 1)], 1)
    tangent = np.gradient(shorter, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True) + 1e-9
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    normal *= np.sign(normal[:, 1:] + 1e-9)
    return np.asarray(shorter - normal * (0.5 * hair * lean(at) + ABOVE * width)[:, None])


class Binding:
    """Binding of frontal positions on the neutral skin to the head's triangles."""

    def __init__(self, atlas: Atlas) -> None:
        front = (atlas.part == SKIN) & (np.abs(atlas.theta) < 80) & (atlas.position[:, :, 2] > 20)
        self._face = atlas.face[front]
        self._tree = cKDTree(atlas.position[front][:, :2])
        self._vertices = atlas.vertices

    def __call__(self, faces: np.ndarray, places: np.ndarray) -> Embedding:
        """Return triangles (N,) and barycentric weights (N, 3) float64 of frontal positions.

        Args:
            faces: (F, 3) the head's triangles.
            places: (N, 2) frontal mm.
        """
        triangles = self._face[self._tree.query(places)[1]]
        # The nearest texel may belong to the neighbouring triangle: its plane is then extrapolated by a fraction of a
        # texel.
        corners = self._vertices[faces[triangles]][:, :, :2].astype(np.float64)
        system = np.concatenate([corners.transpose(0, 2, 1), np.ones((len(triangles), 1, 3))], 1)
        targets = np.concatenate([places, np.ones((len(places), 1))], 1)
        return triangles, np.linalg.solve(system, targets[:, :, None])[:, :, 0]
