"""From MakeHuman's vertices to the head's: millimetres, new teeth, tongue lowered, lips closed; all of it linear.

So it holds for positions and for displacements alike, except for where the parts sit in the mean head
(:attr:`Shaper.rest`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from tvface.head.human import mouth, teeth
from tvface.head.human.cut import OLD_TEETH, TEETH_UPPER, TONGUE, Cut
from tvface.head.human.wheel import BaseMesh

MILLIMETRES = 107.0  # per decimetre: scales MakeHuman's 57.6 mm between the pupils to adults
EYE_DEPTH = 65.0  # mm, place of the eyeballs' centres in front of the origin, on the axis of the ears
LIP_MIDDLE = 474  # vertex of the base mesh: middle of the upper lip's contact line
# mm from there to the edge of the upper incisors; tongue: drop, backward shift, and share of its height that stays.
INCISORS = np.array([0.0, -2.6, -6.6])
TONGUE_DROP, TONGUE_BACK, TONGUE_HEIGHT = 11.0, 3.0, 0.8
# The mouth's bag reaches to just behind the skin beside the nose, and through it in one of fifty people. Its depth is
# therefore reduced by mm, its height by a share; both begin and are complete at these rings from the seam.
BAG_BACK, BAG_FLATTER, BAG_FROM, BAG_WHOLE = 5.0, 0.15, 2, 6
CUBES = ("joint-head", "joint-neck", "joint-l-eye", "joint-r-eye")


def kept_vertices(base: BaseMesh, cut: Cut) -> np.ndarray:
    """Return (K,) the vertices of the base mesh that are read: the head's, MakeHuman's teeth, the joints' cubes."""
    old = [np.arange(first, last + 1) for first, last in OLD_TEETH.values()]
    cubes = [np.unique(base.quads[base.group == name]) for name in CUBES]
    return np.concatenate([cut.source[cut.source >= 0], *old, *cubes])


@dataclass(frozen=True)
class Shaper:
    """The mean head, and linear operators from MakeHuman's vertices to the head's.

    rest: (V,3) mm, the mean head, mirror symmetric, eyes at y = 0; joints: name of a cube to its centre in mm;
    carry: per arch the (68,68) operator from MakeHuman's teeth; close: (V,V) of the lips; lifted: (V,3) mm from
    the lowered tongue to MakeHuman's, 0 elsewhere; unchanged: number of vertices that stay MakeHuman's;
    origin: (3,) mm, the head's origin in the body.
    """

    cut: Cut
    rest: np.ndarray
    joints: dict[str, np.ndarray]
    carry: dict[int, np.ndarray]
    close: csr_array
    lifted: np.ndarray
    unchanged: int
    origin: np.ndarray

    def displaced(self, field: np.ndarray) -> np.ndarray:
        """Return displacements of the head (...,V,3) in mm from displacements (...,K,3) in dm of the kept vertices.

        The lips are not closed (see ``close``).
        """
        field = np.asarray(field) * MILLIMETRES
        parts = [field[..., : self.unchanged, :]]
        for number, kind in enumerate(OLD_TEETH):
            first = self.unchanged + number * teeth.VERTICES
            parts.append(np.matmul(self.carry[kind], field[..., first : first + teeth.VERTICES, :]))
        return np.concatenate(parts, -2)


def shaper(base: BaseMesh, cut: Cut, mean: np.ndarray) -> Shaper:
    """Build the mean head and the operators.

    Args:
        base: MakeHuman's base mesh.
        cut: the head's topology.
        mean: (K,3) dm, the kept vertices of the mean person.
    """
    unchanged = int((cut.source >= 0).sum())
    points = mean * MILLIMETRES
    cubes, start = {}, unchanged + 2 * teeth.VERTICES
    for number, name in enumerate(CUBES):
        cubes[name] = points[start + 8 * number : start + 8 * number + 8].mean(0)
    origin = 0.5 * (cubes["joint-l-eye"] + cubes["joint-r-eye"]) - [0.0, 0.0, EYE_DEPTH]
    points = points - origin
    head = np.concatenate([points[:unchanged], np.zeros((2 * teeth.VERTICES, 3))])
    head[:unchanged] = 0.5 * (head[:unchanged] + head[cut.mirror[:unchanged]] * (-1, 1, 1))
    head = mouth.closing(cut, head) @ head
    tongue, before = cut.part == TONGUE, head.copy()
    floor = head[tongue, 1].min()
    head[tongue, 1] = floor + TONGUE_HEIGHT * (head[tongue, 1] - floor) - TONGUE_DROP
    head[tongue, 2] -= TONGUE_BACK
    lifted = before - head
    depth = np.clip((-mouth.rings(cut) - BAG_FROM) / (BAG_WHOLE - BAG_FROM), 0, 1)
    inner = np.setdiff1d(cut.quads[cut.piece("bag")], cut.quads[cut.piece("face")])
    depth[inner[mouth.rings(cut)[inner] == mouth.FAR]] = 1.0
    middle = head[cut.place(LIP_MIDDLE), 1]
    head[:, 1] -= BAG_FLATTER * depth * (head[:, 1] - middle)
    head[:, 2] -= BAG_BACK * depth
    carry = {}
    for number, kind in enumerate(OLD_TEETH):
        place = head[cut.place(LIP_MIDDLE)] + INCISORS
        arch = teeth.arch(kind == TEETH_UPPER) + place
        head[cut.part == kind] = arch
        old = points[unchanged + number * teeth.VERTICES :][: teeth.VERTICES]
        # The best affine map of MakeHuman's teeth carries the new ones.
        ones = np.ones((teeth.VERTICES, 1))
        carry[kind] = np.concatenate([arch, ones], 1) @ np.linalg.pinv(np.concatenate([old, ones], 1))
    return Shaper(
        cut,
        head,
        {name: centre - origin for name, centre in cubes.items()},
        carry,
        mouth.closing(cut, head),
        lifted,
        unchanged,
        origin,
    )
