"""The meshes of hair cards: ribbons with edges, shades and textures; and the knot of hair that is combed up."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.body.parts import Part
from tvface.synthetic.hair import cards
from tvface.synthetic.looks.skin import HAIR
from tvface.synthetic.people.haircuts import Cut
from tvface.synthetic.people.traits import Traits

KNOT: np.ndarray = np.array([0.0, 0.5, -0.87])  # direction of a bun or a tail from the middle of the head


def unit(vector: np.ndarray) -> np.ndarray:
    """Return vectors (..., 3) of length 1."""
    return np.asarray(vector / (np.linalg.norm(vector, axis=-1, keepdims=True) + 1e-9))


def ribbon_mesh(
    cut: Cut,
    traits: Traits,
    vertices: np.ndarray,
    outward: np.ndarray,
    depth: np.ndarray,
    stray: np.ndarray,
    rng: np.random.Generator,
) -> Part:
    """Make the mesh of ribbons with edges at vertices (N, steps + 1, 2, 3)."""
    count, rows = vertices.shape[:2]
    steps = rows - 1
    first = np.arange(count)[:, None] * rows * 2 + np.arange(steps)[None] * 2
    quads = first[:, :, None] + np.array([0, 2, 1, 1, 2, 3])
    bunch, wisp = rng.integers(0, cards.BUNCHES, count), rng.integers(0, cards.WISPS, count)
    card = np.where(stray, cards.BUNCHES + wisp, bunch)
    colour, alpha = cards.paint(cut.kind, traits, rng)
    along = np.linspace(0, 1, rows)
    # The inner layers and the roots lie in the shade of the others; a band of light lies where the surface looks up.
    root: np.ndarray = 0.72 + 0.36 * np.minimum(1, 1.6 * along)
    light = np.outer(0.6 + 0.4 * depth, root)
    light = light * np.exp(rng.normal(0, 0.10, (count, 1)))
    band = np.exp(-(((outward[:, :, 1] - 0.66 + rng.normal(0, 0.05, (count, 1))) / 0.14) ** 2))
    light = light * (1 + (0.42 if cut.kind in ("straight", "short") else 0.22) * band)
    low = np.clip((-100 - vertices[:, :, 0, 1]) / 80, 0, 1)
    light = light * (1 - 0.25 * np.clip(low * 2, 0, 1) * (1 - depth)[:, None])
    flat = vertices.reshape(-1, 3).astype(np.float32)
    normals = np.repeat(outward[:, :, None], 2, 2).reshape(-1, 3).astype(np.float32)
    return Part(
        flat,
        quads.reshape(-1, 3).astype(np.int32),
        cards.places(card, steps),
        colour,
        np.full(colour.shape[:2], HAIR, np.uint8),
        np.repeat(0.85 * low * low, 2, axis=1).reshape(-1).astype(np.float32),
        alpha,
        normals,
        np.repeat(light[:, :, None], 2, 2).reshape(-1).astype(np.float32),
        # On light strands the same highlight would look like plastic.
        gloss=cut.gloss * float(np.clip(1.15 - 2.2 * colour[alpha > 128].mean() / 255, 0.15, 1)),
    )


def gathered(knot: np.ndarray, cut: Cut, traits: Traits) -> list[Part]:
    """Build the knot where hair that is combed up ends: a bun or a tail at ``knot`` (3,) mm; none for others."""
    if cut.comb != "up":
        return []
    rng = np.random.default_rng([traits.seed, 0x6B07])
    tail = traits.hair_style == "ponytail"
    count, steps = (90, 6) if tail else (110, 4)
    depth = np.linspace(1, 0, count)
    turn = rng.uniform(0, 2 * np.pi, count)
    if tail:
        length = rng.uniform(120, 280) * np.exp(rng.normal(0, 0.08, count))
        spread = 7 + 14 * np.sqrt(depth)
        along = np.linspace(0, 1, steps + 1)[None]
        fat = spread[:, None] * (0.35 + 1.1 * np.sqrt(along) * (1.15 - 0.6 * along))
        back = knot[2] - 2 - 26 * np.sin(np.minimum(along * 2.2, 1.6)) + 30 * along**2
        points = np.stack(
            [
                fat * np.sin(turn)[:, None] + 9 * along**2 * rng.normal(0, 1),
                knot[1] - length[:, None] * np.maximum(along - 0.06, 0) + 10 * np.sin(np.pi * np.minimum(1, 3 * along)),
                back + 0.8 * fat * np.cos(turn)[:, None],
            ],
            -1,
        )
        outward = unit(np.stack([np.sin(turn), np.full(count, 0.15), np.cos(turn) - 0.4], 1))[:, None]
    else:
        radius, tilt = rng.uniform(24, 34), rng.uniform(-0.6, 0.6)
        high = knot + 0.55 * radius * KNOT + np.array([0.0, rng.uniform(-4, 10), 0.0])
        # Strands wind around the knot's axis, each on its own latitude of a ball.
        latitude = rng.uniform(-1.2, 1.2, count)[:, None] + np.linspace(-0.3, 0.3, steps + 1)[None]
        longitude = turn[:, None] + np.linspace(0, 1.7, steps + 1)[None]
        ball = np.stack(
            [np.cos(latitude) * np.sin(longitude), np.cos(latitude) * np.cos(longitude), 0.8 * np.sin(latitude)], -1
        )
        ball[..., 1], ball[..., 2] = (
            ball[..., 1] * np.cos(tilt) - ball[..., 2] * np.sin(tilt),
            ball[..., 1] * np.sin(tilt) + ball[..., 2] * np.cos(tilt),
        )
        points = high + ball * (radius * (0.72 + 0.28 * depth))[:, None, None]
        outward = unit(ball)
    outward = np.broadcast_to(outward, points.shape)
    side = unit(np.cross(np.gradient(points, axis=1), outward))
    half = 0.5 * cut.width * (1 - 0.3 * np.linspace(0, 1, steps + 1) ** 2)[None, :, None]
    vertices = np.stack([points - half * side, points + half * side], 2)
    return [ribbon_mesh(cut, traits, vertices, outward, depth, rng.random(count) < 0.05, rng)]
