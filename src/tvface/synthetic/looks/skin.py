"""Procedural skin: colours of the bald face, brows, lips, beard and eyes in the head's texture."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.synthetic.atlas import MOUTH, SKIN, Atlas
from tvface.synthetic.looks.beards import BeardPainter
from tvface.synthetic.looks.brows import Binding, BrowPainter
from tvface.synthetic.looks.eyes import EyePainter
from tvface.synthetic.looks.frontal import Frontal, smooth_path
from tvface.synthetic.looks.lids import LidPainter
from tvface.synthetic.looks.lips import LipPainter
from tvface.synthetic.looks.strands_numba import over, over_hairs, spots, tint
from tvface.synthetic.looks.zones import EARS, Zones, smoothstep
from tvface.synthetic.people.pigments import BLOOD, DYES, MELANIN, SHADE, YELLOW, NoiseBank
from tvface.synthetic.people.traits import Traits

__all__ = ["CLOTH", "EARS", "HAIR", "SkinPainter", "smoothstep"]

LEFT_BROW, RIGHT_BROW, CLOTH, HAIR = 2, 3, 16, 17  # zllrunning classes
BROW_SHOWN = 0.2  # opacity, smoothed over the gaps between hairs, from which a texel has a brow's class
# Smallest and largest structures of the noise in texels of a texture of 512.
SCALES = {"patches": (6.0, 90.0), "mottle": (1.6, 9.0), "blood": (2.0, 12.0), "grain": (0.55, 1.6)}
WIDE = 180.0  # mm, half of what the texture's width shows
LASH_INK = np.array([0.06, 0.04, 0.04], np.float32)


class SkinPainter:
    """Painter of skins on one head; everything that does not depend on the person is computed once."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.frontal = Frontal(atlas)
        self.bind = Binding(atlas)
        self.skin = atlas.part == SKIN
        points = atlas.landmarks
        self.lip_painter = LipPainter(atlas)
        self.lips = self.lip_painter.opacity
        self.beards = BeardPainter(atlas, self.lips)
        self.zones = Zones(atlas, self.frontal, self.beards.shadow)
        self.under_neck, self.lid = self.zones.under_neck, self.zones.lid
        scale = atlas.size / 512
        self.noise = NoiseBank(atlas.size, {name: (a * scale, b * scale) for name, (a, b) in SCALES.items()})
        self.brow_painter = BrowPainter(atlas)
        self.lid_painter = LidPainter(atlas)
        self.eye_painter = EyePainter(atlas)
        above, below = self.frontal.empty(), self.frontal.empty()
        for lids, canvas in (
            ((36, 37, 38, 39), above),
            ((42, 43, 44, 45), above),
            ((39, 40, 41, 36), below),
            ((45, 46, 47, 42), below),
        ):
            self.frontal.stroke(canvas, smooth_path(points[list(lids), :2]), 0.8)
        self.upper_lash = self.frontal.to_texture(self.frontal.soften(above, 0.45))
        self.lower_lash = self.frontal.to_texture(self.frontal.soften(below, 0.4))

    def brows(self, traits: Traits, rng: np.random.Generator) -> np.ndarray:
        """Draw both brows hair by hair: (size, size) float32 opacity."""
        result = np.zeros((self.atlas.size, self.atlas.size), np.float32)
        result[self.brow_painter.part] = self.brow_painter.draw(traits, rng)[:, :, 0]
        return result

    def paint(self, traits: Traits) -> tuple[np.ndarray, np.ndarray]:
        """Paint a bald person.

        Returns:
            Colour (size, size, 3) float32 RGB and labels (size, size) uint8 (zllrunning).
        """
        rng = np.random.default_rng([traits.seed, 0x5C1])
        colour = np.empty((self.atlas.size, self.atlas.size, 3), np.float32)
        amounts = self.zones.amounts(traits)
        amounts[YELLOW] += 0.06 * traits.age * (1 - traits.darkness)
        self._spots(amounts, traits, rng)
        tint(np.array(traits.skin, np.float32), DYES, amounts, self.noise.draw(rng), self._mottling(traits), colour)
        if traits.eye_shadow:
            over(colour, self.lid, traits.eye_shadow, np.array(traits.shadow_colour, np.float32))
        self.lip_painter.paint(colour, traits, rng)
        self.beards.paint(colour, traits, rng)
        hairs = self.brow_painter.draw(traits, rng)
        brow = np.array(traits.brow_colour, np.float32)
        part = colour[self.brow_painter.part]
        over_hairs(part, np.ascontiguousarray(hairs), brow * np.float32(0.6), np.minimum(brow * 1.35 + 0.015, 0.8))
        over(colour, self.upper_lash, 0.4 + 0.9 * traits.lashes, LASH_INK)
        over(colour, self.lower_lash, 0.15 + 0.35 * traits.lashes, LASH_INK)
        self.lid_painter.paint(colour, traits)
        self.eye_painter.paint(colour, traits, rng)
        inside = self.atlas.part == MOUTH
        colour[inside] = self.atlas.albedo[inside]
        return np.clip(colour, 0.008, 1), self._brow_labels(hairs[:, :, 0])

    def _brow_labels(self, opacity: np.ndarray) -> np.ndarray:
        """Return the classes of the bare head with the brows of ``opacity`` (h, w) in ``brow_part``."""
        labels = self.atlas.labels.copy()
        labels[np.isin(labels, (LEFT_BROW, RIGHT_BROW)) & self.skin] = 1
        # The head's label map determines which class is on which side.
        x = self.atlas.position[:, :, 0]
        left_brow = self.atlas.labels == LEFT_BROW
        left_sign = np.sign(np.median(x[left_brow])) if left_brow.any() else 1.0
        shown = cv2.GaussianBlur(opacity, (0, 0), 0.9) > BROW_SHOWN
        left = x[self.brow_painter.part] * left_sign > 0
        part = labels[self.brow_painter.part]
        part[shown & left] = LEFT_BROW
        part[shown & ~left] = RIGHT_BROW
        return labels

    @staticmethod
    def _mottling(traits: Traits) -> np.ndarray:
        """Return the absorption per unit of each noise in SCALES: (N, 3) float32."""
        strength = traits.mottling / 0.025
        patches = 0.016 * strength * (1 + traits.age) * DYES[MELANIN] + 0.02 * strength * DYES[BLOOD]
        mottle = 0.008 * strength * DYES[MELANIN]
        blood = 0.035 * strength * (0.5 + traits.redness) * DYES[BLOOD]
        return np.stack([patches, mottle, blood, 0.02 * DYES[SHADE]]).astype(np.float32)

    def _spots(self, amounts: np.ndarray, traits: Traits, rng: np.random.Generator) -> None:
        """Add freckles, moles, age spots and blemishes to the pigments (4, size, size)."""
        light = 1 - 0.6 * traits.darkness
        texels = self.atlas.size / (2 * WIDE)

        def scatter(dye: int, places: np.ndarray, radius: np.ndarray, value: np.ndarray) -> None:
            if len(places):
                centres = self.bind.texels(places) + rng.uniform(-0.5, 0.5, places.shape)
                spots(amounts[dye], centres, radius * texels, value)

        n = int(420 * traits.freckles)
        middle = np.stack([rng.normal(0, 27, n), rng.normal(-16, 17, n)], 1)
        scatter(MELANIN, middle, rng.uniform(0.4, 0.9, n), light * rng.uniform(0.04, 0.26, n) * (0.5 + traits.freckles))
        n = int(traits.moles)
        places = np.stack([rng.uniform(-62, 62, n), rng.uniform(-105, 60, n)], 1)
        scatter(MELANIN, places, rng.uniform(0.5, 1.2, n), rng.uniform(0.4, 1.1, n))
        n = int(26 * max(0.0, traits.age - 0.45) * light)
        places = np.stack([rng.choice([-1, 1], n) * rng.uniform(8, 72, n), rng.uniform(-55, 65, n)], 1)
        scatter(MELANIN, places, rng.uniform(1.0, 3.6, n), rng.uniform(0.06, 0.26, n))
        n = int(traits.blemishes)
        places = np.stack([rng.normal(0, 34, n), rng.normal(-45, 45, n)], 1)
        scatter(BLOOD, places, rng.uniform(0.6, 1.8, n), rng.uniform(0.15, 0.6, n))
