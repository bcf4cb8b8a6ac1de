"""Backgrounds without walls: sky and trees, foliage, lights at night, studios with screens, curtains and stages."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.synthetic.noise import Noise
from tvface.synthetic.places.walls import muted


def _grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x and y in 0..1: (1, width) and (height, 1) float32."""
    return np.linspace(0, 1, width, dtype=np.float32)[None], np.linspace(0, 1, height, dtype=np.float32)[:, None]


def _sky(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    x, y = _grid(width, height)
    zenith = np.array([0.12, 0.28, 0.7]) * rng.uniform(0.6, 1.3)
    horizon = np.array([0.75, 0.85, 1.0]) * rng.uniform(0.7, 1.4)
    if rng.random() < 0.25:  # evening
        horizon = np.array([1.5, 0.75, 0.35]) * rng.uniform(0.6, 1.3)
    grey = rng.random() < 0.3
    if grey:
        zenith = horizon = np.array([0.75, 0.8, 0.85]) * rng.uniform(0.4, 1.5)
    share = (y ** rng.uniform(0.5, 1.5))[:, :, None]
    image = zenith + (horizon - zenith) * np.broadcast_to(share, (height, width, 1))
    cloud = np.clip(Noise(5, 5, 0.55).draw(width, height, rng) * 0.5 + rng.uniform(-0.4, 0.5), 0, 1)[:, :, None]
    image = image + cloud * (rng.uniform(0.5, 1.3) - image) * 0.9
    if rng.random() < 0.3 and not grey:
        far = np.hypot(x - rng.uniform(0, 1), 0.7 * (y - rng.uniform(0, 0.6)))
        image = image + np.exp(-far / 0.06)[:, :, None] * np.array([9.0, 8.0, 6.0])
    return np.asarray(image, np.float32)


def _leaves(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Return foliage: clumps of leaves in light and shade, with gaps of sky: (height, width, 3)."""
    autumn = rng.random() < 0.15
    dark = np.array([0.02, 0.035, 0.012]) * rng.uniform(0.6, 2)
    bright = np.array([0.45, 0.2, 0.04]) if autumn else np.array([0.2, 0.33, 0.06])
    bright = bright * np.exp(rng.normal(0, 0.25, 3)) * rng.uniform(0.6, 1.8)
    clumps, leaves = Noise(int(rng.integers(4, 9)), 3).draw(width, height, rng), Noise(40, 2).draw(width, height, rng)
    lit = np.clip(0.4 + 0.28 * clumps + 0.22 * leaves, 0, 1.4)[:, :, None]
    image = dark + (bright - dark) * lit**1.6
    gaps = (clumps + 0.9 * leaves > rng.uniform(1.6, 2.8))[:, :, None]
    return np.asarray(np.where(gaps, np.array([1.6, 1.8, 2.0]) * rng.uniform(0.4, 1.8), image), np.float32)


def landscape(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw sky, far hills or roofs, trees and ground: (height, width, 3) float32 linear light."""
    _, y = _grid(width, height)
    image = _sky(width, height, rng)
    horizon = rng.uniform(0.3, 0.75)
    line = horizon - 0.06 * rng.uniform(0, 2) * (1 + Noise(3, 4).draw(width, 2, rng)[:1])
    hills = muted(rng, 0.08, 0.35, 0.15) * [0.8, 1.0, 1.1]
    image = np.where((y > line)[:, :, None], hills, image)
    if rng.random() < 0.35:  # roofs
        for _ in range(int(rng.integers(4, 16))):
            a, w, h = rng.uniform(0, 1), rng.uniform(0.03, 0.16), rng.uniform(0.03, 0.3)
            box = (
                slice(int((horizon - h) * height), int(horizon * height) + 3),
                slice(int(a * width), int((a + w) * width)),
            )
            image[box] = muted(rng, 0.1, 0.6, 0.3)
    if rng.random() < 0.75:
        top = horizon - rng.uniform(0.05, 0.5) + 0.1 * Noise(7, 5, 0.6).draw(width, 2, rng)[:1]
        edge = 0.02 * Noise(60, 1).draw(width, height, rng)
        image = np.where((y + edge > top)[:, :, None], _leaves(width, height, rng), image)
    ground = muted(rng, 0.1, 0.4, 0.2) if rng.random() < 0.4 else np.array([0.12, 0.2, 0.05]) * rng.uniform(0.7, 2)
    rough = 1 + 0.2 * Noise(40, 2).draw(width, height, rng)[:, :, None]
    level = horizon + rng.uniform(0.0, 0.2)
    return np.asarray(np.where((y > level)[:, :, None], ground * rough, image), np.float32)


def foliage(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw leaves all over the picture: (height, width, 3) float32 linear light."""
    x, y = _grid(width, height)
    fall = 1 + rng.uniform(-0.6, 0.6) * (x - 0.5) + rng.uniform(-0.5, 0.8) * (0.5 - y)
    return np.asarray(_leaves(width, height, rng) * fall[:, :, None], np.float32)


def night(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw many small lights in the dark: a town, a party, a bar: (height, width, 3) float32 linear light."""
    image = np.empty((height, width, 3), np.float32)
    image[:] = muted(rng, 0.003, 0.03, 0.5)
    image *= np.exp(0.5 * Noise(6, 3).draw(width, height, rng))[:, :, None]
    palette = [np.array([1.0, 0.7, 0.35]), np.array([1.0, 0.9, 0.75]), rng.uniform(0.05, 1, 3), rng.uniform(0.05, 1, 3)]
    middle = rng.uniform(0.2, 0.8)
    for _ in range(int(rng.integers(15, 130))):
        place = (int(rng.uniform(0, width)), int(rng.normal(middle, 0.2) * height))
        colour = palette[int(rng.integers(4))] * np.exp(rng.uniform(0, 2.2))
        cv2.circle(image, place, int(rng.integers(1, 4)), tuple(map(float, colour)), -1)
    return image


def studio(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a television studio: tall panels, a screen with a skyline, bars of light: (height, width, 3) float32."""
    x, y = _grid(width, height)
    hue = 0.08 + rng.dirichlet([0.6, 0.6, 0.9])
    image = np.empty((height, width, 3), np.float32)
    image[:] = hue * rng.uniform(0.02, 0.35)
    image *= (
        1 + 2.5 * np.exp(-(((x - rng.uniform(0, 1)) / 0.4) ** 2) - ((y - rng.uniform(0, 0.8)) / 0.5) ** 2)[:, :, None]
    )
    at = -0.1
    while at < 1:
        w = rng.uniform(0.05, 0.4)
        rows, columns = slice(0, height), slice(max(int(at * width), 0), max(int((at + w) * width), 0))
        kind = rng.random()
        if kind < 0.3:
            image[rows, columns] *= rng.uniform(0.4, 1.8)
        elif kind < 0.55 and columns.stop - columns.start > 8:  # a screen
            rows = slice(int(rng.uniform(0, 0.3) * height), int(rng.uniform(0.6, 1.0) * height))
            show = _sky(width, height, rng) if rng.random() < 0.4 else _graphic(width, height, rng)
            image[rows, columns] = show[rows, columns] * rng.uniform(0.3, 0.9)
        elif kind < 0.7:
            image[rows, columns.start : columns.start + max(2, width // 150)] = (0.3 + hue) * rng.uniform(0.8, 3)
        at += w
    for _ in range(int(rng.integers(0, 4))):
        row = int(rng.uniform(0, 1) * height)
        image[row : row + max(2, height // 120)] = (0.3 + hue) * rng.uniform(0.5, 2.5)
    return np.asarray(image * (1 - 0.5 * y[:, :, None]), np.float32)


def _graphic(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw what screens of studios show: soft bands, slanted shapes, large letters."""
    colours = 0.02 + rng.dirichlet([0.5, 0.5, 0.8], 2) * rng.uniform(0.3, 1.2, (2, 1))
    share = np.clip(0.5 + 0.5 * Noise(3, 2).draw(width, height, rng), 0, 1)[:, :, None]
    image = np.asarray(colours[0] + (colours[1] - colours[0]) * share, np.float32)
    for _ in range(int(rng.integers(1, 7))):
        a, w = rng.uniform(0, width), rng.uniform(0.02, 0.2) * width
        lean = rng.uniform(-0.4, 0.4) * width
        corners = np.array([(a, 0), (a + w, 0), (a + w + lean, height), (a + lean, height)])
        shape = tuple(map(float, muted(rng, 0.05, 1.2, 0.8)))
        cv2.fillPoly(image, [corners.astype(np.int32)], shape)
    if rng.random() < 0.6:
        word = "".join(chr(65 + int(v)) for v in rng.integers(0, 26, int(rng.integers(2, 7))))
        place = (int(rng.uniform(-0.1, 0.6) * width), int(rng.uniform(0.3, 0.9) * height))
        mask = np.zeros((height, width), np.uint8)
        scale, thick = float(rng.uniform(1, 4)), int(rng.integers(3, 9))
        cv2.putText(mask, word, place, cv2.FONT_HERSHEY_DUPLEX, scale, 255, thick)
        image[mask > 0] = muted(rng, 0.5, 1.5, 0.2)
    return image


def curtain(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a curtain in folds, lit from above or a side: (height, width, 3) float32 linear light."""
    x, y = _grid(width, height)
    phase = 2 * np.pi * (rng.uniform(6, 24) * x + 0.35 * Noise(8, 2).draw(width, 2, rng)[:1])
    phase = phase + 0.3 * (y - 0.5) * Noise(9, 1).draw(width, 2, rng)[:1]
    fold = 0.6 + 0.4 * np.sin(phase) * rng.uniform(0.4, 1.0)
    light = 1 + rng.uniform(-0.8, 0.8) * (x - 0.5) + rng.uniform(-0.3, 1.0) * (0.4 - y)
    return np.asarray((fold * light)[:, :, None] * muted(rng, 0.03, 0.5, 0.7), np.float32)


def stage(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a dark stage: spots that shine into the camera, beams, glimpses of scaffolding: (height, width, 3)."""
    x, y = _grid(width, height)
    image = np.zeros((height, width, 3), np.float32)
    image[:] = muted(rng, 0.002, 0.02, 0.8)
    for _ in range(int(rng.integers(0, 8))):
        gel = 0.1 + rng.dirichlet([0.4, 0.4, 0.4])
        a, b = rng.uniform(-0.1, 1.1), rng.uniform(-0.1, 0.5)
        lean = rng.normal(0, 0.6)
        away = np.abs(x - a - lean * (y - b)) / (0.015 + 0.25 * np.clip(y - b, 0, 1))
        beam = np.exp(-(away**2)) * (y > b) * np.exp(-(y - b) / 0.6) * rng.uniform(0.02, 0.25)
        image += beam[:, :, None] * gel
        centre = (int(a * width), int(b * height))
        cv2.circle(image, centre, int(rng.integers(2, 7)), tuple(map(float, gel * 8 + 1)), -1)
    haze = np.exp(-(((x - rng.uniform(0, 1)) / 0.5) ** 2) - ((y - rng.uniform(0, 1)) / 0.5) ** 2)
    return image + (haze * rng.uniform(0, 0.12))[:, :, None] * (0.1 + rng.dirichlet([0.5, 0.5, 0.5]))


def plain(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a wall or a photographer's backdrop, lit unevenly: (height, width, 3) float32 linear light."""
    x, y = _grid(width, height)
    far = np.hypot(x - rng.uniform(0, 1), y - rng.uniform(0, 1))
    light = 1.2 - rng.uniform(0, 1.0) * far
    rough = 1 + rng.uniform(0, 0.06) * Noise(int(rng.integers(3, 30)), 3).draw(width, height, rng)
    return np.asarray((light * rough)[:, :, None] * muted(rng, 0.05, 0.85, 0.25), np.float32)
