"""Regions of the human head in its texture layout: class labels (zllrunning order) and the masks of the face.

``l_`` in the class names is the subject's left (picture right, x > 0), as in CelebAMask-HQ's label maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy import ndimage

from tvface.head.human.cut import EYE_LEFT, EYE_RIGHT, TEETH_LOWER, TEETH_UPPER, TONGUE
from tvface.head.human.stored import Stored
from tvface.head.human.texels import Texels

BACKGROUND, SKIN_CLASS, L_BROW, R_BROW, L_EYE, R_EYE = 0, 1, 2, 3, 4, 5
L_EAR, R_EAR, NOSE, MOUTH, U_LIP, L_LIP, NECK, CLOTH, HAIR = 7, 8, 10, 11, 12, 13, 14, 16, 17
COLLAR = -152.0  # mm, the collar begins below
JAW_EDGE = 3.0  # mm that the face reaches below the line of the jaw's points
# Azimuth in degrees, height of the hair's border in mm: forehead, temple, sideburn before the ear, behind it, nape.
_HAIRLINE = (
    *((0, 62), (25, 60), (42, 52), (55, 34), (64, 14), (70, -8), (77, -12), (83, 14), (95, 26), (105, 14), (113, -18)),
    *((122, -40), (140, -62), (180, -74)),
)
# Height below the eyes, half width of the nose in mm.
_NOSE = ((-4, 6.0), (6, 7.5), (16, 9.5), (28, 13.0), (37, 19.0), (45, 19.5), (49, 14.0), (51.5, 7.0))


def smoothstep(x: np.ndarray | float, a: float, b: float) -> np.ndarray:
    """Return 0 below a, 1 above b, and 3t^2 - 2t^3 between."""
    t = np.clip((np.asarray(x, float) - a) / (b - a), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


@dataclass(frozen=True)
class Regions:
    """Soft (0..1) images (size,size) in the layout; ``points``: the mean head's 68 points in mm; face: skin of head and
    neck without sockets and mouth, 0 or 1; inside: mouth's bag, teeth and tongue, 0 or 1."""

    points: np.ndarray
    face: np.ndarray
    inside: np.ndarray
    brow: np.ndarray
    upper_lip: np.ndarray
    lower_lip: np.ndarray
    nose: np.ndarray
    ear: np.ndarray
    neck: np.ndarray
    hair: np.ndarray
    cloth: np.ndarray


def points(head: Stored) -> np.ndarray:
    """Return the 68 points (68,3) of the mean head, mm."""
    return np.asarray(np.einsum("nk,nkc->nc", head.full_bary, head.template[head.faces[head.full_faces]]))


