"""Compiled loops of the painters: hairs as strokes, round spots, pigments and layers of paint."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(inline="always")
def _lay(canvas, x, y, amount, shine):  # type: ignore[no-untyped-def]
    """Lay a dab over four pixels of a canvas (H, W, 2) of opacity and brightness."""
    height, width = canvas.shape[0], canvas.shape[1]
    p, q = int(np.floor(x)), int(np.floor(y))
    if p < 0 or q < 0 or p >= width - 1 or q >= height - 1:
        return
    s, t = x - p, y - q
    for j in range(2):
        for i in range(2):
            share = amount * (s if i else 1 - s) * (t if j else 1 - t)
            canvas[q + j, p + i, 0] += share * (1 - canvas[q + j, p + i, 0])
            canvas[q + j, p + i, 1] += share * (shine - canvas[q + j, p + i, 1])


@numba.njit(cache=True, nogil=True)
def curves(canvas: np.ndarray, hairs: np.ndarray, width: np.ndarray, shine: np.ndarray) -> None:
    """Lay hairs that taper to their tips over a canvas.

    Args:
        canvas: (H, W, 2) float32, opacity and brightness, changed.
        hairs: (N, 3, 2) float32 pixels, x right and y down: root, control point and tip of a quadratic curve.
        width: (N,) float32 pixels at the root; shine: (N,) float32 brightness.
    """
    for n in range(hairs.shape[0]):
        length = np.hypot(hairs[n, 2, 0] - hairs[n, 0, 0], hairs[n, 2, 1] - hairs[n, 0, 1])
        steps = max(int(length * 1.6), 2)
        for k in range(steps):
            t = (k + 0.5) / steps
            a, b, c = (1 - t) * (1 - t), 2 * t * (1 - t), t * t
            x = a * hairs[n, 0, 0] + b * hairs[n, 1, 0] + c * hairs[n, 2, 0]
            y = a * hairs[n, 0, 1] + b * hairs[n, 1, 1] + c * hairs[n, 2, 1]
            _lay(canvas, x, y, min(width[n] * (1 - 0.7 * t) * length / steps, 0.9), shine[n])


@numba.njit(cache=True, nogil=True)
def grow(
    canvas: np.ndarray,
    roots: np.ndarray,
    field: np.ndarray,
    turn: np.ndarray,
    length: np.ndarray,
    width: np.ndarray,
    shine: np.ndarray,
) -> None:
    """Let hairs grow over a texture along a field of directions.

    Args:
        canvas: (H, W, 2) float32, opacity and brightness, changed.
        roots: (N, 2) float32 texels, x and y; field: (H, W, 2) float32, texels per millimetre along the growth, 0 where
            nothing grows.
        turn: (N,) float32, tangent of each hair's angle to the field; length: (N,) float32 mm; width: (N,) float32
            texels; shine: (N,) float32 brightness.
    """
    step = 0.4
    for n in range(roots.shape[0]):
        x, y = roots[n, 0], roots[n, 1]
        count = max(int(length[n] / step), 1)
        for k in range(count):
            i, j = int(x + 0.5), int(y + 0.5)
            if i < 0 or j < 0 or i >= field.shape[1] or j >= field.shape[0]:
                break
            u, v = field[j, i, 0], field[j, i, 1]
            if u == 0.0 and v == 0.0:
                break
            bend = turn[n] * (1 - 0.7 * k / count)
            u, v = u - bend * v, v + bend * u
            ds = step * np.hypot(u, v)
            _lay(canvas, x, y, min(width[n] * (1 - 0.6 * k / count) * ds, 0.9), shine[n])
            x += step * u
            y += step * v


@numba.njit(cache=True, nogil=True)
def spots(canvas: np.ndarray, places: np.ndarray, radius: np.ndarray, value: np.ndarray) -> None:
    """Add round soft spots to a canvas (H, W): places (N, 2) pixels, radius (N,) pixels, value (N,)."""
    for n in range(places.shape[0]):
        x, y, r = places[n, 0], places[n, 1], radius[n]
        for j in range(max(int(y - 2 * r), 0), min(int(y + 2 * r) + 2, canvas.shape[0])):
            for i in range(max(int(x - 2 * r), 0), min(int(x + 2 * r) + 2, canvas.shape[1])):
                away = ((i - x) ** 2 + (j - y) ** 2) / (r * r)
                if away < 4.0:
                    canvas[j, i] += value[n] * np.exp(-away * away)


@numba.njit(cache=True, nogil=True, fastmath=True)
def tint(
    base: np.ndarray,
    dyes: np.ndarray,
    amounts: np.ndarray,
    noise: np.ndarray,
    share: np.ndarray,
    colour: np.ndarray,
) -> None:
    """Colour the skin by absorption (Beer and Lambert).

    Args:
        base: (3,) float32 RGB without dye; dyes: (K, 3) float32, absorption of each dye per unit.
        amounts: (K, H, W) float32 units; noise: (N, H, W) float32; share: (N, 3) float32, absorption per unit of noise.
        colour: (H, W, 3) float32, written.
    """
    total = np.empty(colour.shape[1], np.float32)
    for j in range(colour.shape[0]):
        for c in range(3):
            # A row at a time: many texels at once.
            total[:] = np.float32(0.0)
            for k in range(dyes.shape[0]):
                dye = dyes[k, c]
                for i in range(colour.shape[1]):
                    total[i] += amounts[k, j, i] * dye
            for n in range(noise.shape[0]):
                part = share[n, c]
                for i in range(colour.shape[1]):
                    total[i] += noise[n, j, i] * part
            for i in range(colour.shape[1]):
                # exp(-total) as (1 - total / 16)^16, which is close enough and has no branch.
                power = max(np.float32(1.0) - total[i] * np.float32(0.0625), np.float32(0.3))
                power *= power
                power *= power
                power *= power
                colour[j, i, c] = base[c] * power * power


@numba.njit(cache=True, nogil=True)
def over(colour: np.ndarray, opacity: np.ndarray, strength: float, paint: np.ndarray) -> None:
    """Lay one colour (3,) over a picture (H, W, 3) with ``opacity`` (H, W) times ``strength``."""
    for j in range(colour.shape[0]):
        for i in range(colour.shape[1]):
            if opacity[j, i] > 0.0:
                weight = min(opacity[j, i] * strength, 1.0)
                for c in range(3):
                    colour[j, i, c] += weight * (paint[c] - colour[j, i, c])


@numba.njit(cache=True, nogil=True)
def over_hairs(colour: np.ndarray, hairs: np.ndarray, dark: np.ndarray, light: np.ndarray) -> None:
    """Lay hairs (H, W, 2), opacity and opacity times brightness, over a picture (H, W, 3).

    Brightness 0 .. 1 leads from the colour ``dark`` (3,) to ``light`` (3,); above 1 it scales ``light``.
    """
    for j in range(colour.shape[0]):
        for i in range(colour.shape[1]):
            weight = hairs[j, i, 0]
            if weight > 0.003:
                shine = hairs[j, i, 1] / weight
                low = min(max(shine, 0.0), 1.0)
                gain = max(shine, 1.0)
                for c in range(3):
                    paint = (dark[c] + low * (light[c] - dark[c])) * gain
                    colour[j, i, c] += weight * (paint - colour[j, i, c])


@numba.njit(cache=True, nogil=True, fastmath=True)
def over_lids(colour: np.ndarray, layers: np.ndarray, fold: np.ndarray, glow: np.ndarray, ink: np.ndarray) -> None:
    """Lay folds, smoke, ink and glow, the channels of ``layers`` (H, W, 4), over a picture (H, W, 3).

    ``fold`` (3,) is what a fold absorbs; ``glow`` and ``ink`` (3,) are colours.
    """
    for j in range(colour.shape[0]):
        for i in range(colour.shape[1]):
            crease, smoke, dark, light = layers[j, i, 0], layers[j, i, 1], layers[j, i, 2], layers[j, i, 3]
            if crease + smoke + dark + light < 0.002:
                continue
            light, dark = min(light, 1.0), min(dark, 0.95)
            for c in range(3):
                value = colour[j, i, c] + light * (glow[c] - colour[j, i, c])
                value *= np.exp(-crease * fold[c]) * (1.0 - min(smoke, 1.0))
                colour[j, i, c] = value + dark * (ink[c] - value)
