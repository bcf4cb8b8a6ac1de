"""Scalp hair and the finished procedural texture."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

from tvface.synthetic import hats
from tvface.synthetic.atlas import SKIN, Atlas
from tvface.synthetic.brows import Embedding
from tvface.synthetic.hair_cuts import CUTS
from tvface.synthetic.noise import Noise
from tvface.synthetic.skin import EARS, HAIR, SkinPainter, smoothstep
from tvface.synthetic.strand_cards import WHITE
from tvface.synthetic.traits import Traits, draw_traits


@dataclass(frozen=True)
class Texture:
    """The appearance of a head.

    ``colour`` (S, S, 3) uint8 RGB reflectance, row 0 at v = 1; ``labels`` (S, S) uint8 zllrunning classes; ``scalp``
    (V,) float32, >= 0, height of the hair over each vertex in thicknesses of the style. ``traits`` are the looks of the
    parts beside the head (hair, cloth, spectacles): drawn, or for a portrait set to match. ``brows`` are triangles
    (10,) and barycentric weights (10, 3) of points 17..26; None: the brows of the head. ``photographed``: shadows and
    wrinkles are in the colours.
    """

    name: str
    colour: np.ndarray
    labels: np.ndarray
    scalp: np.ndarray
    traits: Traits
    brows: Embedding | None = None
    photographed: bool = False


def hair_line(theta: np.ndarray, traits: Traits) -> np.ndarray:
    """Return the height of the hair line in mm over the eyes for azimuths in degrees (any sign)."""
    # Ribbons hang over the line, so it lies higher than it looks.
    front = traits.hair_line + (5 if CUTS[traits.hair_style].cards else 0)
    temple = front - 6 + 10 * traits.recession
    knots = np.array([0, 20, 38, 52, 64, 74, 84, 92, 108, 118, 135, 180])
    heights = np.array(
        [front, front + 1, temple, front - 20 + 8 * traits.recession, 18, 2, -14, -16, -12, -28, -58, -74]
    )
    heights = np.minimum.accumulate(np.where(knots <= 84, heights, -20.0)) * (knots <= 84) + heights * (knots > 84)
    line = np.asarray(PchipInterpolator(knots, heights)(np.clip(np.abs(theta), 0, 180)))
    return line


def _rim(atlas: Atlas, traits: Traits, rng: np.random.Generator) -> np.ndarray:
    """Return how much hair a balding crown has left: (size, size) float32."""
    edge = 34 + 26 * (1 - traits.recession) + 6 * Noise(8, 2).draw(atlas.size, atlas.size, rng)
    crown = smoothstep(atlas.position[:, :, 1], edge, edge - 22)
    return np.maximum(crown, 0.18) * smoothstep(np.abs(atlas.theta), 62, 80)


def scalp_opacity(atlas: Atlas, traits: Traits, rng: np.random.Generator) -> np.ndarray:
    """Return the opacity of the scalp hair: (size, size) float32; ears stay free."""
    size = atlas.size
    if traits.hair_style == "bald":
        return np.zeros((size, size), np.float32)
    ragged = 2.2 * Noise(size // 6, 2).draw(size, size, rng) + 2.5 * Noise(24, 1).draw(size, size, rng)
    over = atlas.position[:, :, 1] - hair_line(atlas.theta, traits) + ragged
    # Single hairs stand before the closed hair, so the line is a zone of strands.
    fine = strands(atlas, rng) - 1
    soft = {"buzz": 9.0, "crop": 8.0, "rim": 8.0, "afro": 6.0}.get(traits.hair_style, 6.0)
    opacity = smoothstep(over + 12 * fine, -soft, soft)
    if traits.hair_style in ("crop", "buzz"):
        # A fade: shaved closer towards ears and neck.
        faded = 0.5 + 0.5 * smoothstep(atlas.position[:, :, 1], -20, 45)
        opacity = opacity * np.where(np.abs(atlas.theta) > 55, faded, 1)
    if CUTS[traits.hair_style].comb == "side":
        across = atlas.position[:, :, 0] - np.sin(np.radians(traits.parting)) * 70
        parting = np.exp(-((across / 1.8) ** 2)) * smoothstep(atlas.position[:, :, 2], -45, -30)
        opacity = opacity * (1 - 0.6 * parting)
    if traits.hair_style == "rim":
        opacity = opacity * _rim(atlas, traits, rng)
    opacity *= (atlas.part == SKIN) & ~np.isin(atlas.labels, EARS)
    return opacity.astype(np.float32)


def strands(atlas: Atlas, rng: np.random.Generator) -> np.ndarray:
    """Return the brightness of hair strands that run down from the crown: (size, size) float32 around 1."""
    columns = 1800
    fine = rng.standard_normal((24, columns), dtype=np.float32)
    fine = np.asarray(cv2.GaussianBlur(fine, (0, 0), sigmaX=0.8, sigmaY=2.0), np.float32)
    coarse = np.asarray(
        cv2.GaussianBlur(rng.standard_normal((24, columns), dtype=np.float32), (0, 0), sigmaX=7, sigmaY=5), np.float32
    )
    pattern = fine / fine.std() + 0.5 * coarse / coarse.std()
    wave = 3.0 * Noise(6, 2).draw(atlas.size, atlas.size, rng)
    column = ((atlas.theta + wave + 180) / 360 * (columns - 1)) % (columns - 1)
    row = np.clip((120 - atlas.position[:, :, 1]) / 250 * 23, 0, 23)
    return 1 + 0.17 * np.asarray(
        cv2.remap(pattern, column.astype(np.float32), row.astype(np.float32), cv2.INTER_LINEAR), np.float32
    )


def hair_colour(atlas: Atlas, traits: Traits, rng: np.random.Generator) -> np.ndarray:
    """Return the colour of the scalp hair per texel: (size, size, 3) float32; it lies in the shade of the hair above."""
    natural = np.array(traits.hair_natural or traits.hair_colour, np.float32)
    if traits.hair_style == "buzz":
        light = 1 + 0.12 * Noise(atlas.size // 2, 1).draw(atlas.size, atlas.size, rng)
    else:
        light = strands(atlas, rng)
    shade = 0.62 if CUTS[traits.hair_style].cards else 0.9
    colour = natural * np.clip(light, 0.3, 2)[:, :, None]
    if traits.grey:
        white = smoothstep(strands(atlas, rng) - 1, 0.4 - 0.7 * traits.grey, 0.9 - 0.7 * traits.grey)[:, :, None]
        colour = colour + white * (WHITE.astype(np.float32) * np.clip(light, 0.6, 1.3)[:, :, None] - colour)
    return np.asarray(colour * shade, np.float32)


def vertex_values(atlas: Atlas, values: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Sample a texel map (size, size) at the head's vertices: (V,) float32."""
    result = np.zeros(len(atlas.vertices), np.float32)
    column = np.clip(np.round(atlas.corners[:, :, 0]), 0, atlas.size - 1).astype(int)
    row = np.clip(np.round(atlas.corners[:, :, 1]), 0, atlas.size - 1).astype(int)
    result[faces] = values[row, column]
    return result


