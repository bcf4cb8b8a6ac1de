"""Finer triangles where a head's triangles are large enough to be visible: a bald skull would have a polygonal outline.

For drawing only: the head's vertices stay where they are and keep their numbers; the middles of long edges are new.
Source: Boubekeur and Alexa, "Phong tessellation" (SIGGRAPH Asia 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvface.head.data import HeadData

LONGEST = 5.0  # mm, edges above it are divided
CURVATURE = 0.75  # of the way from the flat triangle to the normals' tangent planes; the value of the source

# Divided edges of a triangle as bits 1 (0-1), 2 (1-2), 4 (2-0), to its parts; corners 0..2, middles 3 (0-1), 4, 5.
_PARTS: dict[int, tuple[tuple[int, int, int], ...]] = {
    0: ((0, 1, 2),),
    1: ((0, 3, 2), (3, 1, 2)),
    2: ((0, 1, 4), (0, 4, 2)),
    4: ((0, 1, 5), (5, 1, 2)),
    3: ((3, 1, 4), (0, 3, 4), (0, 4, 2)),
    6: ((4, 2, 5), (0, 1, 4), (0, 4, 5)),
    5: ((0, 3, 5), (3, 1, 2), (3, 2, 5)),
    7: ((0, 3, 5), (3, 1, 4), (5, 4, 2), (3, 4, 5)),
}


@dataclass(frozen=True)
class Refinement:
    """A subdivision of a head's triangles.

    edges (M,2): vertices between which new ones lie, numbered after the head's vertices; faces (F2,3); uv (Vt2,2) and
    uv_faces (F2,3) likewise; parent (F2,): triangle of the head that each one is a part of.
    """

    edges: np.ndarray
    faces: np.ndarray
    uv: np.ndarray
    uv_faces: np.ndarray
    parent: np.ndarray

    def vertices(self, positions: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Return (V+M,3) the positions with the new vertices, in any pose.

        Args:
            positions: (V,3), any unit; normals: (V,3), unit length.
        """
        first, second = self.edges.T
        middle = 0.5 * (positions[first] + positions[second])
        lifted = np.zeros_like(middle)
        for end in (first, second):
            height = ((middle - positions[end]) * normals[end]).sum(1, keepdims=True)
            lifted += 0.5 * (middle - height * normals[end])
        return np.concatenate([positions, (1 - CURVATURE) * middle + CURVATURE * lifted])


def refinement(head: HeadData, longest: float = LONGEST) -> Refinement:
    """Return the subdivision of a head's edges longer than ``longest`` mm on its mean shape."""
    return _divided(head.faces, head.uv_faces, head.uv, head.v_template * 1000, longest)


def _divided(
    faces: np.ndarray, uv_faces: np.ndarray, uv: np.ndarray, positions: np.ndarray, longest: float
) -> Refinement:
    count = len(positions)
    sides = np.stack([faces, np.roll(faces, -1, 1)], -1)
    uv_sides = np.sort(np.stack([uv_faces, np.roll(uv_faces, -1, 1)], -1), -1)
    length = np.linalg.norm(positions[sides[..., 0]] - positions[sides[..., 1]], axis=-1)
    long = length > longest
    edges, index = np.unique(np.sort(sides, -1)[long], axis=0, return_inverse=True)
    uv_edges, uv_index = np.unique(uv_sides[long], axis=0, return_inverse=True)
    middle, uv_middle = np.full(faces.shape, -1), np.full(faces.shape, -1)
    middle[long] = count + index.reshape(-1)
    uv_middle[long] = len(uv) + uv_index.reshape(-1)
    corners = np.concatenate([faces, middle], 1)
    uv_corners = np.concatenate([uv_faces, uv_middle], 1)
    kind = long @ np.array([1, 2, 4])
    new, new_uv, parent = [], [], []
    for bits, parts in _PARTS.items():
        rows = np.flatnonzero(kind == bits)
        for part in parts:
            new.append(corners[rows][:, part])
            new_uv.append(uv_corners[rows][:, part])
            parent.append(rows)
    order = np.argsort(np.concatenate(parent), kind="stable")
    return Refinement(
        edges,
        np.concatenate(new)[order].astype(np.int32),
        np.concatenate([uv, uv[uv_edges].mean(1)]).astype(np.float32),
        np.concatenate(new_uv)[order].astype(np.int32),
        np.concatenate(parent)[order],
    )
