"""Scalp hair and the finished procedural texture."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from scipy.interpolate import PchipInterpolator

from tvface.synthetic.atlas import Atlas
from tvface.synthetic.body import hats
from tvface.synthetic.hair.cards import WHITE
from tvface.synthetic.hair.texture_numba import gather, lay
from tvface.synthetic.looks.brows import Embedding
from tvface.synthetic.looks.skin import HAIR, SkinPainter, smoothstep
from tvface.synthetic.noise import Noise
from tvface.synthetic.people.haircuts import CUTS
from tvface.synthetic.people.traits import Traits, draw_traits


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


def _line(atlas: Atlas, traits: Traits) -> np.ndarray:
    """Return :func:`hair_line` at the texels, (size, size) float32, from a table of half degrees."""
    table = hair_line(np.arange(-180, 181, 0.5), traits).astype(np.float32)
    return np.asarray(table[atlas.half_degrees])


def _coarse(noise: Noise, size: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a noise at a quarter of the size and enlarge it: (size, size) float32."""
    drawn = noise.draw(size // 4, size // 4, rng)
    return np.asarray(cv2.resize(drawn, (size, size), interpolation=cv2.INTER_LINEAR))


def _rim(atlas: Atlas, traits: Traits, rng: np.random.Generator) -> np.ndarray:
    """Return how much hair a balding crown has left: (size, size) float32."""
    edge = 34 + 26 * (1 - traits.recession) + 6 * _coarse(Noise(8, 2), atlas.size, rng)
    crown = smoothstep(atlas.position[:, :, 1] - edge, 0, -22)
    return np.asarray(np.maximum(crown, 0.18) * smoothstep(np.abs(atlas.theta), 62, 80))


def scalp_opacity(
    atlas: Atlas, traits: Traits, rng: np.random.Generator, grain: np.ndarray | None = None
) -> np.ndarray:
    """Return the opacity of the scalp hair: (size, size) float32; ears stay free.

    Args:
        grain: :func:`strands` of the person; None: drawn.
    """
    size, style = atlas.size, traits.hair_style
    if style == "bald":
        return np.zeros((size, size), np.float32)
    grain = strands(atlas, rng) if grain is None else grain
    cut = CUTS[style]
    height = atlas.position[:, :, 1]
    # Single hairs stand before the closed hair, so the line is a zone of strands.
    rough = 3.0 if cut.comb in ("back", "up") else 9.0
    soft = 9.0 if style in ("buzz", "crop", "rim") or cut.comb in ("back", "up") else 6.0
    over = height - _line(atlas, traits) + 3.2 * _coarse(Noise(24, 2), size, rng)
    opacity = smoothstep(over + rough * (grain - 1), -soft, soft)
    if style in ("crop", "buzz"):
        # A fade: shaved closer towards ears and neck.
        faded = 0.5 + 0.5 * smoothstep(height, -20, 45)
        opacity *= np.where(np.abs(atlas.theta) > 55, faded, np.float32(1))
    if cut.comb == "side":
        across = atlas.position[:, :, 0] - np.float32(np.sin(np.radians(traits.parting)) * 70)
        parting = np.maximum(1 - np.abs(across) / 2.4, 0) * smoothstep(atlas.position[:, :, 2], -45, -30)
        opacity *= 1 - 0.5 * parting
    if style == "rim":
        opacity *= _rim(atlas, traits, rng)
    opacity *= atlas.bare
    return opacity.astype(np.float32)


@lru_cache(maxsize=8)
def _bunches(number: int) -> np.ndarray:
    """Draw strands over a cylinder, rows down from the crown: (24, 1800) float32 of about unit deviation."""
    rng = np.random.default_rng([0x57A, number])
    white = rng.standard_normal((2, 24, 1800), dtype=np.float32)
    fine = np.asarray(cv2.GaussianBlur(white[0], (0, 0), sigmaX=0.8, sigmaY=2.0), np.float32)
    coarse = np.asarray(cv2.GaussianBlur(white[1], (0, 0), sigmaX=7, sigmaY=5), np.float32)
    return np.asarray(fine / fine.std() + 0.5 * coarse / coarse.std())


def strands(atlas: Atlas, rng: np.random.Generator) -> np.ndarray:
    """Return the brightness of hair strands that run down from the crown: (size, size) float32 around 1."""
    pattern = _bunches(int(rng.integers(8)))
    last = pattern.shape[1] - 1
    wave = _coarse(Noise(6, 2), atlas.size, rng)
    column = (atlas.theta + np.float32(180) + 3 * wave) * np.float32(last / 360)
    # As ``% last`` within one turn either way, which takes longer.
    column[column < 0] += last
    column[column >= last] -= last
    row = np.clip((120 - atlas.position[:, :, 1]) * np.float32(23 / 250), 0, 23)
    return np.asarray(1 + 0.17 * cv2.remap(pattern, column, row, cv2.INTER_LINEAR), np.float32)


def hair_colour(atlas: Atlas, traits: Traits, rng: np.random.Generator, grain: np.ndarray | None = None) -> np.ndarray:
    """Return the colour of the scalp hair per texel: (size, size, 3) float32; other hair above it shades it.

    Args:
        grain: :func:`strands` of the person; None: drawn.
    """
    natural = np.array(traits.hair_natural or traits.hair_colour, np.float32)
    grain = strands(atlas, rng) if grain is None else grain
    if traits.hair_style == "buzz":
        grain = 1 + 0.1 * rng.standard_normal((atlas.size, atlas.size), dtype=np.float32) + 0.3 * (grain - 1)
    light = np.clip(grain, 0.3, 2) * np.float32(0.62)
    planes = [tone * light for tone in natural]
    if traits.grey:
        # The grey strands are others than the bright ones.
        middle = 0.6 * (0.5 - traits.grey)
        white = smoothstep(1 - np.roll(grain, 37, axis=1), middle - 0.15, middle + 0.15)
        for plane, pale in zip(planes, WHITE.astype(np.float32), strict=True):
            plane += white * (pale * light - plane)
    return np.asarray(cv2.merge(planes), np.float32)


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
    pixels = np.empty(colour.shape, np.uint8)
    gather(colour, row, column, pixels)
    return pixels, labels[row, column].astype(np.uint8)


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
    grain = strands(atlas, rng)
    opacity = scalp_opacity(atlas, traits, rng, grain)
    density = 0.8 if traits.hair_style in ("buzz", "rim") else 0.95
    lay(colour, opacity, density, hair_colour(atlas, traits, rng, grain))
    labels = np.where(opacity > 0.5, HAIR, labels)
    if traits.hat:
        cloth = hats.cover(atlas, traits)
        if traits.hat == "scarf":
            labels = np.where(opacity > 0.5, atlas.labels, labels)  # no hair shows
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
