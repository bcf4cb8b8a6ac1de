"""What cameras and broadcasts do to a crop: things in front, blur, low resolution, light, noise, compression."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.synthetic.backgrounds import PICTURES, picture_background
from tvface.synthetic.noise import Noise


def occlude(
    image: np.ndarray, labels: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Put one textured thing in front of the picture.

    Args:
        image: (S, S, 3) uint8; labels: (S, S) uint8.

    Returns:
        New image, new labels (0 under the thing) and the covered area (S, S) bool.
    """
    size = image.shape[0]
    cover = np.zeros((size, size), np.uint8)
    centre = rng.uniform(0, size, 2)
    kind = rng.random()
    if kind < 0.4:
        axes = tuple(int(v) for v in rng.uniform(0.04, 0.22, 2) * size)
        cv2.ellipse(cover, tuple(int(v) for v in centre), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    elif kind < 0.7:
        box = cv2.boxPoints(
            (tuple(map(float, centre)), tuple(map(float, rng.uniform(0.06, 0.42, 2) * size)), float(rng.uniform(0, 90)))
        )
        cv2.fillPoly(cover, [box.astype(np.int32)], 1)
    else:
        # fingers or a cable: thick strokes from the picture's edge
        edge = (
            np.array([rng.uniform(0, size), size * 1.05])
            if rng.random() < 0.6
            else np.array([-0.05 * size, rng.uniform(0, size)])
        )
        side = rng.normal(0, 0.05, 2) * size
        for k in range(int(rng.integers(1, 5))):
            tip = centre + side * k + rng.normal(0, 0.02, 2) * size
            start = edge + side * k
            cv2.line(
                cover,
                (int(start[0]), int(start[1])),
                (int(tip[0]), int(tip[1])),
                1,
                max(2, int(rng.uniform(0.03, 0.09) * size)),
            )
    area = cover > 0
    if rng.random() < 0.5:
        name = PICTURES[int(rng.integers(len(PICTURES)))][0]
        paint = picture_background(name, size, size, rng).astype(np.float32)
        paint *= rng.uniform(0.4, 1.3)
    else:
        shade = 1 + 0.15 * Noise(6, 2).draw(size, size, rng)[:, :, None]
        base = rng.uniform(0.05, 0.95, 3) if rng.random() < 0.5 else np.array([0.8, 0.6, 0.5]) * rng.uniform(0.3, 1.15)
        paint = np.asarray(255 * base * shade, np.float32)
    soft = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), 0.6)[:, :, None]
    mixed = np.clip(image * (1 - soft) + np.clip(paint, 0, 255) * soft, 0, 255).astype(np.uint8)
    return mixed, np.where(area, 0, labels).astype(np.uint8), area


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
    """Degrade a crop as footage does: (S, S, 3) uint8 to the same. Geometry is untouched.

    Args:
        rng: of what happens and how strongly; grain: of the sensor's noise alone, so that the frames of a shot can share
            everything else (default: ``rng``).
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
    """JPEG and back, quality 25..92."""
    stored, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(25, 93))])
    if not stored:
        raise RuntimeError(f"OpenCV could not compress a picture of shape {image.shape}")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError(f"OpenCV could not read back a JPEG of {len(data)} bytes that it wrote")
    return np.ascontiguousarray(decoded[:, :, ::-1])
