"""Colours of skin as absorption by melanin and blood, after Tsumura et al. 1999, and the noise of both.

The renderer multiplies stored colours by light, as a display's values: the strengths hold for such values.
"""

from __future__ import annotations

import cv2
import numpy as np

# Absorption per unit of melanin, blood, a yellow dye (carotene) and grey (dirt, shade), RGB.
MELANIN, BLOOD, YELLOW, SHADE = range(4)
DYES = np.array([(0.62, 0.95, 1.22), (0.12, 0.62, 0.50), (0.02, 0.16, 0.55), (0.95, 1.02, 1.02)], np.float32)


def absorbed(colour: np.ndarray, melanin: float = 0.0, blood: float = 0.0, yellow: float = 0.0) -> np.ndarray:
    """Return a colour (3,) with more (or, below 0, less) of the dyes."""
    return np.asarray(colour * np.exp(-(np.array([melanin, blood, yellow]) @ DYES[:3])))


class NoiseBank:
    """Periodic noise of zero mean and unit deviation, made once; a person's is shifted.

    Args:
        size: of the pictures; scales: standard deviations of the smallest and largest structure of each entry, texels.
    """

    def __init__(self, size: int, scales: dict[str, tuple[float, float]]) -> None:
        rng = np.random.default_rng(0xBA2C)
        frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None])
        self.size = size
        self.fields: dict[str, list[np.ndarray]] = {}
        for name, (small, large) in scales.items():
            # A falling spectrum between both scales: structures of all sizes.
            shape = np.exp(-2 * (np.pi * frequency * small) ** 2) / (frequency + 1 / (2 * np.pi * large)) ** 1.2
            shape[0, 0] = 0
            drawn = []
            for _ in range(2):
                field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * shape, s=(size, size))
                drawn.append((field / field.std()).astype(np.float32))
            self.fields[name] = drawn

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return the mix of two shifted fields for each entry: (N, size, size) float32."""
        result = np.empty((len(self.fields), self.size, self.size), np.float32)
        for total, fields in zip(result, self.fields.values(), strict=True):
            shifts = rng.integers(self.size, size=4)
            np.multiply(np.roll(fields[0], shifts[:2], (0, 1)), np.float32(0.8), out=total)
            cv2.scaleAdd(np.roll(fields[1], shifts[2:], (0, 1)), 0.6, total, total)
        return result
