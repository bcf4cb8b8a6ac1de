"""The mesh of the generic head: skin, eyeballs, mouth bag and teeth, with the part and lip column of each vertex."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from tvface.head.generic.grid import cap, skin_faces, strip_faces
from tvface.head.generic.sculpt import EYE_CENTRE, EYE_RADIUS, grid, skin

SKIN, EYE_RIGHT, EYE_LEFT, BAG_UPPER, BAG_LOWER, TEETH_UPPER, TEETH_LOWER = range(7)
EYE_RINGS, EYE_SEGMENTS, EYE_RIM = 8, 16, np.radians(112)

# offset (mm) from the middle of the lips of the upper and lower edge, and narrowing of the arch
_TEETH = {TEETH_UPPER: ((4.0, -4.6), (-3.6, -5.0), 0.90), TEETH_LOWER: ((3.0, -6.2), (-5.0, -6.2), 0.88)}


@dataclass(frozen=True)
class Parts:
    """position (V,3) mm; faces (F,3); part (V,) and face_part (F,) of the kinds above; lips (K,2) skin vertices of the
    two lip rows per mouth column (equal at the corners); lip (V,) column 0..K-1 that a mouth part hangs on, else -1;
    local (V,2) in [0,1]: position in the part's island of the UV map (skin: zeros)."""

    position: np.ndarray
    faces: np.ndarray
    part: np.ndarray
    face_part: np.ndarray
    lips: np.ndarray
    lip: np.ndarray
    local: np.ndarray
    skin_corners: np.ndarray


@cache
def parts() -> Parts:
    """Assemble the neutral mesh; skin vertices come first."""
    g = grid()
    surface = skin().position
    faces, corners = skin_faces(g)
    mesh = _Assembly()
    mesh.add(SKIN, surface, np.zeros((g.n, 2)), np.full(g.n, -1))
    mesh.join(SKIN, faces)
    _add_eyes(mesh)
    row, first, last = g.slits[2]
    lips = np.stack([g.above[row, first : last + 1], g.below[row, first : last + 1]], 1)
    _add_mouth(mesh, surface[lips[:, 0]], surface[lips[:, 1]])
    return Parts(
        position=np.concatenate(mesh.position),
        faces=np.concatenate(mesh.faces),
        part=np.concatenate(mesh.part),
        face_part=np.concatenate(mesh.face_part),
        lips=lips,
        lip=np.concatenate(mesh.lip),
        local=np.concatenate(mesh.local),
        skin_corners=corners,
    )


class _Assembly:
    """A mesh under construction: the arrays of :class:`Parts`, piece by piece."""

    def __init__(self) -> None:
        self.position: list[np.ndarray] = []
        self.faces: list[np.ndarray] = []
        self.part: list[np.ndarray] = []
        self.face_part: list[np.ndarray] = []
        self.local: list[np.ndarray] = []
        self.lip: list[np.ndarray] = []
        self.count = 0

    def add(self, kind: int, points: np.ndarray, local: np.ndarray, lip: np.ndarray) -> np.ndarray:
        """Add vertices; returns their numbers."""
        self.position.append(points)
        self.part.append(np.full(len(points), kind))
        self.local.append(local)
        self.lip.append(lip)
        self.count += len(points)
        return np.arange(self.count - len(points), self.count)

    def join(self, kind: int, faces: np.ndarray) -> None:
        """Add triangles of existing vertices."""
        self.faces.append(faces)
        self.face_part.append(np.full(len(faces), kind))


def _add_eyes(mesh: _Assembly) -> None:
    directions, cap_faces = cap(EYE_RINGS, EYE_SEGMENTS, EYE_RIM)
    polar = np.arccos(np.clip(directions[:, 2], -1, 1)) / EYE_RIM
    around = np.arctan2(directions[:, 1], directions[:, 0])
    disc = 0.5 + 0.5 * polar[:, None] * np.stack([np.cos(around), np.sin(around)], 1)
    for kind, side in ((EYE_RIGHT, -1), (EYE_LEFT, 1)):
        mesh.join(kind, cap_faces + mesh.count)
        points = EYE_CENTRE * (side, 1, 1) + EYE_RADIUS * directions
        mesh.add(kind, points, disc, np.full(len(directions), -1))


def _add_mouth(mesh: _Assembly, upper: np.ndarray, lower: np.ndarray) -> None:
    """Add the bag behind the lips and the teeth; upper, lower: (K, 3) the lips' rows."""
    columns = len(upper)
    across = np.linspace(0, 1, columns)
    inward = np.sin(np.pi * across)[:, None] ** 0.5  # the bag closes at the corners

    def row(kind: int, points: np.ndarray, height: float) -> np.ndarray:
        local = np.stack([across, np.full(columns, height)], 1)
        return mesh.add(kind, points, local, np.arange(columns))

    # The lips' rows are repeated, so that the bag has a separate place and colour in the UV map.
    rim_upper = row(BAG_UPPER, upper, 0.0)
    ring_upper = row(BAG_UPPER, upper + inward * (0, 3, -8), 1 / 3)
    ring_lower = row(BAG_LOWER, lower + inward * (0, -3, -8), 2 / 3)
    rim_lower = row(BAG_LOWER, lower, 1.0)
    mesh.join(BAG_UPPER, strip_faces(rim_upper, ring_upper))
    mesh.join(BAG_UPPER, strip_faces(ring_upper, ring_lower))
    mesh.join(BAG_LOWER, strip_faces(ring_lower, rim_lower))
    middle = (upper + lower) / 2
    for kind, (high, low, narrow) in _TEETH.items():
        arch = middle * (narrow, 1, 1)
        top = row(kind, arch + np.array([0, *high]), 0.0)
        bottom = row(kind, arch + np.array([0, *low]), 1.0)
        mesh.join(kind, strip_faces(top, bottom))


def carry(field: np.ndarray, eyes: np.ndarray | None = None, teeth: float = 1.0) -> np.ndarray:
    """Extend a displacement of the skin (N,3) to all parts (V,3).

    The bag follows its lip, and the teeth follow the mean of the lips times ``teeth``. The eyeballs move rigidly by
    ``eyes`` (2,3), right and left; None: they stay.
    """
    p = parts()
    out = np.zeros((len(p.position), 3))
    out[: len(field)] = field
    upper, lower = field[p.lips[:, 0]], field[p.lips[:, 1]]
    for kind, source in ((BAG_UPPER, upper), (BAG_LOWER, lower)):
        vertices = p.part == kind
        out[vertices] = source[p.lip[vertices]]
    for kind in (TEETH_UPPER, TEETH_LOWER):
        vertices = p.part == kind
        out[vertices] = teeth * ((upper + lower) / 2)[p.lip[vertices]]
    if eyes is not None:
        out[p.part == EYE_RIGHT] = eyes[0]
        out[p.part == EYE_LEFT] = eyes[1]
    return out
