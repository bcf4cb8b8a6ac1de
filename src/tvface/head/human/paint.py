"""Albedo of the human head: a mean and a basis for unit normal coefficients, RGB in the texture layout."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.head.human import teeth
from tvface.head.human.cut import EYE_LEFT, EYE_RIGHT, TEETH_LOWER, TEETH_UPPER, TONGUE
from tvface.head.human.regions import Regions, smoothstep
from tvface.head.human.stored import Stored
from tvface.head.human.texels import Texels
from tvface.head.human.uv import PARTS

SKIN_TONE = np.array([0.72, 0.53, 0.43])
LIP_TONE = np.array([0.61, 0.37, 0.34])
HAIR_TONE = np.array([0.20, 0.14, 0.10])
MOUTH_TONE = np.array([0.34, 0.13, 0.13])
TONGUE_TONE = np.array([0.58, 0.28, 0.27])
TEETH_TONE = np.array([0.84, 0.80, 0.71])
GUM_TONE = np.array([0.62, 0.33, 0.32])
CLOTH_TONE = np.array([0.30, 0.33, 0.38])
SCLERA_TONE = np.array([0.84, 0.80, 0.77])
IRIS_TONE = np.array([0.33, 0.24, 0.17])
IRIS_RADIUS, PUPIL_RADIUS = 5.9, 2.2  # mm
# Breadths in mm of half an adult arch: incisors, canine, premolars, molars; scaled to the arch's length.
_UPPER_TEETH = (8.5, 6.5, 7.6, 7.0, 6.8, 10.0, 9.5)
_LOWER_TEETH = (5.4, 5.9, 6.8, 7.0, 7.1, 11.0, 10.5)
_SEED = 7


def gauss(x: np.ndarray, y: np.ndarray, cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
    """Return exp(-((x-cx)/sx)^2 - ((y-cy)/sy)^2)."""
    return np.asarray(np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2))


def _mix(image: np.ndarray, weight: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return np.asarray(image + weight[..., None] * (colour - image))


def _eye(head: Stored, t: Texels) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return where the eyeballs lie, their iris, pupil and limbus, all (size,size)."""
    eye, radius = np.zeros(t.x.shape), np.full(t.x.shape, np.inf)
    for kind in (EYE_LEFT, EYE_RIGHT):
        ball = head.template[head.part == kind]
        centre = 0.5 * (ball.min(0) + ball.max(0))
        here = t.part == kind
        eye[here] = 1
        ahead = here & (t.z > centre[2])
        radius[ahead] = np.hypot(t.x - centre[0], t.y - centre[1])[ahead]
    iris = eye * (1 - smoothstep(radius, IRIS_RADIUS - 0.4, IRIS_RADIUS + 0.4))
    pupil = eye * (1 - smoothstep(radius, PUPIL_RADIUS - 0.4, PUPIL_RADIUS + 0.4))
    limbus = eye * np.exp(-(((radius - IRIS_RADIUS) / 0.8) ** 2))
    return eye, iris, pupil, limbus


def _teeth(image: np.ndarray, t: Texels) -> np.ndarray:
    """Paint gums and teeth with the lines between them."""
    for kind, breadths in ((TEETH_UPPER, _UPPER_TEETH), (TEETH_LOWER, _LOWER_TEETH)):
        here = t.part == kind
        left, right, bottom, top = PARTS[kind]
        along, rise = (t.u - left) / (right - left), (t.v - bottom) / (top - bottom)
        if kind == TEETH_LOWER:
            rise = 1 - rise
        place = np.abs(teeth.place(along))
        ends = np.concatenate([[0.0], np.cumsum(breadths)])
        ends = ends / ends[-1]
        tooth = np.clip(np.searchsorted(ends, place, "right") - 1, 0, len(breadths) - 1)
        within = np.clip((place - ends[tooth]) / (ends[tooth + 1] - ends[tooth]), 0, 1)
        arch = np.sqrt(np.maximum(1 - (2 * within - 1) ** 2, 0))
        gum = smoothstep(rise - 0.56 - 0.14 * arch, -0.02, 0.03)
        gap = np.exp(-((np.minimum(within, 1 - within) / 0.045) ** 2))
        tone = TEETH_TONE * (1 - 0.04 * (tooth >= 2))[..., None] * (1 - 0.32 * gap)[..., None]
        tone = tone * (1 - 0.12 * smoothstep(rise, 0.45, 0.62))[..., None]
        image = np.where(here[..., None], _mix(tone, gum, GUM_TONE), image)
    return image


