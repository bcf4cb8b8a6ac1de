"""Degradation of crops as by cameras and broadcasts: blur, low resolution, exposure, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np


def motion_kernel(length: float, angle: float) -> np.ndarray:
    """Return a line-shaped blur kernel of ``length`` pixels at ``angle`` radians, sum 1."""
    side = 2 * int(np.ceil(length / 2)) + 1
    kernel = np.zeros((side, side), np.float32)
    middle = side // 2
    step = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    start, end = (middle - step) * 16, (middle + step) * 16
    cv2.line(kernel, (int(start[0]), int(start[1])), (int(end[0]), int(end[1])), 1.0, 1, cv2.LINE_AA, 4)
    return kernel / kernel.sum()


def degrade(image: np.ndarray, rng: np.random.Generator, grain: np.random.Generator | None = None) -> np.ndarray:
    """Return a crop degraded like footage, (S, S, 3) uint8; its geometry is unchanged.

    Args:
        image: (S, S, 3) uint8 RGB.
        rng: of the kind and strength of the degradation.
        grain: of the sensor's noise alone, so that the frames of a shot can share the rest; None: ``rng``.
    """
    size = image.shape[0]
    if rng.random() < 0.4:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.3, 1.7) * size / 128)
    if rng.random() < 0.1:
        image = cv2.filter2D(image, -1, motion_kernel(rng.uniform(2, 8) * size / 128, rng.uniform(0, np.pi)))
    if rng.random() < 0.35:
        small = int(rng.uniform(0.22, 0.75) * size)
        image = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
        image = _compress(image, rng) if rng.random() < 0.5 else image
        back = cv2.INTER_LINEAR if rng.random() < 0.5 else cv2.INTER_CUBIC
        image = cv2.resize(image, (size, size), interpolation=back)
    pixels = image.astype(np.float32) / 255
    if rng.random() < 0.6:
        pixels = np.clip(pixels, 0, 1) ** rng.uniform(0.7, 1.45)
    contrast, brightness = rng.uniform(0.8, 1.25), rng.normal(0, 0.05)
    pixels = (pixels - 0.45) * contrast + 0.45 + brightness
    pixels *= 1 + rng.normal(0, 0.06, 3).astype(np.float32)
    if rng.random() < 0.12:
        grey = pixels.mean(axis=2, keepdims=True)
        pixels = grey + (pixels - grey) * rng.uniform(0, 0.5)
    if rng.random() < 0.07:
        pixels = np.clip(pixels, 0, 1) * rng.uniform(0.15, 0.5)
    if rng.random() < 0.5:
        pixels = pixels + (grain or rng).standard_normal(pixels.shape, dtype=np.float32) * rng.uniform(0, 0.045)
    image = np.clip(pixels * 255 + 0.5, 0, 255).astype(np.uint8)
    return _compress(image, rng) if rng.random() < 0.4 else image


def _compress(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Encode as JPEG of quality 25..92 and decode."""
    stored, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 93))])
    if not stored:
        raise RuntimeError(f"OpenCV could not compress a picture of shape {image.shape}")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError(f"OpenCV could not read back a JPEG of {len(data)} bytes that it wrote")
    return np.ascontiguousarray(decoded[:, :, ::-1])
