"""Regions of the generic head in UV: class labels (zllrunning order) and the soft masks of the face.

``l_`` in the class names is the subject's left (picture right, x > 0), as in CelebAMask-HQ's label maps.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tvface.head.generic.atlas import Texels
from tvface.head.generic.landmarks import _BROW, _LOWER_LIP, _UPPER_LIP
from tvface.head.generic.parts import (
    BAG_LOWER,
    BAG_UPPER,
    EYE_LEFT,
    EYE_RIGHT,
    SKIN,
    TEETH_LOWER,
    TEETH_UPPER,
)
from tvface.head.generic.sculpt import smoothstep

BACKGROUND, SKIN_CLASS, L_BROW, R_BROW, L_EYE, R_EYE = 0, 1, 2, 3, 4, 5
L_EAR, R_EAR, NOSE, MOUTH, U_LIP, L_LIP, NECK, CLOTH, HAIR = 7, 8, 10, 11, 12, 13, 14, 16, 17
CLOTH_HEIGHT = -150.0  # mm, the collar begins below this row
_HAIRLINE = np.array(
    [
        [0, 62],
        [25, 60],
        [42, 52],
        [55, 32],
        [66, 12],
        [76, -8],
        [84, 0],
        [90, 30],
        [104, 26],
        [114, -20],
        [140, -62],
        [180, -70],
    ]
)


@dataclass(frozen=True)
class Regions:
    """Soft (0..1) images in UV, (size, size): the source of labels, masks and albedo."""

    brow: np.ndarray
    upper_lip: np.ndarray
    lower_lip: np.ndarray
    nose: np.ndarray
    ear: np.ndarray
    neck: np.ndarray
    hair: np.ndarray
    cloth: np.ndarray


def hairline(theta: np.ndarray) -> np.ndarray:
    """Return the row height (mm) of the hair's border at azimuth theta (rad)."""
    strands = 1.6 * np.sin(37 * theta + 0.4) + 1.2 * np.sin(83 * theta + 1.0)
    return np.interp(np.degrees(np.abs(theta)), _HAIRLINE[:, 0], _HAIRLINE[:, 1]) + strands


def brow_distance(t: Texels) -> tuple[np.ndarray, np.ndarray]:
    """Return every texel's frontal distance (mm) to the line of its brow, and the place along it (0 inner, 1 outer)."""
    line = np.array(_BROW[::-1], float) * (-1, 1)
    x, y = np.abs(t.x), t.y
    best, place = np.full(x.shape, np.inf), np.zeros(x.shape)
    for k in range(len(line) - 1):
        a, b = line[k], line[k + 1]
        share = np.clip(((x - a[0]) * (b[0] - a[0]) + (y - a[1]) * (b[1] - a[1])) / ((b - a) ** 2).sum(), 0, 1)
        d = np.hypot(x - a[0] - share * (b[0] - a[0]), y - a[1] - share * (b[1] - a[1]))
        place = np.where(d < best, (k + share) / (len(line) - 1), place)
        best = np.minimum(best, d)
    return np.where((t.part == SKIN) & (t.z > 20), best, np.inf), place


def regions(t: Texels) -> Regions:
    """Return the soft regions of an image in UV."""
    skin = t.part == SKIN
    front = skin & (t.z > 20)
    x = np.abs(t.x)
    distance, place = brow_distance(t)
    half = 3.4 - 1.7 * place
    brow = 1 - smoothstep(distance - half, -1.2, 1.4)
    upper_edge = np.interp(x, [0, 6, 16, 25.5], [_UPPER_LIP[2][1], _UPPER_LIP[1][1], _UPPER_LIP[0][1], -66.2])
    lower_edge = np.interp(x, [0, 8, 16, 25.5], [_LOWER_LIP[0][1], _LOWER_LIP[1][1], _LOWER_LIP[2][1], -66.2])
    across = 1 - smoothstep(x, 24.0, 26.8)
    upper_lip = front * t.above * across * (1 - smoothstep(t.y - upper_edge, -0.9, 1.1))
    lower_lip = front * ~t.above * across * smoothstep(t.y - lower_edge, -1.1, 0.9)
    wide = np.interp(-t.y, [-6, 8, 26, 36, 43, 47, 49.5], [6.5, 8.5, 12, 17.5, 17.5, 12, 6])
    nose = front * (1 - smoothstep(x - wide, -1.0, 1.0)) * smoothstep(-t.y, -7, -4) * (1 - smoothstep(-t.y, 48, 50))
    along = 72 * (np.abs(t.theta) - np.radians(97))
    up = t.y + 8 - 0.12 * along
    ear = skin * (1 - smoothstep(np.hypot(along / 12.5, up / 29.5), 0.98, 1.1))
    hair = skin * smoothstep(t.height - hairline(t.theta), -3.0, 3.0) * (1 - ear)
    cloth = skin * smoothstep(CLOTH_HEIGHT - t.height, -0.5, 0.5)
    neck = skin * smoothstep(-t.height, 107, 110) * (1 - cloth) * (1 - hair)
    return Regions(brow, upper_lip, lower_lip, nose, ear, neck, hair, cloth)


def label_map(t: Texels) -> np.ndarray:
    """Return the classes (size, size) uint8 of an image in UV; 0 outside the layout."""
    r = regions(t)
    labels = np.where(t.part == SKIN, SKIN_CLASS, BACKGROUND).astype(np.uint8)
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
    ):
        labels = np.where(weight > 0.5, value, labels).astype(np.uint8)
    labels[t.part == EYE_LEFT] = L_EYE
    labels[t.part == EYE_RIGHT] = R_EYE
    labels[np.isin(t.part, (BAG_UPPER, BAG_LOWER, TEETH_UPPER, TEETH_LOWER))] = MOUTH
    return labels


def masks(t: Texels) -> tuple[np.ndarray, np.ndarray]:
    """Return the face mask without and with the eyeballs, (size, size) float32 in [0,1], soft at the border.

    The face is the parsers' face: the skin from jaw line to hairline and from ear to ear, without ears and neck.
    The photometric loss compares inside the parsed face. There a pixel outside the mask would cost all its brightness,
    whatever the model predicts.
    """
    size = t.part.shape[0]
    r = regions(t)
    front = np.degrees(np.abs(t.theta)) < 88
    inside = (t.part == SKIN) & front & (r.hair < 0.5) & (r.ear < 0.5) & (r.neck < 0.5) & (r.cloth < 0.5)
    sigma = size / 128
    # The blur would close the narrow wedge of hair before the ear.
    face = (cv2.GaussianBlur(inside.astype(np.float32), (0, 0), sigma) * (1 - r.hair)).astype(np.float32)
    eyes = np.isin(t.part, (EYE_LEFT, EYE_RIGHT)).astype(np.float32)
    return face, np.maximum(face, eyes)
