"""Beards that grow hair by hair over the texture: stubble, full beards, goatees, moustaches."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.synthetic.atlas import EMPTY, NECK_LABEL, SKIN, Atlas
from tvface.synthetic.looks.strands_numba import grow, over_hairs
from tvface.synthetic.people.traits import Traits

EARS = (7, 8)
FARTHEST = 3.0  # texels per mm; more is the jump between two charts


def _step(x: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)


class BeardPainter:
    """Painter of the beards of one head: where hair may grow, and in which direction."""

    def __init__(self, atlas: Atlas, lips: np.ndarray) -> None:
        """``lips`` (size, size): opacity of the painted lips, which stay free."""
        self.atlas = atlas
        points = atlas.landmarks
        position = atlas.position
        x, y, theta = np.abs(position[:, :, 0]), position[:, :, 1], np.abs(atlas.theta)
        foot, mouth, chin = points[33, 1], points[[51, 57], 1].mean(), points[8, 1]
        low, corner, eye = points[57, 1], points[54], points[42:48, 1].mean()
        skin = (atlas.part == SKIN) & ~np.isin(atlas.labels, EARS)
        bare = (1 - np.clip(1.5 * lips, 0, 1)) * skin
        # The upper edge falls from the ear to the corner of the mouth.
        edge = np.interp(x, [0, corner[0], corner[0] + 14, 62, 72], [mouth + 4, mouth + 6, foot - 10, foot + 12, eye])
        jaw = _step(y - edge, 9, -9) * _step(theta, 84, 72)
        neck = cv2.GaussianBlur((atlas.labels == NECK_LABEL).astype(np.float32), (0, 0), atlas.size / 90)
        jaw *= (1 - np.clip(1.25 * neck * _step(y, chin + 4, chin - 16), 0, 1)) * _step(y, chin - 30, chin - 10)
        # Little grows beside the tuft below the lower lip.
        beside = np.exp(-(((x - 11) / 5) ** 2) - ((y - low + 5) / 6) ** 2)
        jaw *= 1 - 0.8 * beside
        lip_hair = (
            _step(y, foot + 1.5, foot - 2.5) * _step(y, mouth - 3, mouth + 1) * _step(x, corner[0] + 6, corner[0] - 3)
        )
        lip_hair *= 1 - 0.55 * np.exp(-((x / 2.2) ** 2)) * _step(y, mouth + 6, foot)
        lip_hair *= 1 - 0.45 * np.clip(x / (corner[0] + 3), 0, 1) ** 3
        droop = 0.85 * _step(np.abs(x - corner[0] - 3 - 0.16 * (y - mouth)), 8, 1) * _step(y, foot - 6, foot - 18)
        side = _step(np.abs(theta - 75), 12, 5) * _step(y, eye + 16, eye - 14) * _step(y, foot - 25, foot - 5)
        self.jaw = (jaw * bare).astype(np.float32)
        self.moustache = (lip_hair * bare).astype(np.float32)
        self.sides = (np.maximum(side, jaw * _step(theta, 50, 62) * _step(y, mouth - 16, mouth)) * bare).astype(
            np.float32
        )
        round_mouth = np.maximum(droop, _step(x, corner[0] + 4, corner[0] - 11) * _step(y, mouth, mouth - 10))
        self.goatee = (round_mouth * jaw * bare).astype(np.float32)
        strap = _step(np.hypot(np.maximum(x - 20, 0) * 0.25, y - chin - 8 - 0.012 * x * x), 22, 12)
        self.strap = (np.maximum(strap * jaw, self.sides) * bare).astype(np.float32)
        self.shadow = (np.clip(np.maximum(0.9 * jaw, 0.75 * lip_hair), 0, 1) * bare).astype(np.float32)
        # Hair grows where one may choose roots, all others weigh nothing.
        self.field = self._directions(foot, mouth, corner)

    def _directions(self, foot: float, mouth: float, corner: np.ndarray) -> np.ndarray:
        """Return the growth in texels per mm (size, size, 2): down, aside under the nose, back along the jaw."""
        position = self.atlas.position.astype(np.float64)
        u, v = np.gradient(position, axis=1), np.gradient(position, axis=0)
        x, y = position[:, :, 0], position[:, :, 1]
        growth = np.stack([0.25 * np.sign(x) * np.clip(np.abs(x) / 30, 0, 1), -np.ones_like(x), np.zeros_like(x)], 2)
        growth[:, :, 2] = -0.45 * _step(np.abs(x), 35, 60)
        under_nose = _step(y, mouth - 2, mouth + 4) * _step(np.abs(x), corner[0] + 12, corner[0])
        aside = np.clip(x / 4, -1, 1) * (0.35 + 0.9 * np.clip(np.abs(x) / 20, 0, 1))
        growth[:, :, 0] += under_nose * aside
        growth /= np.linalg.norm(growth, axis=2, keepdims=True)
        uu, vv, uv = (u * u).sum(2), (v * v).sum(2), (u * v).sum(2)
        gu, gv = (growth * u).sum(2), (growth * v).sum(2)
        area = np.maximum(uu * vv - uv * uv, 1e-6)
        field = np.stack([(gu * vv - gv * uv) / area, (gv * uu - gu * uv) / area], 2)
        good = (self.atlas.part != EMPTY) & (np.sqrt(uu + vv) < 12) & (np.linalg.norm(field, axis=2) < FARTHEST)
        return np.ascontiguousarray(field * good[:, :, None], np.float32)

    def density(self, traits: Traits) -> np.ndarray:
        """Return how thickly the beard of a person grows: (size, size) float32 in [0, 1]."""
        area = {"goatee": self.goatee, "strap": self.strap}.get(traits.beard_style, np.maximum(self.jaw, self.sides))
        return np.maximum(area * min(1.0, 1.2 * traits.beard), self.moustache * min(1.0, 1.2 * traits.moustache))

    def paint(self, colour: np.ndarray, traits: Traits, rng: np.random.Generator) -> None:
        """Let the hairs grow over ``colour`` (size, size, 3) float32, in place."""
        natural = np.array(traits.brow_colour) * 0.45 + np.array(traits.hair_colour) * 0.55
        grey = (
            float(np.clip((traits.nature.age - 42) / 30 + 0.2 * rng.normal(), 0, 0.9))
            if traits.nature.age > 38
            else 0.0
        )
        dark, light = np.clip(natural * 0.45, 0.015, 0.5), np.clip(natural * 1.25 + 0.02, 0.03, 0.62)
        if traits.stubble > 0.25 and not traits.beard:
            self._grow(colour, self.shadow * min(1.0, traits.stubble), 0.9, (0.5, 1.6), 0.22, dark, light, grey, rng)
        density = self.density(traits)
        if density.any():
            # A moustache alone is kept short.
            length = float(traits.beard_length) if traits.beard else min(float(traits.beard_length), 5.0)
            under = 0.72 * np.clip(density, 0, 1) ** 1.6 * min(1.0, 0.35 + length / 12)
            base = dark * (1 - 0.45 * grey) + 0.45 * grey * np.array([0.34, 0.305, 0.26])
            colour += under[:, :, None] * (base.astype(np.float32) - colour)
            self._grow(colour, density, 1.5, (0.5 * length, 1.3 * length), 0.36, dark, light, grey, rng)

    def _grow(
        self,
        colour: np.ndarray,
        density: np.ndarray,
        per_texel: float,
        lengths: tuple[float, float],
        width: float,
        dark: np.ndarray,
        light: np.ndarray,
        grey: float,
        rng: np.random.Generator,
    ) -> None:
        where = np.flatnonzero(density > 0.02)
        # Beards are patchy, most of all at their borders.
        cells = self.atlas.size // 12
        rows, columns = np.divmod(where, self.atlas.size)
        patchy = rng.standard_normal((cells + 1, cells + 1))[
            rows * cells // self.atlas.size, columns * cells // self.atlas.size
        ]
        chance = np.clip(density.ravel()[where] + 0.13 * patchy, 0, 1)
        picked = where[rng.random(len(where), dtype=np.float32) < per_texel * 0.6 * chance**1.3]
        rng.shuffle(picked)
        count = len(picked)
        if not count:
            return
        rows, columns = np.divmod(picked, self.atlas.size)
        roots = np.stack([columns, rows], 1) + rng.uniform(-0.5, 0.5, (count, 2))
        cells = self.atlas.size // 8
        clumps = rng.standard_normal((cells, cells))[
            rows * cells // self.atlas.size, columns * cells // self.atlas.size
        ]
        shine = np.clip(0.42 + 0.16 * clumps + 0.22 * rng.standard_normal(count), 0, 1.1).astype(np.float32)
        white = rng.random(count) < grey * (0.75 + 0.25 * np.clip(clumps, -1, 1))
        length = rng.uniform(*lengths, count) * (0.45 + 0.55 * density.ravel()[picked])
        turn = (0.28 * rng.standard_normal(count) + 0.15 * clumps).astype(np.float32)
        for kind, low, high in (
            (~white, dark, light),
            (white, np.array([0.31, 0.28, 0.24]), np.array([0.70, 0.66, 0.60])),
        ):
            if not kind.any():
                continue
            canvas = np.zeros((*density.shape, 2), np.float32)
            wide = np.full(int(kind.sum()), width, np.float32)
            grow(
                canvas,
                roots[kind].astype(np.float32),
                self.field,
                turn[kind],
                length[kind].astype(np.float32),
                wide,
                shine[kind],
            )
            over_hairs(colour, canvas, low.astype(np.float32), high.astype(np.float32))
