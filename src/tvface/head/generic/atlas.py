"""The UV map of the generic head and the place on the head of every pixel of an image in UV.

The skin is unrolled by azimuth and height (front enlarged) into the upper four fifths of the unit square; below it lie
the two eyeballs (discs), the mouth bag and the teeth. Both copies of a slit vertex share their UV.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvface.head.generic.parts import (
    BAG_LOWER,
    BAG_UPPER,
    EYE_LEFT,
    EYE_RIGHT,
    SKIN,
    TEETH_LOWER,
    TEETH_UPPER,
    parts,
)
from tvface.head.generic.sculpt import grid, skin

SKIN_FOOT = 0.2  # v of the end of the neck
MARGIN = 0.008  # the skin keeps away from the border, where sampling mixes in texels outside the picture
_HEIGHTS = np.array([115.0, 60.0, -110.0, -120.0, -172.0])
_DEPTHS = np.array([0.0, 0.12, 0.78, 0.83, 1.0])
# left, bottom, width, height of each island in UV
ISLANDS = {
    EYE_RIGHT: (0.02, 0.015, 0.17, 0.17),
    EYE_LEFT: (0.22, 0.015, 0.17, 0.17),
    BAG_UPPER: (0.44, 0.02, 0.24, 0.16),
    TEETH_UPPER: (0.72, 0.11, 0.24, 0.07),
    TEETH_LOWER: (0.72, 0.02, 0.24, 0.07),
}
ISLANDS[BAG_LOWER] = ISLANDS[BAG_UPPER]  # one strip


def skin_uv(theta: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return (..., 2) UV of skin at azimuth (rad) and row height (mm)."""
    u = 0.5 + 0.5 * np.sign(theta) * (1 - (1 - np.abs(theta) / np.pi) ** 2.2)
    depth = np.interp(-height, -_HEIGHTS, _DEPTHS)
    return np.stack([0.5 + (1 - 2 * MARGIN) * (u - 0.5), 1 - MARGIN - (1 - MARGIN - SKIN_FOOT) * depth], -1)


def uv_map() -> tuple[np.ndarray, np.ndarray]:
    """Return uv (Vt,2) in [0,1], v up, and uv_faces (F,3)."""
    p, g = parts(), grid()
    columns = len(g.theta)
    theta = np.concatenate([[-np.pi], g.theta])
    grid_theta, grid_height = np.meshgrid(theta, g.height)
    skin_points = skin_uv(grid_theta, grid_height).reshape(-1, 2)
    # The pole is one point; each of its triangles gets the middle of its two lower corners.
    skin_points[:columns, 0] = (skin_points[:columns, 0] + skin_points[1 : columns + 1, 0]) / 2
    others = np.flatnonzero(p.part != SKIN)
    left, bottom, width, height = np.array([ISLANDS[int(k)] for k in p.part[others]]).T
    islands = np.stack([left + width * p.local[others, 0], bottom + height * (1 - p.local[others, 1])], 1)
    eyes = np.isin(p.part[others], (EYE_RIGHT, EYE_LEFT))
    islands[eyes, 1] = (bottom + height * p.local[others, 1])[eyes]
    number = np.zeros(len(p.position), np.int64)
    number[others] = len(skin_points) + np.arange(len(others))
    faces = np.concatenate([p.skin_corners, number[p.faces[p.face_part != SKIN]]])
    return np.concatenate([skin_points, islands]), faces


@dataclass(frozen=True)
class Texels:
    """The surface at each pixel of an image in UV, arrays (size, size), row 0 at v = 1.

    part: kind of part, -1 outside; x, y, z: neutral position in mm (skin only); theta rad, height mm (skin only);
    above: skin on the upper side of the mouth's slit; a, b: place in [0,1] inside an island, v up (islands only).
    """

    part: np.ndarray
    x: np.ndarray
    y: np.ndarray
    z: np.ndarray
    theta: np.ndarray
    height: np.ndarray
    above: np.ndarray
    a: np.ndarray
    b: np.ndarray


def texels(size: int) -> Texels:
    """Return the place on the neutral head of every pixel centre of a size x size image in UV."""
    centres = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(centres, 1 - centres)
    part = np.where(v >= SKIN_FOOT, SKIN, -1)
    depth = np.clip((1 - MARGIN - v) / (1 - MARGIN - SKIN_FOOT), 0, 1)
    height = -np.interp(depth, _DEPTHS, -_HEIGHTS)
    away = np.minimum(np.abs(2 * u - 1) / (1 - 2 * MARGIN), 1)
    theta = np.sign(u - 0.5) * np.pi * (1 - (1 - away) ** (1 / 2.2))
    position = _neutral_at(theta, height)
    a, b = np.zeros_like(u), np.zeros_like(u)
    for kind, (left, bottom, width, tall) in ISLANDS.items():
        ia, ib = (u - left) / width, (v - bottom) / tall
        margin = 0.03  # islands are painted a little beyond their rim, so that interpolation does not bleed
        inside = (ia > -margin) & (ia < 1 + margin) & (ib > -margin) & (ib < 1 + margin)
        if kind == BAG_LOWER:
            inside &= ib < 0.5
        part = np.where(inside, kind, part)
        a, b = np.where(inside, ia, a), np.where(inside, ib, b)
    x, y, z = position[..., 0], position[..., 1], position[..., 2]
    return Texels(part, x, y, z, theta, height, height > -65, a, b)


def _neutral_at(theta: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Interpolate the neutral skin at grid coordinates; a slit is read from the side of the texel."""
    g, surface = grid(), skin().position
    columns = np.concatenate([[-np.pi], g.theta])
    c = np.clip(np.searchsorted(columns, theta, "right") - 1, 0, len(columns) - 2)
    r = np.clip(np.searchsorted(-g.height, -height, "right") - 1, 0, len(g.height) - 2)
    s = ((theta - columns[c]) / (columns[c + 1] - columns[c]))[..., None]
    t = ((g.height[r] - height) / (g.height[r] - g.height[r + 1]))[..., None]
    above = np.concatenate([g.above[:, -1:], g.above], 1)
    below = np.concatenate([g.below[:, -1:], g.below], 1)
    top = surface[below[r, c]] * (1 - s) + surface[below[r, c + 1]] * s
    bottom = surface[above[r + 1, c]] * (1 - s) + surface[above[r + 1, c + 1]] * s
    return top * (1 - t) + bottom * t
