"""Two arches of teeth: strips of 17 columns and 4 rows, as many vertices as MakeHuman's blocks, which they replace.

Rows: gum, neck of the teeth, outer edge, inner edge. Lines between teeth and gums are painted
(:mod:`tvface.head.human.paint`). Sizes are those of adult dental arches: 27 mm between the canines' tips, 52 mm
between the second molars' outer sides, upper incisors 10 mm high, lower ones 2.6 mm behind and, at rest, 1.2 mm apart.
"""

from __future__ import annotations

import numpy as np

COLUMNS, ROWS = 17, 4
VERTICES = COLUMNS * ROWS
HALF_WIDTH, DEPTH, POWER = 26.0, 36.0, 2.4  # mm: of the upper arch's outer side
_LOWER_SCALE = 0.93
# Height and place outward of the rows, mm, from the incisors' edge: gum, neck, outer edge, inner edge.
_RISE = np.array([15.0, 9.5, 0.0, 0.4])
_OUTWARD = np.array([-1.2, 0.0, -0.6, -3.6])


def _along() -> np.ndarray:
    """Return the columns' places in [-1,1], closer together in front."""
    t = np.linspace(-1, 1, COLUMNS)
    return np.asarray(np.sign(t) * (0.62 * np.abs(t) + 0.38 * np.abs(t) ** 2))


def arch(upper: bool) -> np.ndarray:
    """Return the vertices (68,3) mm of one arch, row by row from the subject's right to left.

    The origin is the middle of the upper incisors' outer edge; y up, z forward.
    """
    scale = 1.0 if upper else _LOWER_SCALE
    # Places by the length of the curve, so that columns do not crowd at the sides.
    fine = np.linspace(-1, 1, 2001)
    curve = np.stack([HALF_WIDTH * fine, -DEPTH * np.abs(fine) ** POWER], 1) * scale
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))])
    length = 2 * length / length[-1] - 1
    at = _along()
    x, z = np.interp(at, length, curve[:, 0]), np.interp(at, length, curve[:, 1])
    tangent = np.stack([np.interp(at, length, np.gradient(curve[:, k])) for k in (0, 1)], 1)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    outward = np.stack([-tangent[:, 1], tangent[:, 0]], 1)
    sign = 1.0 if upper else -1.0
    rows = []
    for rise, out in zip(_RISE * (1.0 if upper else 0.85), _OUTWARD, strict=True):
        shift = out * (1.0 if upper else 0.8)
        # The molars' edges lie a little higher (the curve of Spee).
        lift = 1.6 * np.abs(at) ** 2
        y = sign * rise + lift * (1.0 if upper else 0.9) + (0.0 if upper else -1.2)
        rows.append(np.stack([x + shift * outward[:, 0], y, z + shift * outward[:, 1] - (0.0 if upper else 2.6)], 1))
    points = np.concatenate(rows)
    points[:, 0] = 0.5 * (points[:, 0] - points[mirror(), 0])
    points[:, 1:] = 0.5 * (points[:, 1:] + points[mirror(), 1:])
    return points


def mirror() -> np.ndarray:
    """Return (68,) the mirror image of every vertex of an arch."""
    return np.arange(VERTICES).reshape(ROWS, COLUMNS)[:, ::-1].ravel()


def quads(upper: bool) -> np.ndarray:
    """Return the quads (48,4) of an arch, seen from outside counter-clockwise."""
    grid = np.arange(VERTICES).reshape(ROWS, COLUMNS)
    table = np.stack([grid[:-1, :-1], grid[1:, :-1], grid[1:, 1:], grid[:-1, 1:]], -1).reshape(-1, 4)
    return table if upper else table[:, ::-1]


def uv(upper: bool) -> np.ndarray:
    """Return (68,2) in [0,1]: along the arch, and from the inner edge (0) to the gum (1), mirrored for the lower."""
    length = np.linspace(0, 1, COLUMNS)
    rise = np.array([1.0, 0.72, 0.2, 0.0]) if upper else np.array([0.0, 0.28, 0.8, 1.0])
    u, v = np.meshgrid(length, rise)
    return np.stack([u, v], -1).reshape(-1, 2)


def place(u: np.ndarray) -> np.ndarray:
    """Return the place along the arch in [-1,1], by its length, at u in [0,1] of the texture."""
    return np.interp(u * (COLUMNS - 1), np.arange(COLUMNS), _along())
