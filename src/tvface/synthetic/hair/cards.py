"""Textures of hair cards: bunches of strands with gaps between them, from which ribbons on the head are cut."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np

from tvface.synthetic.people.traits import Traits

ROWS, WIDTH, BUNCHES, WISPS = 96, 24, 10, 3  # texels along and across a card; cards in a texture, and thin ones beside
# Strands of a bunch; how far they wander and wave (shares of the width), waves along it, how early the first one ends.
KINDS = {
    "straight": (23, 0.10, 0.00, 0.0, 0.8),
    "short": (13, 0.16, 0.00, 0.0, 0.35),
    "wavy": (15, 0.12, 0.12, 2.6, 0.75),
    "curly": (15, 0.14, 0.26, 4.5, 0.55),
    "coil": (9, 0.10, 0.36, 3.2, 0.55),
}
WHITE = np.array([0.64, 0.635, 0.62])


class Pattern(NamedTuple):
    """Cards side by side: opacity (ROWS, columns) uint8; strand (ROWS, columns) int32, number of the strand that is on
    top; light (ROWS, columns) float32, brightness around 1; ``strands`` is their count."""

    opacity: np.ndarray
    strand: np.ndarray
    light: np.ndarray
    strands: int


@lru_cache(maxsize=8)
def pattern(kind: str) -> Pattern:
    """Draw the cards of a kind of :data:`KINDS`; the root lies in row 0."""
    count, wander, wave, turns, early = KINDS[kind]
    rng = np.random.default_rng([0xCA2D, sorted(KINDS).index(kind)])
    scale, columns = 4, WIDTH * (BUNCHES + WISPS)
    opacity = np.zeros((ROWS * 2, columns * scale), np.uint8)
    strand = np.full(opacity.shape, -1, np.int32)
    light = np.ones(opacity.shape, np.float32)
    along = np.linspace(0, 1, 40)
    number = 0
    for card in range(BUNCHES + WISPS):
        wisp = card >= BUNCHES
        phase, common = rng.uniform(0, 2 * np.pi), rng.normal(0, wander)
        for _ in range(max(2, count // 5) if wisp else count):
            end = rng.uniform(early, 1.0) if not wisp else rng.uniform(0.5, 1.0)
            root = rng.uniform(0.12, 0.88)
            at = root + (common * 0.5 + rng.normal(0, wander) - (root - 0.5) * 0.35) * along**1.6
            at = at + wave * np.sin(turns * 2 * np.pi * along + phase + rng.normal(0, 0.7)) * np.minimum(1, 3 * along)
            at = np.clip(at, 0.04, 0.96)
            thick = (0.35 if wisp else rng.uniform(0.6, 1.4)) * scale * np.clip(1.25 - along / end, 0.25, 1)
            shown = along <= end
            points = np.stack([(card + at) * WIDTH * scale, along * (2 * ROWS - 1)], 1)[shown]
            bright = float(np.exp(rng.normal(0, 0.22)))
            for k in range(len(points) - 1):
                ends = tuple(points[k].astype(int).tolist()), tuple(points[k + 1].astype(int).tolist())
                width = max(1, round(float(thick[k])))
                cv2.line(opacity, *ends, 255, width)
                cv2.line(strand, *ends, number, width)
                cv2.line(light, *ends, bright * (1 if k % 2 else 0.97), width)
            number += 1
    small = (columns, ROWS)
    soft = cv2.convertScaleAbs(cv2.resize(opacity, small, interpolation=cv2.INTER_AREA), alpha=1.35)
    centre = (slice(None, None, 2), slice(scale // 2, None, scale))
    row = np.maximum(strand[centre], strand[::2, ::scale])
    shade = cv2.resize(light, small, interpolation=cv2.INTER_AREA)
    return Pattern(np.ascontiguousarray(soft), row, np.asarray(shade, np.float32), number)


def strand_colours(traits: Traits, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the colours of ``count`` strands: (count, 3) float32; grey hair is a mix of white and of dark strands."""
    # Even black hair sends some light back.
    natural = np.array(traits.hair_natural or traits.hair_colour) * 1.1 + 0.015
    colour = natural * np.exp(rng.normal(0, 0.13, (count, 1)) + rng.normal(0, 0.04, (count, 3)))
    if traits.highlights:
        bleached = np.clip(natural * 1.5 + np.array([0.12, 0.08, 0.03]), 0, 0.85)
        streak = rng.random(count) < 0.4
        colour[streak] += traits.highlights * (bleached - colour[streak])
    white = rng.random(count) < traits.grey
    colour[white] = WHITE * rng.uniform(0.75, 1.05, (int(white.sum()), 1))
    # Light scatters from strand to strand, so no strand stands out at full contrast.
    return np.asarray(colour * 0.62 + 0.38 * colour.mean(0), np.float32)


def paint(kind: str, traits: Traits, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Paint the cards of a person.

    Returns:
        Colour (ROWS, columns, 3) uint8 and opacity (ROWS, columns) uint8.
    """
    drawn = pattern(kind)
    colours = strand_colours(traits, drawn.strands + 1, rng)
    along = np.linspace(0, 1, ROWS, dtype=np.float32)[:, None]
    roots = 0.78 + 0.3 * np.clip(along * 2.2, 0, 1)
    light = drawn.light * roots * (1 + 0.08 * np.sin(9 * along + rng.uniform(0, 6)))
    colour = colours[drawn.strand] * light[:, :, None]
    return np.clip(colour * 255, 0, 255).astype(np.uint8), drawn.opacity


def places(card: np.ndarray, steps: int) -> np.ndarray:
    """Return the texel coordinates of the triangles of cards: (N * 2 steps, 3, 2) float32, for numbers (N,) int."""
    left = card[:, None] * WIDTH + 0.5
    right = left + WIDTH - 2.0
    rows = np.linspace(0, ROWS - 1, steps + 1)
    top, low = np.broadcast_to(rows[:-1], (len(card), steps)), np.broadcast_to(rows[1:], (len(card), steps))
    left, right = np.broadcast_to(left, top.shape), np.broadcast_to(right, top.shape)
    corner = [np.stack([x, y], -1) for x, y in ((left, top), (left, low), (right, top), (right, low))]
    quads = np.stack([corner[0], corner[1], corner[2], corner[2], corner[1], corner[3]], 2)
    return np.ascontiguousarray(quads.reshape(-1, 3, 2), np.float32)
