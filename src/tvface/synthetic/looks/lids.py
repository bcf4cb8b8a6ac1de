"""Appearance of the eye region that leaves the lids' points in place: folds, lashes, eye make-up."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.atlas import Atlas
from tvface.synthetic.looks.frontal import PIXELS_PER_MM, Frontal, smooth_path
from tvface.synthetic.looks.strands_numba import curves, over_lids
from tvface.synthetic.people.traits import Traits

# Upper and lower lid from the inner to the outer corner, right and left eye.
EYES = (((39, 38, 37, 36), (39, 40, 41, 36)), ((42, 43, 44, 45), (42, 47, 46, 45)))
BAND = (-25.0, 30.0)  # mm, range of heights of all this
OUT = 72.0  # mm, how far to the sides
LASHES = (44, 22)  # hairs along an upper and a lower lid
GLOW = np.array([0.92, 0.80, 0.76], np.float32)
INK = np.array([0.05, 0.04, 0.04], np.float32)
FOLD = np.array([0.75, 1.05, 1.1], np.float32)  # absorption: a fold of skin is a warm shadow


class LidPainter:
    """Painter of the lids of one head; all it paints lies in the BAND."""

    def __init__(self, atlas: Atlas) -> None:
        self.frontal = Frontal(atlas, (-OUT, BAND[1], 2 * OUT, BAND[1] - BAND[0]))
        self.part = self.frontal.window()
        self.eyes = [
            tuple(smooth_path(atlas.landmarks[list(lid), :2], 40) for lid in (above, below)) for above, below in EYES
        ]

    def paint(self, colour: np.ndarray, traits: Traits) -> None:
        """Paint lids, lashes and make-up of ``traits`` into ``colour`` (size, size, 3), in place."""
        frontal = self.frontal
        rng = np.random.default_rng([traits.seed, 0x11D5])
        fold, dark, smoke, bright = (frontal.empty() for _ in range(4))
        slope, below = rng.uniform(-0.2, 0.6), rng.uniform(0.2, 1.2)
        # Eye shadow is often laid on the outer half only, and the inner corner left light or made lighter.
        out, light = rng.uniform(0, 7), rng.uniform(0, 0.4) if traits.smoke and rng.random() < 0.6 else 0.0
        t = np.linspace(0, 1, 40)
        for upper, lower in self.eyes:
            outward = np.sign(upper[-1, 0])
            height = traits.crease_height * (0.45 + 0.55 * np.sin(np.pi * np.clip(0.15 + 0.75 * t, 0, 1)))
            if traits.crease:
                crease = upper + np.stack([outward * 1.5 * t, height], 1)
                frontal.stroke(fold, crease, rng.uniform(0.5, 1.0), 1.0)
            if traits.liner:
                line = upper[6:] + np.array([0.0, 0.5 * traits.liner])
                if traits.wing:
                    line = np.concatenate([line, line[-1:] + np.array([(outward, slope)]) * traits.wing])
                frontal.stroke(dark, line, traits.liner, 0.75)
            if traits.liner_below:
                frontal.stroke(dark, lower[12:] - np.array([0.0, below]), 0.8, traits.liner_below)
            if traits.smoke:
                middle = 0.5 * (upper.mean(0) + lower.mean(0)) + np.array([outward * (1.5 + out), 0.5])
                turn = np.linspace(0, 2 * np.pi, 40)
                frontal.area(smoke, middle + np.stack([(17.5 - out) * np.cos(turn), 7.5 * np.sin(turn)], 1))
            if light:
                turn = np.linspace(0, 2 * np.pi, 30)
                frontal.area(bright, upper[0] + np.stack([5 * np.cos(turn) - outward, 3.5 * np.sin(turn)], 1), light)
        lashes = self._lashes(traits, rng)
        layers = np.zeros((*fold.shape, 4), np.float32)
        layers[:, :, 0] = 0.75 * traits.crease * np.clip(frontal.soften(fold, 0.6), 0, 1)
        if traits.smoke:
            layers[:, :, 1] = traits.smoke * np.clip(frontal.soften(smoke, 2.5), 0, 1)
        layers[:, :, 2] = np.maximum(frontal.soften(dark, 0.35), frontal.soften(lashes[:, :, 0], 0.16))
        if light:
            layers[:, :, 3] = frontal.soften(bright, 1.5)
        texels = frontal.to_texture(layers, self.part)
        over_lids(colour[self.part], texels, FOLD, GLOW, INK)

    def _lashes(self, traits: Traits, rng: np.random.Generator) -> np.ndarray:
        """Draw the lashes on a canvas (H, W, 2): above they bend outwards and up, below they are sparse and short."""
        canvas = np.zeros((*self.frontal.shape, 2), np.float32)
        mascara = min(1.0, traits.lash_length / 5)
        thickness = (0.20 + 0.14 * mascara) * (0.4 + 0.6 * traits.lashes)
        for lids in self.eyes:
            for lid, count, up in zip(lids, LASHES, (1.0, -1.0), strict=True):
                outward = np.sign(lid[-1, 0])
                at = np.sort(rng.uniform(0.08, 1.0, count))
                root = np.stack([np.interp(at * 39, np.arange(40), lid[:, k]) for k in (0, 1)], 1)
                reach = (1.6 + 0.75 * traits.lash_length) * (0.45 + 0.6 * at) * rng.uniform(0.7, 1.15, count)
                angle = np.pi / 2 - (at - 0.3) * 1.5 + rng.normal(0, 0.12, count)
                if up < 0:
                    reach = 0.45 * reach * (rng.random(count) < 0.4 + 0.6 * mascara)
                end = reach[:, None] * np.stack([outward * np.cos(angle), up * np.sin(angle)], 1)
                # The lash first leaves the lid towards the viewer, then sweeps up.
                bend = root + end * (0.45, 0.25) + np.array([0.0, -0.25 * up])
                hairs = np.stack([root, bend, root + end], 1)
                pixels = self.frontal.pixels(hairs.reshape(-1, 2)).reshape(count, 3, 2).astype(np.float32)
                wide = np.full(count, thickness * PIXELS_PER_MM * (1.0 if up > 0 else 0.6), np.float32)
                curves(canvas, pixels, wide, np.ones(count, np.float32))
        return canvas
