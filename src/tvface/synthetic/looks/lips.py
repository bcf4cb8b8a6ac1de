"""Painting of the lips: a soft border, vertical creases, a darker inner edge, a moist lower lip; lipstick."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.atlas import SKIN, Atlas
from tvface.synthetic.looks.frontal import Frontal, smooth_path
from tvface.synthetic.people.traits import Traits


class LipPainter:
    """Painter of the lips of one head; ``opacity`` (size, size) float32 is their area with its soft border."""

    def __init__(self, atlas: Atlas) -> None:
        points = atlas.landmarks
        out, top = float(points[54, 0]) + 10, float(points[48:60, 1].max()) + 8
        frontal = Frontal(atlas, (-out, top, 2 * out, top - float(points[48:60, 1].min()) + 8))
        self.middle = float(points[[51, 57], 1].mean())
        self.part = frontal.window()
        outline = smooth_path(points[48:60, :2], 80, closed=True)
        area, rim, line = frontal.empty(), frontal.empty(), frontal.empty()
        frontal.area(area, outline)
        frontal.stroke(rim, smooth_path(points[48:55, :2], 60), 1.4)
        seam = np.concatenate([points[[48]], points[[60, 61, 62, 63, 64]], points[[54]]])[:, :2]
        frontal.stroke(line, smooth_path(seam), 1.1)
        self.opacity = frontal.to_texture(frontal.soften(area, 0.9))
        self.sharp = frontal.to_texture(frontal.soften(area, 0.5))[self.part]
        self.seam = frontal.to_texture(frontal.soften(line, 0.55))
        self.inner = frontal.to_texture(frontal.soften(line, 2.0))[self.part]
        # The border above the upper lip catches the light.
        self.rim = frontal.to_texture(frontal.soften(rim, 0.7))[self.part] * (1 - self.opacity[self.part])
        self.x = np.abs(atlas.position[self.part][:, :, 0])
        self.y = atlas.position[self.part][:, :, 1] - self.middle
        self.signed = atlas.position[self.part][:, :, 0]
        self.skin = (atlas.part[self.part] == SKIN).astype(np.float32)

    def paint(self, colour: np.ndarray, traits: Traits, rng: np.random.Generator) -> None:
        """Paint the lips of ``traits`` into ``colour`` (size, size, 3), in place."""
        target = colour[self.part]
        # Creases run across the lips and fan out at the corners.
        place = self.signed * (1 + 0.018 * np.abs(self.y)) + 40
        pattern = rng.standard_normal((2, 160))
        pattern[1] = np.convolve(pattern[1], np.ones(3) / 3, "same")
        creases = np.where(
            self.y > 0,
            np.interp(place * 2, np.arange(160), pattern[0]),
            np.interp(place * 2, np.arange(160), pattern[1]),
        )
        blotch = np.interp(self.signed * 0.25 + 20, np.arange(40), rng.standard_normal(40))
        tone = 1 + 0.055 * creases + 0.03 * blotch
        # The upper lip faces down and is darker anyway; the lower one is palest in its middle.
        upper = np.clip(self.y / 3, 0, 1)
        pale = np.exp(-((self.x / 11) ** 2) - ((self.y + 6) / 3.2) ** 2)
        tone *= 1 - 0.13 * upper + 0.10 * pale
        paint = np.array(traits.lip_colour, np.float32) * tone[:, :, None].astype(np.float32)
        area = self.sharp if traits.lipstick else self.opacity[self.part]
        # Near its border a lip without lipstick fades into the skin, most at the corners.
        mix = area * traits.lip_mix * (1.0 if traits.lipstick else 0.9 - 0.25 * np.clip((self.x - 17) / 8, 0, 1))
        target += (mix * self.skin)[:, :, None].astype(np.float32) * (paint - target)
        target *= (1 + 0.06 * self.rim - 0.22 * self.inner * area)[:, :, None].astype(np.float32)
        dark = 0.72 * np.clip(1.3 * self.seam[self.part], 0, 1)
        target *= np.exp(-dark[:, :, None] * np.array([0.95, 1.35, 1.3], np.float32))
