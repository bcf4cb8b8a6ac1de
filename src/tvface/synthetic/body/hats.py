"""Hats: beanie, baseball cap, wide hat, headscarf; painted on the scalp's texture, brims as separate meshes."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from tvface.synthetic.atlas import SKIN, Atlas
from tvface.synthetic.looks.skin import smoothstep
from tvface.synthetic.looks.zones import NECK
from tvface.synthetic.noise import Noise
from tvface.synthetic.people.traits import Traits, rgb

HAT = 18  # zllrunning class
KINDS = ("cap", "beanie", "wide", "scarf")
THICKNESS = 7.0  # mm of cloth and hair over the scalp, at least
_AZIMUTH = (0, 35, 60, 80, 97, 112, 140, 180)


def hat_colour(traits: Traits) -> tuple[float, float, float]:
    """Return the hat's colour, RGB in [0, 1]; equal seeds give equal hats."""
    rng = np.random.default_rng([traits.seed, 0x4A7])
    return rgb(np.clip(rng.uniform(0.04, 0.8) * (1 - rng.uniform(0, 0.75) * rng.uniform(0, 1, 3)), 0.02, 0.95))


def hat_line(theta: np.ndarray, traits: Traits) -> np.ndarray:
    """Return the height of the hat's edge in mm over the eyes for azimuths in degrees, (any shape) float64."""
    rng = np.random.default_rng([traits.seed, 0x4A8])
    front = rng.uniform(30, 52) if traits.hat in ("cap", "wide") else rng.uniform(24, 52)
    lean = rng.normal(0, 3)  # nobody wears it straight
    heights = (front, front - 1, front - 7, 26, 24, 14, -8, -24)
    return np.asarray(
        PchipInterpolator(_AZIMUTH, heights)(np.clip(np.abs(theta), 0, 180)) + lean * np.sin(np.radians(theta))
    )


def cover(atlas: Atlas, traits: Traits) -> np.ndarray:
    """Return where the hat lies on the texture: (size, size) float32 in [0, 1]; ears stay free, but for a
    headscarf."""
    if traits.hat == "scarf":
        x, y, z = (atlas.position[:, :, k] for k in range(3))
        rng = np.random.default_rng([traits.seed, 0x4AA])
        wide, top = rng.uniform(58, 66), rng.uniform(36, 50)
        middle, high = 0.5 * (top - 117), 0.5 * (top + 117)
        outside = np.sqrt((x / wide) ** 2 + ((y - middle) / high) ** 2)
        wrapped = np.where((z < 12) | (atlas.labels == NECK), 1, smoothstep(outside, 0.96, 1.02))
        return (wrapped * (atlas.part == SKIN)).astype(np.float32)
    over = atlas.position[:, :, 1] - hat_line(atlas.theta, traits)
    return (smoothstep(over, -1, 1) * (atlas.bare)).astype(np.float32)


