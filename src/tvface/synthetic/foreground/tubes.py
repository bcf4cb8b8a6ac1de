"""Rounded strokes with depth and shading: hands, microphones, heads and shoulders in front of the picture."""

from __future__ import annotations

import numba
import numpy as np

Strokes = list[tuple[np.ndarray, np.ndarray, float, float, int]]  # start, end (x, y, height), radii, material


@numba.njit(cache=True, nogil=True, fastmath=True)
def _paint(
    strokes: np.ndarray,
    colours: np.ndarray,
    light: np.ndarray,
    top: np.ndarray,
    paint: np.ndarray,
) -> None:
    """Paint strokes (N, 9): start x, y, height, radius, the end's, material; colours (M, 3); light (5,): direction,
    ambient share, strength; top (S, S): height of what is painted; paint (S, S, 3)."""
    rows, columns = top.shape
    for n in range(strokes.shape[0]):
        x0, y0, z0, r0, x1, y1, z1, r1 = (
            strokes[n, 0],
            strokes[n, 1],
            strokes[n, 2],
            strokes[n, 3],
            strokes[n, 4],
            strokes[n, 5],
            strokes[n, 6],
            strokes[n, 7],
        )
        material = int(strokes[n, 8])
        left, right = max(int(min(x0 - r0, x1 - r1)), 0), min(int(max(x0 + r0, x1 + r1)) + 2, columns)
        upper, lower = max(int(min(y0 - r0, y1 - r1)), 0), min(int(max(y0 + r0, y1 + r1)) + 2, rows)
        ax, ay = x1 - x0, y1 - y0
        long = ax * ax + ay * ay + 1e-9
        for y in range(upper, lower):
            for x in range(left, right):
                share = min(max(((x - x0) * ax + (y - y0) * ay) / long, 0.0), 1.0)
                radius = r0 + share * (r1 - r0)
                dx, dy = x - x0 - share * ax, y - y0 - share * ay
                square = (dx * dx + dy * dy) / (radius * radius)
                if square >= 1.0:
                    continue
                nz = np.sqrt(1.0 - square)
                height = z0 + share * (z1 - z0) + radius * nz
                if height <= top[y, x]:
                    continue
                # Where one stroke rises above another, a crease stays dark.
                crease = 1.0
                if top[y, x] > -1e8:
                    crease = 0.84 + 0.16 * min((height - top[y, x]) / (0.35 * radius), 1.0)
                top[y, x] = height
                facing = (dx * light[0] + dy * light[1]) / radius + nz * light[2]
                lit = light[3] + light[4] * max(0.85 * facing + 0.15, 0.0)
                for k in range(3):
                    paint[y, x, k] = colours[material, k] * lit * crease * (0.66 + 0.34 * nz)


def paint_strokes(
    size: int, strokes: Strokes, colours: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Paint strokes under a drawn light; those of greater height lie in front.

    Args:
        size: side of the picture in pixels.
        strokes: start and end (3,) in pixels (x, y, height), their radii in pixels, and the material.
        colours: (M, 3) display colours of the materials, 0..255.
        rng: of the direction of the light.

    Returns:
        Colours (S, S, 3) float32 0..255, and the cover (S, S) bool.
    """
    table = np.array([(*a, ra, *b, rb, material) for a, b, ra, rb, material in strokes])[:, [0, 1, 2, 3, 4, 5, 6, 7, 8]]
    side, above = rng.normal(0, 0.5), rng.uniform(0.0, 0.9)
    direction = np.array([side, -above, 0.8])
    direction /= np.linalg.norm(direction)
    ambient = rng.uniform(0.3, 0.7)
    top = np.full((size, size), -1e9, np.float32)
    paint = np.zeros((size, size, 3), np.float32)
    light = np.array([*direction, ambient, 1.15 * (1.05 - ambient)])
    _paint(table, np.asarray(colours, np.float64), light, top, paint)
    return paint, top > -1e8