def albedo_mean(head: Stored, t: Texels, r: Regions) -> np.ndarray:
    """Return the mean albedo (size,size,3) float32, RGB in [0,1]."""
    size = t.x.shape[0]
    x, y = np.abs(t.x), t.y
    front = r.face * (t.z > 20)
    image = np.broadcast_to(SKIN_TONE, (*x.shape, 3)).copy()
    red = front * (0.6 * gauss(x, y, 42, -28, 18, 16) + 0.5 * gauss(x, y, 0, -40, 12, 8)) + 0.4 * r.ear
    image *= 1 - red[..., None] * np.array([0.0, 0.14, 0.14])
    nostril = smoothstep(101 - t.z, 0, 4) * gauss(x, y, 6.5, -45.5, 3.2, 2.2) * smoothstep(-y, 43, 45)
    shade = (
        0.12 * gauss(x, y, 31, 7, 15, 7)
        + 0.10 * gauss(x, y, 29, -12, 12, 4)
        + 0.08 * gauss(x, y, 24, -52, 5, 11)
        + 0.55 * nostril
        + 0.06 * gauss(x, y, 0, -88, 15, 4)
    )
    image *= 1 - (front * np.clip(shade, 0, 0.85))[..., None]
    image *= 1 - (0.06 * r.neck * smoothstep(t.z, 0, 40) * (1 - smoothstep(-y, 115, 140)))[..., None]
    image = _mix(image, 0.8 * np.clip(r.upper_lip + r.lower_lip, 0, 1), LIP_TONE)
    image *= 1 - (0.10 * r.upper_lip)[..., None]
    image = _mix(image, 0.80 * r.brow, HAIR_TONE)
    strands = np.random.default_rng(_SEED).standard_normal(x.shape)
    strands = cv2.GaussianBlur(strands, (0, 0), sigmaX=size / 500, sigmaY=size / 40)  # hair runs down from the crown
    image = _mix(image, r.hair, HAIR_TONE)
    image *= 1 + 0.16 * (r.hair * strands / strands.std())[..., None]
    image = _mix(image, r.cloth, CLOTH_TONE)
    eye, iris, pupil, limbus = _eye(head, t)
    image = _mix(image, eye, SCLERA_TONE)
    image = _mix(image, iris, IRIS_TONE)
    image *= 1 - 0.45 * limbus[..., None]
    image = _mix(image, pupil, np.array([0.03, 0.03, 0.03]))
    image[r.inside > 0] = MOUTH_TONE
    image[t.part == TONGUE] = TONGUE_TONE
    return np.clip(_teeth(image, t), 0, 1).astype(np.float32)


def albedo_basis(head: Stored, t: Texels, r: Regions, columns: int) -> tuple[np.ndarray, list[str]]:
    """Return the basis (columns,size,size,3) float16 and the names of its columns.

    Raises:
        ValueError: the head has fewer columns.
    """
    named = [(name, weight[..., None] * np.asarray(colour, float)) for name, weight, colour in _tones(head, t, r)]
    bare = _bare(r)
    for k, (name, wave) in enumerate(_waves(t)):
        tint = ((1.0, 0.92, 0.85), (0.35, -0.15, -0.18), (1.0, 0.95, 0.90))[k % 3]
        named.append((name, 0.014 / (1 + 0.1 * k) * (wave * bare)[..., None] * np.array(tint)))
    if len(named) < columns:
        raise ValueError(f"head.n_texture = {columns}: the human head has {len(named)} albedo columns; lower it")
    return np.stack([image for _, image in named[:columns]]).astype(np.float16), [name for name, _ in named[:columns]]