def paint(atlas: Atlas, traits: Traits, rng: np.random.Generator) -> np.ndarray:
    """Return the hat's colour per texel: (size, size, 3) float32."""
    size = atlas.size
    shade = 1 + 0.05 * Noise(size // 3, 2).draw(size, size, rng) + 0.08 * Noise(10, 2).draw(size, size, rng)
    over = atlas.position[:, :, 1] - hat_line(atlas.theta, traits)
    if traits.hat == "scarf":
        wave = np.radians(atlas.theta) * 9 + atlas.position[:, :, 1] / 14
        shade *= 1 + 0.07 * np.sin(wave + 2 * Noise(6, 2).draw(size, size, rng))  # soft folds around the face
    elif traits.hat == "wide":
        shade *= 1 - 0.55 * smoothstep(np.abs(over - 14), 12, 10)  # the ribbon
    elif traits.hat == "beanie":
        shade *= 1 + 0.16 * np.sin(np.radians(atlas.theta) * rng.integers(40, 90))  # ribs
        fold = rng.uniform(18, 32)
        shade *= 1 - 0.35 * np.exp(-(((over - fold) / 1.5) ** 2))  # edge of the turned-up part
    else:
        seam = np.abs((atlas.theta + 30) % 60 - 30)
        shade *= 1 - 0.3 * np.exp(-((seam * np.clip(over, 0, 60) / 60) ** 2)) * (over > 4)  # six panels
        shade *= 1 - 0.3 * np.exp(-(((over - 3) / 1.2) ** 2))
    colour = np.array(hat_colour(traits), np.float32)
    if traits.hat == "beanie" and rng.random() < 0.3:
        band = smoothstep(np.abs(over - rng.uniform(10, 50)), 9, 7)[:, :, None]
        colour = colour * (1 - band) + band * rng.uniform(0.05, 0.9, 3)
    return np.asarray(colour * np.clip(shade, 0.2, 2)[:, :, None], np.float32)


def _edge(atlas: Atlas, angle: np.ndarray, height: np.ndarray) -> np.ndarray:
    """Return points (N, 3) of the skin at azimuths (N,) in degrees and heights (N,) in mm."""
    skin = atlas.vertices[(atlas.vertex_part == SKIN) & (atlas.vertices[:, 1] > -40)].astype(float)
    theta, far = np.degrees(np.arctan2(skin[:, 0], skin[:, 2])), np.hypot(skin[:, 0], skin[:, 2])
    turn = (angle[:, None] - theta[None] + 180) % 360 - 180
    weight = np.exp(-((turn / 6) ** 2) - ((height[:, None] - skin[None, :, 1]) / 7) ** 2) + 1e-12
    radius = (weight * far).sum(1) / weight.sum(1)
    return np.stack([radius * np.sin(np.radians(angle)), height, radius * np.cos(np.radians(angle))], 1)


def brim_surface(atlas: Atlas, traits: Traits) -> np.ndarray:
    """Return the brim of a cap or of a wide hat as a grid (rows, columns, 3) float64 mm on the neutral head, inner edge
    first."""
    rng = np.random.default_rng([traits.seed, 0x4A9])
    length, droop, arch = rng.uniform(48, 72), rng.uniform(4, 22), rng.uniform(6, 16)
    rows, columns = 6, 21
    share = np.linspace(0, 1, rows)[:, None]
    if traits.hat == "wide":
        columns = 41
        angle = np.linspace(-180, 180, columns)
        inner = _edge(atlas, angle, np.asarray(hat_line(angle, traits)))
        outward = inner * np.array([1.0, 0.0, 1.0])
        outward /= np.linalg.norm(outward, axis=1, keepdims=True)
        surface = np.repeat((inner + (THICKNESS - 1) * outward)[None], rows, 0)
        surface += (share * (length + 12))[:, :, None] * outward
        # Turned up at the sides, down in front and behind.
        surface[:, :, 1] += 2 + share**1.5 * (arch * 1.2 * np.sin(np.radians(angle)) ** 2 - 0.7 * droop)
        return surface
    angle = np.linspace(-62, 62, columns)
    inner = _edge(atlas, angle, np.asarray(hat_line(angle, traits)))
    inner[:, 1] += 2  # tucked under the crown
    inner[:, [0, 2]] *= 1 + THICKNESS / np.hypot(inner[:, 0], inner[:, 2])[:, None]
    wide = np.cos(np.radians(angle) * 90 / 62)  # the brim's outline is an ellipse: nothing at its two ends
    surface = np.repeat(inner[None], rows, 0)
    surface[:, :, 2] += share * length * wide
    surface[:, :, 0] *= 1 - 0.12 * share * wide
    surface[:, :, 1] -= share**1.5 * droop * wide + share * arch * (1 - wide)
    return surface


def flattened_ears(vertices: np.ndarray, ears: np.ndarray) -> np.ndarray:
    """Return offsets (V, 3) that press ears under a headscarf: vertices (V, 3) mm, ears (V,) bool."""
    skull = np.abs(vertices[~ears & (vertices[:, 1] > -40), 0]).max()
    offset = np.zeros_like(vertices)
    excess = np.maximum(np.abs(vertices[:, 0]) - skull, 0) * ears
    offset[:, 0] = -np.sign(vertices[:, 0]) * 0.9 * excess
    return offset
