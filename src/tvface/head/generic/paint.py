"""Albedo of the generic head: a mean and a basis for unit normal coefficients, RGB in UV."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.head.generic.atlas import Texels, texels
from tvface.head.generic.parts import BAG_LOWER, BAG_UPPER, EYE_LEFT, EYE_RIGHT, SKIN, TEETH_LOWER, TEETH_UPPER
from tvface.head.generic.regions import Regions, regions
from tvface.head.generic.sculpt import gauss, smoothstep

SKIN_TONE = np.array([0.72, 0.53, 0.43])
LIP_TONE = np.array([0.61, 0.37, 0.34])
HAIR_TONE = np.array([0.20, 0.14, 0.10])
BAG_TONE = np.array([0.28, 0.10, 0.12])
TEETH_TONE = np.array([0.84, 0.80, 0.72])
CLOTH_TONE = np.array([0.30, 0.33, 0.38])
SCLERA_TONE = np.array([0.84, 0.80, 0.77])
IRIS_TONE = np.array([0.33, 0.24, 0.17])
IRIS_RADIUS, PUPIL_RADIUS = 0.190, 0.080  # of the island's radius: 5.8 and 2.5 mm on the ball


def _mix(image: np.ndarray, weight: np.ndarray, colour: np.ndarray) -> np.ndarray:
    return image + weight[..., None] * (colour - image)


def _eye(t: Texels) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return where the eyeballs lie, their iris, pupil and limbus, all (size, size)."""
    eye = np.isin(t.part, (EYE_LEFT, EYE_RIGHT)).astype(float)
    radius = np.hypot(t.a - 0.5, t.b - 0.5) * 2
    iris = eye * (1 - smoothstep(radius, IRIS_RADIUS - 0.015, IRIS_RADIUS + 0.015))
    pupil = eye * (1 - smoothstep(radius, PUPIL_RADIUS - 0.015, PUPIL_RADIUS + 0.015))
    limbus = eye * np.exp(-(((radius - IRIS_RADIUS) / 0.03) ** 2))
    return eye, iris, pupil, limbus


def albedo_mean(size: int) -> np.ndarray:
    """Return the mean albedo (size, size, 3) float32, RGB in [0,1]."""
    t = texels(size)
    r = regions(t)
    x, y = np.abs(t.x), t.y
    front = ((t.part == SKIN) & (t.z > 20)).astype(float)
    image = np.broadcast_to(SKIN_TONE, (*x.shape, 3)).copy()
    red = front * (0.6 * gauss(x, y, 42, -28, 18, 16) + 0.5 * gauss(x, y, 0, -37, 10, 7))
    image *= 1 - red[..., None] * np.array([0.0, 0.14, 0.14])
    shade = (
        0.14 * gauss(x, y, 31, 6, 15, 8)
        + 0.10 * gauss(x, y, 29, -10, 12, 4)
        + 0.10 * gauss(x, y, 24, -50, 5, 11)
        + 0.16 * gauss(x, y, 17.5, -41, 2.5, 6)
        + 0.75 * gauss(x, y, 6.4, -45.4, 3.4, 1.7)
        + 0.08 * gauss(x, y, 0, -79, 15, 4)
    )
    image *= 1 - (front * np.clip(shade, 0, 0.85))[..., None]
    below_chin = r.neck * (1 - smoothstep(np.abs(t.theta), 1.2, 1.9))
    image *= 1 - (below_chin * 0.12)[..., None]
    image = _mix(image, 0.75 * np.clip(r.upper_lip + r.lower_lip, 0, 1), LIP_TONE)
    image *= 1 - (0.10 * r.upper_lip)[..., None]
    line = front * np.exp(-(((t.height + 65) / 1.1) ** 2)) * (1 - smoothstep(x, 24, 27))
    image *= 1 - 0.45 * line[..., None]
    lash = front * np.exp(-(((t.height - 0.3) / 1.3) ** 2)) * smoothstep(x, 16.5, 18.5) * (1 - smoothstep(x, 44.5, 47))
    image *= 1 - 0.6 * lash[..., None]
    image = _mix(image, 0.80 * r.brow, HAIR_TONE)
    strands = np.random.default_rng(7).standard_normal(x.shape)
    strands = cv2.GaussianBlur(strands, (0, 0), sigmaX=size / 500, sigmaY=size / 40)  # hair runs down from the crown
    image = _mix(image, r.hair, HAIR_TONE)
    image *= 1 + 0.16 * (r.hair * strands / strands.std())[..., None]
    image = _mix(image, r.cloth, CLOTH_TONE)
    eye, iris, pupil, limbus = _eye(t)
    image = _mix(image, eye, SCLERA_TONE)
    image = _mix(image, iris, IRIS_TONE)
    image *= 1 - 0.45 * limbus[..., None]
    image = _mix(image, pupil, np.array([0.03, 0.03, 0.03]))
    shadow = eye * smoothstep(t.b, 0.54, 0.80)  # of the upper lid
    image *= 1 - 0.25 * shadow[..., None]
    image[np.isin(t.part, (BAG_UPPER, BAG_LOWER))] = BAG_TONE
    image[np.isin(t.part, (TEETH_UPPER, TEETH_LOWER))] = TEETH_TONE
    return np.clip(image, 0, 1).astype(np.float32)


