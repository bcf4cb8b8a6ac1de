"""A camera's sensor and its development: white balance, vignetting, noise that grows with the light, tone curves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numba
import numpy as np

TILE = 512  # side of the noise, a power of two
STEPS = 2048  # of a tone curve, even in the root of the light
LIMIT = 2.5  # light at the end of a tone curve


@lru_cache(maxsize=2)
def _noise_tiles() -> np.ndarray:
    """Return noise of unit deviation that wraps around: white, correlated by demosaicing, and coarse; (3, TILE, TILE).

    One field serves all pictures, from random places: fresh normal numbers would cost more than all the rest.
    """
    rng = np.random.default_rng(0x90153)
    tiles: list[np.ndarray] = []
    for sigma in (0.0, 0.55, 1.6):
        tile: np.ndarray = rng.standard_normal((TILE, TILE), dtype=np.float32)
        if sigma:
            wide = cv2.GaussianBlur(np.pad(tile, 16, mode="wrap"), (0, 0), sigma)
            tile = wide[16:-16, 16:-16]
        tiles.append(tile / tile.std())
    result = np.stack(tiles).astype(np.float32)
    result.setflags(write=False)
    return result


@dataclass(frozen=True)
class Development:
    """The settings of a camera for one shot.

    gains: (3,) of linear RGB; vignette: darkening at the corners, 0..1; shot, read: variance per light and deviation
    of the noise, linear; grain: deviation of coarse coloured noise, display; fine: index of the sensor's noise tile;
    curves: (3, STEPS) float32 display values over the root of the light; saturation: 1 keeps the colours.
    """

    gains: np.ndarray
    vignette: float
    shot: float
    read: float
    grain: float
    fine: int
    curves: np.ndarray
    saturation: float


@numba.njit(cache=True, nogil=True, fastmath=True)
def _develop(
    linear: np.ndarray,
    gains: np.ndarray,
    vignette: float,
    noise: np.ndarray,
    coarse: np.ndarray,
    places: np.ndarray,
    levels: np.ndarray,
    curves: np.ndarray,
    saturation: float,
    out: np.ndarray,
) -> None:
    height, width = linear.shape[0], linear.shape[1]
    last = curves.shape[1] - 1
    mask = noise.shape[0] - 1
    shot, read, grain = levels[0], levels[1], levels[2]
    shown = np.empty(3, np.float32)
    corner, kept = np.float32(vignette), np.float32(saturation)
    scale = np.float32(last * last / 2.5)
    for y in range(height):
        v = np.float32((2.0 * y + 1.0) / height - 1.0)
        for x in range(width):
            u = np.float32((2.0 * x + 1.0) / width - 1.0)
            falloff = np.float32(1.0) - corner * (u * u + v * v)
            for k in range(3):
                light = linear[y, x, k] * gains[k] * falloff
                light += noise[(y + places[k, 0]) & mask, (x + places[k, 1]) & mask] * np.sqrt(shot * light + read)
                place = np.sqrt(max(light * scale, np.float32(0.0)))
                shown[k] = curves[k, min(int(place + np.float32(0.5)), last)]
                if grain > 0.0:
                    shown[k] += grain * coarse[(y + places[k, 1]) & mask, (x + places[k, 0]) & mask]
            luma = np.float32(0.299) * shown[0] + np.float32(0.587) * shown[1] + np.float32(0.114) * shown[2]
            for k in range(3):
                out[y, x, k] = luma + kept * (shown[k] - luma)


def develop(linear: np.ndarray, settings: Development, grain: np.random.Generator) -> np.ndarray:
    """Return the display values (H, W, 3) float32, about 0..1, of linear light (H, W, 3) float32.

    ``grain`` draws the noise of this frame alone.
    """
    tiles = _noise_tiles()
    places = grain.integers(0, TILE, (3, 2), np.int32)
    out = np.empty(linear.shape, np.float32)
    levels = np.array([settings.shot, settings.read**2, settings.grain], np.float32)
    gains = np.asarray(settings.gains, np.float32)
    _develop(
        linear,
        gains,
        float(0.5 * settings.vignette),
        tiles[settings.fine],
        tiles[2],
        places,
        levels,
        settings.curves,
        float(settings.saturation),
        out,
    )
    return out


def tone_curves(rng: np.random.Generator) -> np.ndarray:
    """Draw the tone curves of a camera and its grading: (3, STEPS) float32 of display values.

    Of linear light 0..LIMIT. Most are near the standard curve; some are film-like with a shoulder, crush the blacks,
    lift them, or colour shadows and lights apart.
    """
    light = LIMIT * np.linspace(0, 1, STEPS) ** 2
    if rng.random() < 0.35:  # a shoulder: lights roll off instead of clipping
        knee = rng.uniform(0.45, 0.85)
        over = np.maximum(light - knee, 0)
        room = 1.04 - knee
        light = np.minimum(light, knee) + room * over / (over + room)
    value = np.clip(light, 0, 1) ** (1 / 2.2)
    slope = rng.normal(0.04, 0.3)
    curve = value + slope * value * (1 - value) * (value - 0.45) * 2.2  # S-shaped, or flat
    if rng.random() < 0.5:
        curve = np.clip(curve, 0, 1) ** float(np.exp(rng.normal(0, 0.16)))
    kind = rng.random()
    if kind < 0.15:  # crushed blacks
        foot = rng.uniform(0.02, 0.12)
        curve = np.maximum(curve - foot, 0) / (1 - foot)
    elif kind < 0.23:  # lifted blacks: haze, old tape, matte grading
        foot = rng.uniform(0.02, 0.1)
        curve = foot + (rng.uniform(0.88, 1.0) - foot) * curve
    curves = np.repeat(curve[None], 3, axis=0)
    if rng.random() < 0.25:  # shadows one way, lights the other
        tint = rng.normal(0, 0.035, 3)
        curves = curves + tint[:, None] * np.cos(np.pi * curve) * np.sin(np.pi * np.clip(curve, 0, 1)) ** 0.5
    return np.ascontiguousarray(np.clip(curves, 0, 1), np.float32)


def draw_development(rng: np.random.Generator) -> Development:
    """Draw a camera's settings: most pictures are clean and balanced, some noisy, dark, tinted or without colour."""
    exposure = float(np.exp(np.clip(rng.normal(0, 0.25), -0.8, 0.5)))
    dark = rng.random() < 0.05
    if dark:
        exposure *= float(rng.uniform(0.08, 0.35))
    warm, green = rng.normal(0, 0.07), rng.normal(0, 0.025)
    gains = exposure * np.exp([warm, green, -warm])
    noisy = rng.random()
    shot, read, grain = 0.0, 0.0, 0.0
    if noisy < 0.75:  # ISO 100..6400
        speed = float(np.exp(rng.uniform(np.log(1.0), np.log(64.0)))) if noisy < 0.55 else 1.5
        shot, read = 2.2e-5 * speed, 4e-4 * speed**0.75
        if rng.random() < 0.4:
            grain = 0.002 * speed**0.5
    colour = rng.random()
    saturation = 1.1 + rng.normal(0, 0.15)
    if colour < 0.06:
        saturation = 0.0 if rng.random() < 0.7 else float(rng.uniform(0.0, 0.3))
    elif colour < 0.2:
        saturation = float(rng.uniform(0.4, 0.85))
    vignette = float(rng.uniform(0.05, 0.5)) if rng.random() < 0.3 else 0.0
    fine = int(rng.random() < 0.8)
    return Development(gains, vignette, shot, read, grain, fine, tone_curves(rng), float(np.clip(saturation, 0, 1.5)))