def _bare(r: Regions) -> np.ndarray:
    """Return where skin shows, (size,size) in [0,1]."""
    return np.asarray(r.face * (1 - np.clip(r.hair + r.cloth + 0.8 * r.brow, 0, 1)))


def _tones(head: Stored, t: Texels, r: Regions) -> list[tuple[str, np.ndarray, tuple[float, float, float]]]:
    x, y = np.abs(t.x), t.y
    front = r.face * (t.z > 20)
    bare = _bare(r)
    lips = np.clip(r.upper_lip + r.lower_lip, 0, 1)
    eye, iris, pupil, _ = _eye(head, t)
    iris = iris * (1 - pupil)
    white = eye * (1 - np.clip(iris + pupil, 0, 1))
    beard = front * smoothstep(-y, 54, 66) * (1 - lips) * (1 - smoothstep(x, 54, 68)) * (1 - r.neck)
    beard = beard * (1 - gauss(x, y, 36, -54, 13, 13))
    size = x.shape[0]
    speckle = cv2.GaussianBlur(np.random.default_rng(_SEED + 4).standard_normal(x.shape), (0, 0), size / 256)
    speckle = front * np.clip(speckle / speckle.std() - 1.0, 0, 2) * gauss(x, y, 22, -22, 34, 22)
    return [
        ("melanin", bare, (-0.090, -0.095, -0.088)),
        ("blood", bare, (0.012, -0.015, -0.020)),
        ("yellow", bare, (0.006, 0.005, -0.014)),
        ("lips_red", lips, (0.020, -0.018, -0.014)),
        ("lips_light", lips, (0.035, 0.030, 0.028)),
        ("brow_dark", r.brow, (-0.060, -0.055, -0.050)),
        ("brow_faint", r.brow, (0.070, 0.055, 0.045)),
        ("cheeks_red", front * gauss(x, y, 42, -28, 19, 17), (0.008, -0.025, -0.022)),
        ("hair_light", r.hair + 0.5 * r.brow, (0.120, 0.084, 0.060)),
        ("hair_red", r.hair + 0.5 * r.brow, (0.035, 0.004, -0.008)),
        ("hair_grey", r.hair, (0.060, 0.060, 0.060)),
        ("iris_light", iris, (0.080, 0.075, 0.060)),
        ("iris_blue", iris, (-0.045, 0.015, 0.080)),
        ("sclera", white, (0.025, 0.030, 0.035)),
        ("beard", beard, (-0.050, -0.044, -0.036)),
        ("eye_rings", front * gauss(x, y, 29, -13, 14, 5), (-0.045, -0.050, -0.040)),
        ("eye_shadow", front * gauss(x, y, 31, 8, 16, 6), (-0.040, -0.045, -0.040)),
        ("nose_red", front * gauss(x, y, 0, -38, 15, 12), (0.006, -0.020, -0.020)),
        ("forehead", front * gauss(x, y, 0, 42, 50, 20), (0.030, 0.028, 0.026)),
        ("freckles", speckle, (-0.020, -0.024, -0.024)),
        ("neck", r.neck, (-0.030, -0.032, -0.030)),
        ("cloth_light", r.cloth, (0.130, 0.130, 0.130)),
        ("cloth_blue", r.cloth, (-0.070, 0.000, 0.090)),
    ]


def _waves(t: Texels) -> list[tuple[str, np.ndarray]]:
    """Return smooth patches over the skin, the coarsest first."""
    tall, turn = (115 - t.y) / 297, t.azimuth / 180
    patches = []
    for i in range(7):
        for j in range(9):
            if i + j:
                wave = np.sin(np.pi * i * turn + np.pi / 2 * (i % 3 != 0 or i == 0)) * np.cos(np.pi * j * tall)
                patches.append((i * i + j * j, f"patch_{i}_{j}", wave))
    return [(name, wave) for _, name, wave in sorted(patches, key=lambda patch: patch[:2])]
