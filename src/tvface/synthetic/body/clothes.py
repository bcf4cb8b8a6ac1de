"""What neck, shoulders and chest wear: skin and cloth on one mesh, collars beside it."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.synthetic.body import hats
from tvface.synthetic.body.collars import collar, scarf
from tvface.synthetic.body.parts import Part, grid_faces, textured
from tvface.synthetic.body.trunk import FOLLOWS, Trunk
from tvface.synthetic.looks.skin import CLOTH, smoothstep
from tvface.synthetic.looks.zones import NECK
from tvface.synthetic.noise import Noise
from tvface.synthetic.people.traits import Traits

KINDS = ("crew", "vneck", "shirt", "jacket", "hoodie", "turtleneck", "dress", "scoop")
SHARES_OF_MEN = (0.26, 0.08, 0.22, 0.26, 0.1, 0.08, 0.0, 0.0)
SHARES_OF_WOMEN = (0.18, 0.16, 0.12, 0.16, 0.06, 0.08, 0.1, 0.14)
SIDE = (96, 160)  # texels: rows from the neck down, columns around


def _spread(grid: np.ndarray) -> np.ndarray:
    """Return the positions of the texels of a closed grid: (SIDE, 3) float32."""
    closed = np.concatenate([grid, grid[:, :1]], 1).astype(np.float32)
    rows = np.linspace(0, len(grid) - 1, SIDE[0], dtype=np.float32)[:, None]
    columns = np.linspace(0, closed.shape[1] - 1, SIDE[1], dtype=np.float32)[None]
    maps = np.broadcast_to(columns, SIDE).copy(), np.broadcast_to(rows, SIDE).copy()
    return np.asarray(cv2.remap(closed, *maps, cv2.INTER_LINEAR), np.float32)


def _covered(kind: str, place: np.ndarray, below: np.ndarray, traits: Traits, rng: np.random.Generator) -> np.ndarray:
    """Return how far inside the cloth a texel lies, mm: (SIDE) float32, negative on the skin.

    place: (SIDE, 3) mm with x from the middle and y from the pit of the neck; below: (SIDE) mm under the seam.
    """
    x, y, z = place[:, :, 0], place[:, :, 1], place[:, :, 2]
    front = smoothstep(z, -45, -5)
    base = below - rng.uniform(2, 9) - front * rng.uniform(4, 20)
    if kind == "vneck":
        depth, half = rng.uniform(55, 110), rng.uniform(48, 66)
        opening = -y - depth * (1 - np.abs(x) / half)
        return np.asarray(np.where((z > -30) & (np.abs(x) < half), np.minimum(base, opening), base))
    if kind == "shirt":
        depth = rng.uniform(12, 60)
        opening = -y - depth * (1 - np.abs(x) / 30)
        return np.asarray(np.where((z > -30) & (np.abs(x) < 30), np.minimum(below + 4, opening), below + 4))
    if kind == "jacket" or kind in ("hoodie", "turtleneck"):
        return np.asarray(below + 5 - (front * 10 if kind == "hoodie" else 0))
    if kind == "dress":
        strap = np.abs(np.abs(x) - rng.uniform(68, 92)) - rng.uniform(3, 9)
        body = -y - rng.uniform(62, 95) + 12 * np.cos(x / 32)
        if rng.random() < 0.3:
            return np.asarray(body)
        return np.asarray(np.maximum(body, -strap))
    if kind == "scoop":
        half, depth = rng.uniform(70, 105), rng.uniform(45, 90)
        inside = 1 - (x / half) ** 2 - (np.maximum(-y, 0) / depth) ** 2
        return np.asarray(np.where(z > -40, np.minimum(base, -40 * inside), below - 14))
    return np.asarray(base)


def _cloth(traits: Traits, colour: np.ndarray, place: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the colour of a cloth with its folds: (SIDE, 3) float32."""
    height = Noise(7, 3, 0.55).draw(SIDE[1], SIDE[0], rng)
    # Folds run down from the shoulders: noise stretched along the trunk.
    long = cv2.resize(Noise(16, 2).draw(SIDE[1], SIDE[0] // 4, rng), (SIDE[1], SIDE[0]), interpolation=cv2.INTER_CUBIC)
    folds = 0.5 * height + 0.7 * long
    slope = np.gradient(folds, axis=0) * 1.6 + np.gradient(folds, axis=1) * 0.9
    shade = 1 - np.clip(0.42 * slope, -0.3, 0.35) + 0.03 * rng.standard_normal(SIDE).astype(np.float32)
    x, y = place[:, :, 0], place[:, :, 1]
    paint = np.broadcast_to(np.asarray(colour, np.float32), (*SIDE, 3)).copy()
    if traits.cloth_stripes:
        period = rng.uniform(9, 34)
        kind = rng.integers(3)
        lines = (np.mod(y if kind == 0 else x, period) < period * rng.uniform(0.2, 0.5)).astype(np.float32)
        if kind == 2:
            lines = 0.5 * lines + 0.5 * (np.mod(y, period) < 0.4 * period)
        other = rng.uniform(0.05, 0.9, 3) if rng.random() < 0.4 else np.asarray(colour) * 0.3
        paint += traits.cloth_stripes * lines[:, :, None] * (other - paint)
    return np.asarray(paint * shade[:, :, None], np.float32)


def _second_colour(rng: np.random.Generator) -> np.ndarray:
    """Draw the colour of a shirt: white, pale blue or any."""
    kind = rng.random()
    if kind < 0.5:
        return np.full(3, rng.uniform(0.72, 0.9))
    if kind < 0.75:
        return np.array([0.55, 0.66, 0.82]) * rng.uniform(0.85, 1.05)
    return np.asarray(rng.uniform(0.05, 0.85) * (1 - rng.uniform(0, 0.6) * rng.uniform(0, 1, 3)))


def _jacket(paint: np.ndarray, place: np.ndarray, shirt: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint shirt, tie and lapels of a jacket; returns what lies open over the chest: (SIDE) bool, skin."""
    x, y, z = place[:, :, 0], place[:, :, 1], place[:, :, 2]
    ahead = z > -32
    wide, depth = rng.uniform(48, 62), rng.uniform(170, 260)
    edge = np.abs(x) - wide * np.clip(1 + y / depth, 0, 1)
    lapel = rng.uniform(26, 44)
    shade = 1 - 0.35 * np.exp(-(((edge - lapel) / 2.5) ** 2)) - 0.15 * np.exp(-((edge / 3) ** 2))
    notch = np.exp(-((((-y - 62) - 0.5 * (edge - lapel)) / 2.2) ** 2)) * ((edge > lapel * 0.45) & (edge < lapel))
    paint *= np.where(ahead, shade - 0.3 * notch, 1)[:, :, None]
    inner = ahead & (edge < 0)
    shown = (smoothstep(edge, 1.8, -1.8) * ahead)[:, :, None]
    paint += shown * (shirt * (1 - 0.35 * smoothstep(edge, -8, 0))[:, :, None] - paint)
    if rng.random() < 0.55:
        half = 9 + 9 * np.clip(-y / 170, 0, 1)
        tie = (smoothstep(np.abs(x) - half, 1.2, -1.2) * inner * (y < 4))[:, :, None]
        colour = rng.uniform(0.03, 0.6) * (1 - rng.uniform(0, 0.8) * rng.uniform(0, 1, 3))
        stripes = 1 + rng.choice([0.0, 0.5]) * (np.mod(x + y, 16) < 5)
        knot = 1 - 0.4 * np.exp(-(((y + 22) / 2.5) ** 2))
        round_off = 1 - 0.3 * (np.abs(x) / half) ** 2
        paint += tie * (colour * (stripes * knot * round_off)[:, :, None] - paint)
        return np.zeros(SIDE, bool)
    if rng.random() < 0.6:
        return np.asarray(inner & (-y < rng.uniform(25, 75) * (1 - np.abs(x) / 30)))
    return np.zeros(SIDE, bool)


def dressed(body: Trunk, traits: Traits, skin: np.ndarray) -> list[Part]:
    """Dress a trunk.

    Args:
        body: the bare trunk.
        traits: looks; they draw the kind of clothes.
        skin: (columns, 3) RGB in [0, 1] of the neck's skin at the seam.

    Returns:
        The trunk, and a collar where the clothes have one.
    """
    rng = np.random.default_rng([traits.seed, 0xC107])
    shares = SHARES_OF_MEN if traits.nature.man else SHARES_OF_WOMEN
    kind = traits.clothes or str(rng.choice(KINDS, p=shares))
    grid = body.grid.copy()
    middle = 0.5 * (grid[0].max(0) + grid[0].min(0))
    pit = grid[0, np.argmin(np.abs(body.angle))]
    steps = np.linalg.norm(np.diff(grid, axis=0), axis=2)
    below = np.concatenate([np.zeros((1, len(body.angle))), np.cumsum(steps, 0)])
    place = _spread(grid - np.array([middle[0], pit[1], pit[2]]))
    under = _spread(np.repeat(below[:, :, None], 3, 2))[:, :, 0]
    inside = _covered(kind, place, under, traits, rng)
    colour: np.ndarray = np.array(traits.cloth)
    paint: np.ndarray = _cloth(traits, colour, place, rng)
    shirt_colour = colour
    if kind == "jacket":
        colour = colour * 0.45
        paint = paint * 0.45
        shirt_colour = _second_colour(rng)
        plain = np.asarray(shirt_colour) * (1 + 0.04 * Noise(9, 2).draw(SIDE[1], SIDE[0], rng))[:, :, None]
        inside = np.where(_jacket(paint, place, plain.astype(np.float32), rng), -1.0, inside)
    if kind == "shirt":
        x, y, z = place[:, :, 0], place[:, :, 1], place[:, :, 2]
        seam = np.exp(-(((np.abs(x) - 14) / 1.2) ** 2)) * (z > -30)
        button = (np.hypot(x, np.mod(y, 70) - 35) < 5) & (z > -30)
        paint *= (1 - 0.22 * seam - 0.35 * button)[:, :, None]
    if kind in ("shirt", "jacket", "hoodie"):
        paint *= (1 - 0.35 * smoothstep(under, 34, 14))[:, :, None]  # the collar's shadow
    hem = np.exp(-(((inside - 5) / 2.0) ** 2)) * 0.22
    paint *= (1 - hem)[:, :, None]
    bare = _skin(skin, place, traits, rng)
    # The cloth throws a thin shadow on the skin beside it.
    bare *= (1 - 0.35 * smoothstep(inside, -9, 0))[:, :, None]
    weight = smoothstep(inside, -0.8, 0.8)[:, :, None]
    texture = bare + weight * (paint - bare)
    labels = np.where(inside > 0, CLOTH, NECK).astype(np.uint8)
    rows = np.linspace(0, SIDE[0] - 1, len(grid)).astype(int)
    columns = (np.arange(len(body.angle)) * (SIDE[1] - 1) / len(body.angle)).astype(int)
    thick = 4.0 * smoothstep(inside[rows][:, columns], 0, 6)
    thick[0] = 0
    radial = np.stack([np.sin(body.angle), 0.6 * np.ones_like(body.angle), np.cos(body.angle)], 1)
    grid = grid + thick[:, :, None] * radial
    faces, places = grid_faces(grid.shape[0], grid.shape[1], closed=True)
    parts = [
        Part(
            grid.reshape(-1, 3).astype(np.float32),
            faces,
            textured(places, len(grid), grid.shape[1], SIDE),
            np.clip(texture * 255, 0, 255).astype(np.uint8),
            labels,
            np.repeat(FOLLOWS, grid.shape[1]),
            seam=body.seam,
        )
    ]
    if traits.hat == "scarf":
        return [*parts, scarf(body, np.array(hats.hat_colour(traits)), rng)]
    return parts + collar(kind, body, shirt_colour if kind == "jacket" else colour, rng)


def _skin(skin: np.ndarray, place: np.ndarray, traits: Traits, rng: np.random.Generator) -> np.ndarray:
    """Return the skin of neck and chest: the seam's colours, which run into their mean below: (SIDE, 3) float32."""
    closed = np.concatenate([skin, skin[:1]]).astype(np.float32)
    ring = cv2.GaussianBlur(np.tile(closed[None], (3, 1, 1)), (0, 0), 2.0)[1:2]
    around = cv2.resize(ring, (SIDE[1], 1), interpolation=cv2.INTER_LINEAR)
    mean = np.median(skin, axis=0).astype(np.float32)
    fade = np.exp(-np.linspace(0, 9, SIDE[0], dtype=np.float32))[:, None, None]
    shade = 1 + 0.03 * Noise(10, 2).draw(SIDE[1], SIDE[0], rng) + 0.015 * rng.standard_normal(SIDE).astype(np.float32)
    x, y, z = place[:, :, 0], place[:, :, 1], place[:, :, 2]
    # Clavicles: a ridge from the pit to the shoulders, dark above it and light on it.
    ridge = y + 9 - 0.13 * np.abs(x)
    bone = (z > -60) & (np.abs(x) > 12) & (np.abs(x) < 130)
    relief = 0.10 * np.exp(-((ridge / 5) ** 2)) - 0.14 * np.exp(-(((ridge - 9) / 6) ** 2))
    shade = shade + (1.2 - 0.8 * traits.nature.weight) * relief * bone * smoothstep(np.abs(x), 12, 26)
    pit = np.exp(-((x / 9) ** 2) - ((y + 1) / 8) ** 2) * (z > -20)
    return np.asarray((mean + fade * (around - mean)) * (shade - 0.12 * pit)[:, :, None], np.float32)