def albedo_basis(columns: int, size: int) -> tuple[np.ndarray, list[str]]:
    """Return the basis (columns, size, size, 3) float16 and the names of its columns."""
    t = texels(size)
    r = regions(t)
    named: list[tuple[str, np.ndarray]] = [
        (name, weight[..., None] * np.asarray(colour, float)) for name, weight, colour in _tones(t, r)
    ]
    bare = _bare(t, r)
    for k, (name, wave) in enumerate(_waves(t)):
        tint = ((1.0, 0.92, 0.85), (0.35, -0.15, -0.18), (1.0, 0.95, 0.90))[k % 3]
        strength = 0.014 / (1 + 0.1 * k)
        named.append((name, strength * (wave * bare)[..., None] * np.array(tint)))
    if len(named) < columns:
        raise ValueError(f"the generic head has {len(named)} albedo columns, {columns} were asked for")
    basis = np.stack([image for _, image in named[:columns]])
    return basis.astype(np.float16), [name for name, _ in named[:columns]]


def _bare(t: Texels, r: Regions) -> np.ndarray:
    """Return where skin shows, (size, size) in [0,1]."""
    covered = np.clip(r.hair + r.cloth + 0.8 * r.brow, 0, 1)
    return (t.part == SKIN) * (1 - covered)


def _tones(t: Texels, r: Regions) -> list[tuple[str, np.ndarray, tuple[float, float, float]]]:
    x, y = np.abs(t.x), t.y
    front = ((t.part == SKIN) & (t.z > 20)).astype(float)
    bare = _bare(t, r)
    lips = np.clip(r.upper_lip + r.lower_lip, 0, 1)
    _, iris, pupil, _ = _eye(t)
    iris = iris * (1 - pupil)
    eye = np.isin(t.part, (EYE_LEFT, EYE_RIGHT)) * (1 - np.clip(iris + pupil, 0, 1))
    beard = front * smoothstep(-y, 50, 62) * (1 - lips) * (1 - smoothstep(x, 52, 66)) * (t.height > -112)
    beard = beard * (1 - gauss(x, y, 36, -50, 13, 13))
    speckle = cv2.GaussianBlur(np.random.default_rng(11).standard_normal(x.shape), (0, 0), x.shape[0] / 256)
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
        ("sclera", eye, (0.025, 0.030, 0.035)),
        ("beard", beard, (-0.050, -0.044, -0.036)),
        ("eye_rings", front * gauss(x, y, 29, -11, 14, 5), (-0.045, -0.050, -0.040)),
        ("eye_shadow", front * gauss(x, y, 31, 8, 16, 6), (-0.040, -0.045, -0.040)),
        ("nose_red", front * gauss(x, y, 0, -36, 15, 12), (0.006, -0.020, -0.020)),
        ("forehead", front * gauss(x, y, 0, 42, 50, 20), (0.030, 0.028, 0.026)),
        ("freckles", speckle, (-0.020, -0.024, -0.024)),
        ("neck", r.neck, (-0.030, -0.032, -0.030)),
        ("cloth_light", r.cloth, (0.130, 0.130, 0.130)),
        ("cloth_blue", r.cloth, (-0.070, 0.000, 0.090)),
    ]


def _waves(t: Texels) -> list[tuple[str, np.ndarray]]:
    tall = (115 - t.height) / 287
    turn = t.theta / np.pi
    patches = []
    for i in range(7):
        for j in range(9):
            if i + j == 0:
                continue
            wave = (np.cos if i % 3 else np.sin)(np.pi * i * turn + 0.5 * (i % 3 == 0)) * np.cos(np.pi * j * tall)
            patches.append((i * i + j * j, f"patch_{i}_{j}", wave))
    return [(name, wave) for _, name, wave in sorted(patches, key=lambda patch: patch[:2])]
