"""Degradation of crops as by cameras and broadcasts, in a camera's order: lens, sensor, tone, size, codec."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.synthetic.camera.codec import compress
from tvface.synthetic.camera.lens import lens, to_linear
from tvface.synthetic.camera.sensor import develop, draw_development

_ENLARGED = (cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4)


def degrade(image: np.ndarray, rng: np.random.Generator, grain: np.random.Generator | None = None) -> np.ndarray:
    """Return a crop degraded like footage, (S, S, 3) uint8; its geometry is unchanged.

    Args:
        image: (S, S, 3) uint8 RGB.
        rng: of the kind and strength of the degradation.
        grain: of the sensor's noise alone, so that the frames of a shot can share the rest; None: ``rng``.
    """
    size = image.shape[0]
    settings = draw_development(rng)
    linear = lens(to_linear(image), rng)
    small = size
    if rng.random() < 0.4:
        small = max(8, int(np.exp(rng.uniform(np.log(0.25), np.log(0.9))) * size))
    coarse = small < size and rng.random() < 0.4  # a small sensor: its noise grows with the picture
    sharpen = float(rng.uniform(0.2, 1.3)) if rng.random() < 0.3 else 0.0
    radius = float(rng.uniform(0.6, 1.6))
    combed = int(rng.integers(1, 3)) if rng.random() < 0.015 else 0
    coded = rng.random() < 0.62
    back = _ENLARGED[int(rng.integers(3))]
    codec = np.random.default_rng(int(rng.integers(2**63)))
    if coarse:
        linear = cv2.resize(linear, (small, small), interpolation=cv2.INTER_AREA)
    shown = develop(linear, settings, grain or rng)
    if combed and small == size:  # enlarged, the lines would be broader than any television shows
        shown = comb(shown, combed)
    if len(shown) != small:
        shown = cv2.resize(shown, (small, small), interpolation=cv2.INTER_AREA)
    if sharpen:
        shown = shown + np.float32(sharpen) * (shown - cv2.GaussianBlur(shown, (0, 0), radius))
    result = cv2.convertScaleAbs(np.maximum(shown, 0, out=shown), alpha=255)
    if coded:
        result = compress(result, codec, small / size)
    return result if small == size else cv2.resize(result, (size, size), interpolation=back)


def comb(picture: np.ndarray, shift: int) -> np.ndarray:
    """Pull the two fields of an interlaced picture apart, by ``shift`` pixels either way; the middle stays."""
    result = picture.copy()
    result[::2, shift:] = picture[::2, :-shift]
    result[1::2, :-shift] = picture[1::2, shift:]
    return result
