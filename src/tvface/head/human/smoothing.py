"""Smoothing of displacement fields on the skin: it removes the knots of sculpted face units beside the mouth.

Source: implicit diffusion (Desbrun et al., "Implicit fairing of irregular meshes using diffusion and curvature flow",
SIGGRAPH 1999), of the displacement instead of the position, so that the neutral face keeps its detail.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array, csc_array, diags_array
from scipy.sparse.csgraph import dijkstra
from scipy.sparse.linalg import splu

from tvface.head.human.cut import Cut
from tvface.head.human.mouth import rings

FIRM_RINGS = 5  # the rings of the lips keep the sculpted movement
GROWTH = 0.45  # smoothing length per millimetre from lips and lids


class Smoother:
    """Diffuses displacement fields over face and lower neck, not at lips and lids.

    Args:
        cut: the topology; positions: (V,3) mm of the mean head; faces: (F,3).
    """

    def __init__(self, cut: Cut, positions: np.ndarray, faces: np.ndarray) -> None:
        count = len(positions)
        face = np.unique(cut.quads[cut.piece("face")])
        sockets = np.unique(cut.quads[cut.piece("socket_left") | cut.piece("socket_right")])
        ring = rings(cut)
        firm = np.concatenate([np.flatnonzero(ring <= FIRM_RINGS), np.intersect1d(face, sockets)])
        free = np.zeros(count, bool)
        free[face] = True
        free[np.unique(cut.quads[cut.piece("neck")])] = True
        free[ring <= 0] = False
        edges = np.unique(
            np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), axis=1), axis=0
        )
        length = np.linalg.norm(positions[edges[:, 0]] - positions[edges[:, 1]], axis=1)
        graph = coo_array((np.maximum(length, 1e-9), (edges[:, 0], edges[:, 1])), shape=(count, count))
        far = dijkstra(graph, directed=False, indices=firm, min_only=True)
        self._reach = np.where(free & np.isfinite(far), far, 0.0) * GROWTH
        self._laplacian, self._area = _cotangents(positions, faces)

    def __call__(self, field: np.ndarray, length: float) -> np.ndarray:
        """Return the field (V,3) without detail below ``length`` mm, smoothed less near lips and lids."""
        strength = np.minimum(self._reach, length) ** 2
        # (A + S L) d' = A d with S on both sides of L: symmetric, and nothing flows where S is 0.
        root = diags_array(np.sqrt(strength))
        system = csc_array(diags_array(self._area) + root @ self._laplacian @ root)
        change = splu(system).solve(np.ascontiguousarray(root @ (self._laplacian @ field)))
        return np.asarray(field - root @ change)


def _cotangents(positions: np.ndarray, faces: np.ndarray) -> tuple[csc_array, np.ndarray]:
    """Return the positive semi-definite cotangent Laplacian (V,V) and a third of the triangles' areas round each
    vertex."""
    count = len(positions)
    rows, columns, values, area = [], [], [], np.zeros(count)
    for k in range(3):
        a, b, c = faces[:, k], faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        to_a, to_b = positions[a] - positions[c], positions[b] - positions[c]
        twice = np.linalg.norm(np.cross(to_a, to_b), axis=1)
        weight = np.clip(0.5 * (to_a * to_b).sum(1) / np.maximum(twice, 1e-9), 0.01, 10.0)
        rows += [a, b, a, b]
        columns += [b, a, a, b]
        values += [-weight, -weight, weight, weight]
        np.add.at(area, c, twice / 6)
    table = coo_array((np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count))
    return csc_array(table), area
