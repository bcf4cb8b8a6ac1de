"""Damage of single frames: what a neighbouring frame can mend.

A temporal model can only gain where neighbours know more, so damage is drawn per frame: motion blur, something that
passes in front, darkness with noise, a low resolution. It lasts one frame, a few, or the whole window.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from tvface.synthetic.foreground.occluders import occlude

Kind = Literal["blur", "occluder", "dark", "coarse"]
KINDS: tuple[Kind, ...] = get_args(Kind)
# At full strength, in parts of the picture's side: lengths of blurs, sides of coarse pictures.
_BLUR = (0.12, 0.28)
_COARSE = (0.09, 0.17)
_DARK, _NOISE = (0.06, 0.18), (0.03, 0.06)
# Parts of the 68 points that an occluder hides.
_HIDDEN = (0.3, 0.85)
_TRIES = 12

Picture = NDArray[np.uint8]


def damaged(image: Picture, points: NDArray[np.floating], kind: Kind, rng: np.random.Generator) -> Picture:
    """Return a picture (S, S, 3) with damage of a kind at full strength, as tests use it.

    Args:
        image: undamaged.
        points: (68, 2) px; an occluder hides 30 to 85 % of them.
        kind: of :data:`KINDS`.
        rng: of everything random.
    """
    if kind == "occluder":
        return _occluded(image, points, rng)
    return _spoilt(image, kind, 1.0, rng)


def spoilt(
    image: Picture, points: NDArray[np.floating], other: Picture, kind: Kind, rng: np.random.Generator
) -> Picture:
    """Return a picture with damage as training uses it: of any strength, with cheap occluders.

    Args:
        image, points, kind, rng: as for :func:`damaged`.
        other: picture of the same size, whose texture an occluder may have.
    """
    if kind == "occluder":
        return _patched(image, points, other, rng)
    return _spoilt(image, kind, float(rng.uniform(0.2, 1.0)), rng)


def plan(frames: int, rng: np.random.Generator) -> list[Kind | None]:
    """Draw which frames of a training window are damaged, and how: single ones, runs of 2 to 4, all alike, or none."""
    way = rng.choice(["single", "run", "all", "none"], p=[0.5, 0.25, 0.1, 0.15])
    kinds: list[Kind | None] = [None] * frames
    if way == "single":
        return [_kind(rng) if rng.random() < 0.5 else None for _ in range(frames)]
    if way == "all":
        return [_kind(rng)] * frames
    if way == "run":
        length = min(frames, int(rng.integers(2, 5)))
        start = int(rng.integers(frames - length + 1))
        kinds[start : start + length] = [_kind(rng)] * length
    return kinds


def recoloured(images: Sequence[Picture], rng: np.random.Generator) -> list[Picture]:
    """Return pictures of one window with one cast: gain, contrast, gamma and saturation alike."""
    gain = np.exp(rng.uniform(-0.25, 0.25) + rng.uniform(-0.12, 0.12, 3))
    gamma, contrast = np.exp(rng.uniform(-0.25, 0.25)), np.exp(rng.uniform(-0.2, 0.2))
    wash = 1.0 if rng.random() < 0.06 else 0.2 * rng.random()
    levels = np.arange(256) / 255
    middle = float(np.mean(images[len(images) // 2])) / 255
    curves = [np.clip(middle + (levels**gamma * g - middle) * contrast, 0, 1) for g in gain]
    table = np.round(255 * np.stack(curves, 1)).astype(np.uint8)[None]
    out = []
    for image in images:
        coloured = cv2.LUT(image, table)
        grey = cv2.cvtColor(cv2.cvtColor(coloured, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB)
        out.append(np.asarray(cv2.addWeighted(coloured, 1 - wash, grey, wash, 0), np.uint8))
    return out


def grained(image: Picture, level: float, quality: int | None, rng: np.random.Generator) -> Picture:
    """Return a picture with sensor noise (standard deviation ``level`` of 1), then compressed by JPEG if asked."""
    noisy = image + rng.normal(0, 255 * level, image.shape)
    result = np.clip(noisy + 0.5, 0, 255).astype(np.uint8)
    if quality is None:
        return result
    _, code = cv2.imencode(".jpg", result, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR), np.uint8)


def _kind(rng: np.random.Generator) -> Kind:
    return KINDS[int(rng.integers(len(KINDS)))]


def _spoilt(image: Picture, kind: Kind, strength: float, rng: np.random.Generator) -> Picture:
    side = image.shape[0]
    if kind == "blur":
        length = max(3, round(strength * rng.uniform(*_BLUR) * side) | 1)
        return np.asarray(cv2.filter2D(image, -1, _line(length, rng.uniform(0, 180))), np.uint8)
    if kind == "coarse":
        small = max(4, round(rng.uniform(*_COARSE) * side / max(strength, 0.2)))
        shrunk = cv2.resize(image, (min(small, side), min(small, side)), interpolation=cv2.INTER_AREA)
        return np.asarray(cv2.resize(shrunk, (side, side), interpolation=cv2.INTER_LINEAR), np.uint8)
    gain = rng.uniform(*_DARK) ** strength
    return grained(np.asarray(image * gain, np.uint8), strength * rng.uniform(*_NOISE), None, rng)


def _line(length: int, degrees: float) -> NDArray[np.float32]:
    """Return the kernel (length, length) of a straight motion."""
    kernel = np.zeros((length, length), np.float32)
    kernel[length // 2] = 1
    centre = (length - 1) / 2
    turned = cv2.warpAffine(kernel, cv2.getRotationMatrix2D((centre, centre), degrees, 1), (length, length))
    return np.asarray(turned / turned.sum(), np.float32)


def _occluded(image: Picture, points: NDArray[np.floating], rng: np.random.Generator) -> Picture:
    side = image.shape[0]
    places = np.clip(np.round(points), 0, side - 1).astype(int)
    nothing = np.zeros((side, side), np.uint8)
    for _ in range(_TRIES):
        covered, _, area = occlude(image, nothing, rng)
        if _HIDDEN[0] <= area[places[:, 1], places[:, 0]].mean() <= _HIDDEN[1]:
            return covered
    return _patched(image, points, np.full_like(image, rng.integers(30, 200, 3).astype(np.uint8)), rng)


def _patched(image: Picture, points: NDArray[np.floating], other: Picture, rng: np.random.Generator) -> Picture:
    """Lay an ellipse or a box over a part of the face: a colour, or a piece of another picture."""
    side = image.shape[0]
    low, high = points.min(0), points.max(0)
    extent = (high - low).mean()
    centre = low + rng.uniform(0, 1, 2) * (high - low)
    axes = np.maximum(extent * rng.uniform(0.25, 0.65, 2), 2)
    mask = np.zeros((side, side), np.uint8)
    turn, round_ = float(rng.uniform(0, 180)), rng.random() < 0.5
    if round_:
        cv2.ellipse(mask, (_pair(centre), _pair(2 * axes), turn), 255, -1)
    else:
        box = cv2.boxPoints((_pair(centre), _pair(2 * axes), turn))
        cv2.fillConvexPoly(mask, np.round(box).astype(np.int32), 255)
    soft = cv2.GaussianBlur(mask, (3, 3), 0)[..., None].astype(np.float32) / 255
    plain = np.full_like(image, rng.integers(0, 256, 3).astype(np.uint8))
    stuff = np.roll(other[::-1], int(rng.integers(side)), 1) if rng.random() < 0.5 else plain
    return np.asarray(image * (1 - soft) + stuff * soft + 0.5, np.uint8)


def _pair(values: NDArray[np.floating]) -> tuple[float, float]:
    return float(values[0]), float(values[1])
