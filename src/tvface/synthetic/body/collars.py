"""Collars of shirts, hoods and turtlenecks: bands around the neck."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.body.hats import HAT
from tvface.synthetic.body.parts import Part, grid_faces, textured
from tvface.synthetic.body.trunk import Trunk
from tvface.synthetic.looks.skin import CLOTH, smoothstep


def _band(
    body: Trunk,
    rise: np.ndarray,
    out: np.ndarray,
    colour: np.ndarray,
    rng: np.random.Generator,
    opening: float = 0.0,
    label: int = CLOTH,
) -> Part:
    """Build a collar of rings around the neck.

    Args:
        rise: (R, K) mm over the seam along the neck; out: (R, K) mm away from it; colour: RGB; opening: half width in
            front that stays open, in radians.
    """
    seam = body.grid[0]
    radial = np.stack([np.sin(body.angle), np.zeros_like(body.angle), np.cos(body.angle)], 1)
    # The neck leans forward and grows narrower upwards.
    level = np.clip(rise, 0, None)
    axis = np.stack([np.zeros_like(rise), rise, 0.28 * rise], -1)
    narrow = -0.16 * level
    rings = seam[None] + axis + (out + narrow)[:, :, None] * radial[None]
    keep = np.abs(body.angle) >= opening
    if opening:
        # Columns from the front on one side around the back to the other side.
        order = np.argsort(np.where(body.angle < 0, body.angle + 2 * np.pi, body.angle))
        order = order[keep[order]]
        rings = rings[:, order]
        seam_order = body.seam[order]
    else:
        seam_order = body.seam
    rows, columns = rings.shape[:2]
    faces, places = grid_faces(rows, columns, closed=not opening)
    shade = 1 + 0.05 * rng.standard_normal((32, 64, 1))
    down = np.linspace(0, 1, 32)[:, None, None]
    # Dark inside, light along the fold, dark at the lower edge.
    shade = shade * (1 - 0.35 * (1 - down) ** 4 + 0.10 * np.exp(-(((down - 0.3) / 0.1) ** 2)) - 0.3 * down**12)
    paint = np.clip(np.asarray(colour)[None, None] * shade * 255, 0, 255).astype(np.uint8)
    return Part(
        rings.reshape(-1, 3).astype(np.float32),
        faces,
        textured(places, rows, columns if not opening else columns - 1, (32, 64)),
        np.ascontiguousarray(paint),
        np.full((32, 64), label, np.uint8),
        np.zeros(rows * columns, np.float32),
        seam=seam_order,
    )


def collar(kind: str, body: Trunk, colour: np.ndarray, rng: np.random.Generator) -> list[Part]:
    """Build the collar of a shirt, hood or turtleneck; none for other clothes."""
    angle = np.abs(body.angle)
    one = np.ones_like(angle)
    back = smoothstep(angle, 0.3, 2.6)
    if kind == "turtleneck":
        high = rng.uniform(24, 42) * (0.8 + 0.2 * back)
        rise = np.stack([high - 6, high, high * 0.7, high * 0.3, -4 * one, -16 * one])
        out = np.stack([2.5 * one, 5 * one, 6.5 * one, 6 * one, 6 * one, 15 * one])
        return [_band(body, rise, out, colour, rng)]
    if kind == "hoodie":
        thick = rng.uniform(14, 24) * (0.55 + 0.6 * back)
        rise = np.stack([2 * one, 6 + 8 * back, 5 + 14 * back, 0 * one + 4 * back, -10 * one - 8 * back])
        out = np.stack([3 * one, 6 * one, 6 + 0.8 * thick, 6 + 1.7 * thick, 8 + 1.3 * thick])
        return [_band(body, rise, out, colour, rng)]
    if kind in ("shirt", "jacket"):
        high = rng.uniform(20, 30) * (0.75 + 0.25 * back)
        # It stands, turns over and falls; in front its points hang lowest.
        point = np.exp(-(((angle - 0.36) / 0.22) ** 2)) * rng.uniform(16, 34)
        rise = np.stack([high - 4, high, high * 0.75, high * 0.2 - 0.4 * point, -9 - point])
        out = np.stack([2.5 * one, 4.5 * one, 7.5 * one, 10 + 2 * back, 15 + 0.55 * point])
        return [_band(body, rise, out, colour, rng, opening=rng.uniform(0.12, 0.26))]
    return []


def scarf(body: Trunk, colour: np.ndarray, rng: np.random.Generator) -> Part:
    """Build the part of a headscarf that lies around the neck and on the shoulders."""
    one = np.ones_like(body.angle)
    back = smoothstep(np.abs(body.angle), 0.3, 2.6)
    folds = 4 * np.sin(5 * body.angle + rng.uniform(0, 6)) + 3 * np.sin(9 * body.angle + rng.uniform(0, 6))
    rise = np.stack([46 + 10 * back, 30 * one, 12 + folds, -10 + folds, -34 + 12 * back, -60 + 26 * back])
    across = np.sin(body.angle) ** 2  # over the shoulders it spreads
    out = np.stack([9 * one, 15 + folds, 21 - folds, 30 + folds + 16 * across, 44 + 52 * across, 66 + 90 * across])
    return _band(body, rise, out, colour, rng, label=HAT)