def finish(atlas: Atlas, colour: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fill the gaps between the charts and quantise: colour uint8 and labels uint8."""
    row, column = atlas.nearest
    return np.clip(colour[row, column] * 255 + 0.5, 0, 255).astype(np.uint8), labels[row, column].astype(np.uint8)


def procedural_texture(painter: SkinPainter, faces: np.ndarray, seed: int, traits: Traits | None = None) -> Texture:
    """Paint the person of ``seed``; equal seeds give equal bytes.

    Args:
        painter: of the head's atlas.
        faces: (F, 3) the head's triangles.
        seed: any integer.
        traits: looks; None: drawn from the seed.
    """
    traits = traits or draw_traits(seed)
    atlas = painter.atlas
    colour, labels = painter.paint(traits)
    rng = np.random.default_rng([seed, 0xA1])
    opacity = scalp_opacity(atlas, traits, rng)
    density = 0.8 if traits.hair_style in ("buzz", "rim") else 0.95
    weight = (opacity * density)[:, :, None]
    colour = colour * (1 - weight) + weight * hair_colour(atlas, traits, rng)
    labels = np.where(opacity > 0.5, HAIR, labels)
    if traits.hat:
        cloth = hats.cover(atlas, traits)
        colour = colour + cloth[:, :, None] * (hats.paint(atlas, traits, rng) - colour)
        labels = np.where(cloth > 0.5, hats.HAT, labels)
    pixels, classes = finish(atlas, colour, labels)
    smooth = cv2.GaussianBlur(opacity, (0, 0), atlas.size / 80) * opacity
    scalp = vertex_values(atlas, smooth, faces) * traits.hair_volume
    if traits.hair_waves:
        lumps = Noise(9, 2).draw(atlas.size, atlas.size, np.random.default_rng([seed, 0xA2]))
        scalp *= 1 + traits.hair_waves * np.clip(0.6 * vertex_values(atlas, lumps, faces), -1, 1)
    if traits.hat:
        worn = vertex_values(atlas, cv2.GaussianBlur(cloth, (0, 0), atlas.size / 120) * cloth, faces)
        scalp = np.where(worn > 0.02, worn, scalp).astype(np.float32)
    brows = painter.bind(faces, np.array(traits.brows)) if traits.brows else None
    return Texture(f"procedural-{seed}", pixels, classes, scalp, traits, brows)
