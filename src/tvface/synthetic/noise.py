"""Smooth random fields for skins and backgrounds."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np


@dataclass(frozen=True)
class Noise:
    """Smooth noise: octaves of random grids, enlarged bicubically."""

    cells: int
    octaves: int = 3
    gain: float = 0.5

    def draw(self, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
        """Return (height, width) float32 noise of zero mean and about unit deviation."""
        total = np.zeros((height, width), np.float32)
        amplitude = 1.0
        for octave in range(self.octaves):
            cells = self.cells * 2**octave
            rows = max(2, round(cells * height / max(width, height)))
            columns = max(2, round(cells * width / max(width, height)))
            grid = rng.standard_normal((min(rows, height), min(columns, width)), dtype=np.float32)
            total += amplitude * cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
            amplitude *= self.gain
        return (total - total.mean()) / (total.std() + 1e-6)