def brow_distance(t: Texels, marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return every texel's frontal distance (mm) to the line of its brow, and the place along it (0 inner, 1 outer)."""
    line = marks[22:27, :2]
    x, y = np.abs(t.x), t.y
    best, place = np.full(x.shape, np.inf), np.zeros(x.shape)
    for k in range(len(line) - 1):
        a, b = line[k], line[k + 1]
        share = np.clip(((x - a[0]) * (b[0] - a[0]) + (y - a[1]) * (b[1] - a[1])) / ((b - a) ** 2).sum(), 0, 1)
        d = np.hypot(x - a[0] - share * (b[0] - a[0]), y - a[1] - share * (b[1] - a[1]))
        place = np.where(d < best, (k + share) / (len(line) - 1), place)
        best = np.minimum(best, d)
    return best, place


def regions(head: Stored, t: Texels) -> Regions:
    """Return the soft regions of an image of the layout."""
    marks = points(head)
    named = head.notes["pieces"]
    face = np.isin(t.piece, [named.index(name) for name in ("face", "neck")]).astype(float)
    front = face * (t.z > 20)
    x = np.abs(t.x)
    distance, place = brow_distance(t, marks)
    brow = front * (1 - smoothstep(distance - (3.2 - 1.6 * place), -1.2, 1.4)) * (t.y > 5)
    lips = face * smoothstep(t.lips, 0.35, 0.65)
    above = t.v > _mouth_line(head, t.u)
    wide = np.interp(-t.y, *np.transpose(_NOSE))
    tall = smoothstep(-t.y, -5, -2) * (1 - smoothstep(-t.y, 50.5, 52.5))
    nose = front * (1 - smoothstep(x - wide, -1.0, 1.0)) * tall * (t.z > 70)
    ear = face * smoothstep(t.ears, 0.35, 0.65)
    azimuth = t.azimuth
    hairline = np.interp(np.abs(azimuth), *np.transpose(_HAIRLINE))
    strands = 1.4 * np.sin(0.65 * azimuth + 0.4) + 1.0 * np.sin(1.45 * azimuth + 1.0)
    hair = face * smoothstep(t.y - hairline - strands, -3.0, 3.0) * (1 - ear)
    cloth = face * smoothstep(COLLAR - t.y, -0.5, 0.5)
    neck = face * smoothstep(_jaw_height(marks, t) - t.y, -1.5, 1.5) * (1 - cloth) * (1 - hair) * (1 - ear)
    inside = (t.piece == named.index("bag")) | np.isin(t.part, (TONGUE, TEETH_UPPER, TEETH_LOWER))
    return Regions(marks, face, inside.astype(float), brow, lips * above, lips * ~above, nose, ear, neck, hair, cloth)


def _mouth_line(head: Stored, u: np.ndarray) -> np.ndarray:
    """Return the v that divides upper from lower lip at u: the middle of the mouth's slit in the layout."""
    named = head.notes["pieces"]
    of_face, of_bag = (head.piece == named.index(name) for name in ("face", "bag"))
    seam = np.intersect1d(head.quads[of_face], head.quads[of_bag])
    on_seam = np.isin(head.quads, seam) & of_face[:, None]
    slit = head.uv[np.unique(head.quad_uv[on_seam])]
    first, last = slit[np.argmin(slit[:, 0])], slit[np.argmax(slit[:, 0])]
    straight = np.interp(slit[:, 0], [first[0], last[0]], [first[1], last[1]])
    edges = []
    for side in (slit[:, 1] >= straight, slit[:, 1] <= straight):
        edge = slit[side][np.argsort(slit[side, 0])]
        edges.append(np.interp(u, edge[:, 0], edge[:, 1]))
    return np.asarray(0.5 * (edges[0] + edges[1]))


def _jaw_height(marks: np.ndarray, t: Texels) -> np.ndarray:
    """Return the height (mm) below which skin is neck: a function of z, from the chin along the jaw to the ear's lobe,
    then rising slowly behind it."""
    jaw = marks[:9]
    rising = jaw[np.argsort(jaw[:, 2])]
    rising = rising[rising[:, 1] < -50]  # the points beside the ear lie over one another
    z = np.concatenate([[-60.0, -15.0, 8.0], rising[:, 2]])
    y = np.concatenate([[-30.0, -44.0, -50.0], np.minimum.accumulate(rising[:, 1])])
    return np.asarray(np.interp(t.z, z, y) - JAW_EDGE)


def label_map(t: Texels, r: Regions) -> np.ndarray:
    """Return the classes (size,size) uint8; 0 outside the layout."""
    labels = np.full(t.part.shape, SKIN_CLASS, np.uint8)
    left = t.x > 0
    for weight, value in (
        (r.neck, NECK),
        (r.nose, NOSE),
        (r.upper_lip, U_LIP),
        (r.lower_lip, L_LIP),
        (r.hair, HAIR),
        (r.brow, np.where(left, L_BROW, R_BROW)),
        (r.ear, np.where(left, L_EAR, R_EAR)),
        (r.cloth, CLOTH),
        (t.part == EYE_LEFT, L_EYE),
        (t.part == EYE_RIGHT, R_EYE),
        (r.inside, MOUTH),
    ):
        labels = np.where(weight > 0.5, value, labels).astype(np.uint8)
    return np.where(t.covered, labels, BACKGROUND).astype(np.uint8)


def masks(t: Texels, r: Regions) -> tuple[np.ndarray, np.ndarray]:
    """Return the face mask without and with the eyeballs, (size,size) float32 in [0,1], soft at the border.

    The face is what a parser calls face: the skin from jaw line to hairline and from ear to ear. The slits of lids and
    lips inside it count as inside, or the blur would thin the mask along them.
    """
    size = t.part.shape[0]
    outside = (r.hair > 0.5) | (r.ear > 0.5) | (r.neck > 0.5) | (r.cloth > 0.5) | (np.abs(t.azimuth) > 88)
    inside = (r.face > 0) & t.covered & ~outside
    whole = ndimage.binary_fill_holes(inside)
    soft = cv2.GaussianBlur(whole.astype(np.float32), (0, 0), size / 128)
    face = (soft * (1 - r.hair) * (r.face > 0) * t.covered).astype(np.float32)
    eyes = (np.isin(t.part, (EYE_LEFT, EYE_RIGHT)) & t.covered).astype(np.float32)
    return face, np.maximum(face, eyes)
