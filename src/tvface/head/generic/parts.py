"""The whole mesh of the generic head: skin, eyeballs, mouth bag and teeth, with what each vertex hangs on."""

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
    local (V,2) in [0,1]: place in the part's own island of the UV map (skin: zeros)."""

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
    positions, all_faces = [surface], [faces]
    part, face_part = [np.full(g.n, SKIN)], [np.full(len(faces), SKIN)]
    local = [np.zeros((g.n, 2))]
    lip = [np.full(g.n, -1)]
    count = g.n

    directions, cap_faces = cap(EYE_RINGS, EYE_SEGMENTS, EYE_RIM)
    polar, around = (
        np.arccos(np.clip(directions[:, 2], -1, 1)) / EYE_RIM,
        np.arctan2(directions[:, 1], directions[:, 0]),
    )
    disc = 0.5 + 0.5 * polar[:, None] * np.stack([np.cos(around), np.sin(around)], 1)
    for kind, side in ((EYE_RIGHT, -1), (EYE_LEFT, 1)):
        positions.append(EYE_CENTRE * (side, 1, 1) + EYE_RADIUS * directions)
        all_faces.append(cap_faces + count)
        part.append(np.full(len(directions), kind))
        face_part.append(np.full(len(cap_faces), kind))
        local.append(disc)
        lip.append(np.full(len(directions), -1))
        count += len(directions)

    row, first, last = g.slits[2]
    lips = np.stack([g.above[row, first : last + 1], g.below[row, first : last + 1]], 1)
    columns = len(lips)
    across = np.linspace(0, 1, columns)
    inward = np.sin(np.pi * across)[:, None] ** 0.5  # the bag closes at the corners

    def add(kind: int, points: np.ndarray, height: float) -> np.ndarray:
        nonlocal count
        positions.append(points)
        part.append(np.full(columns, kind))
        local.append(np.stack([across, np.full(columns, height)], 1))
        lip.append(np.arange(columns))
        count += columns
        return np.arange(count - columns, count)

    def join(kind: int, above: np.ndarray, below: np.ndarray) -> None:
        strip = strip_faces(above, below)
        all_faces.append(strip)
        face_part.append(np.full(len(strip), kind))

    upper, lower = surface[lips[:, 0]], surface[lips[:, 1]]
    # The lips' rows are repeated, so that the bag has its own place and colour in the UV map.
    rim_upper = add(BAG_UPPER, upper, 0.0)
    ring_upper = add(BAG_UPPER, upper + inward * (0, 3, -8), 1 / 3)
    ring_lower = add(BAG_LOWER, lower + inward * (0, -3, -8), 2 / 3)
    rim_lower = add(BAG_LOWER, lower, 1.0)
    join(BAG_UPPER, rim_upper, ring_upper)
    join(BAG_UPPER, ring_upper, ring_lower)
    join(BAG_LOWER, ring_lower, rim_lower)
    middle = (upper + lower) / 2
    for kind, (high, low, narrow) in _TEETH.items():
        arch = middle * (narrow, 1, 1)
        top = add(kind, arch + np.array([0, *high]), 0.0)
        bottom = add(kind, arch + np.array([0, *low]), 1.0)
        join(kind, top, bottom)
    return Parts(
        position=np.concatenate(positions),
        faces=np.concatenate(all_faces),
        part=np.concatenate(part),
        face_part=np.concatenate(face_part),
        lips=lips,
        lip=np.concatenate(lip),
        local=np.concatenate(local),
        skin_corners=corners,
    )


def carry(field: np.ndarray, eyes: np.ndarray | None = None, teeth: float = 1.0) -> np.ndarray:
    """Extend a displacement of the skin (N,3) to all parts (V,3).

    The bag follows its own lip, the teeth the mean of the lips times ``teeth``, the eyeballs move rigidly by ``eyes``
    (2,3: right, left; default none).
    """
    p = parts()
    out = np.zeros((len(p.position), 3))
    out[: len(field)] = field
    upper, lower = field[p.lips[:, 0]], field[p.lips[:, 1]]
    for kind, source in ((BAG_UPPER, upper), (BAG_LOWER, lower)):
        chosen = p.part == kind
        out[chosen] = source[p.lip[chosen]]
    for kind in (TEETH_UPPER, TEETH_LOWER):
        chosen = p.part == kind
        out[chosen] = teeth * ((upper + lower) / 2)[p.lip[chosen]]
    if eyes is not None:
        out[p.part == EYE_RIGHT] = eyes[0]
        out[p.part == EYE_LEFT] = eyes[1]
    return out
