"""Occluders of a face: hands, microphones, plain objects, the black bars of letterboxed footage."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

from tvface.synthetic.backgrounds import PICTURES, picture_background
from tvface.synthetic.noise import Noise
from tvface.synthetic.traits import TONES

Paint = tuple[np.ndarray, np.ndarray]  # colour (S, S, 3) float32 0..255, cover (S, S) uint8 0 or 1
Covered = tuple[np.ndarray, np.ndarray, np.ndarray]


def occlude(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Covered:
    """Put one occluder in front of the picture: a hand, a microphone or a textured object.

    Args:
        image: (S, S, 3) uint8; labels: (S, S) uint8.

    Returns:
        New image, new labels (0 under the thing) and the covered area (S, S) bool.
    """
    size = image.shape[0]
    draw: Callable[[int, np.random.Generator], Paint] = [_hand, _microphone, _object][
        int(rng.choice(3, p=[0.35, 0.15, 0.5]))
    ]
    paint, cover = draw(size, rng)
    area = cover > 0
    soft = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), 0.6)[:, :, None]
    mixed = np.clip(image * (1 - soft) + np.clip(paint, 0, 255) * soft, 0, 255).astype(np.uint8)
    return mixed, np.where(area, 0, labels).astype(np.uint8), area


def letterbox(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Covered:
    """Lay the black bars of a wider or narrower picture over two sides; returns as :func:`occlude`."""
    size = image.shape[0]
    first, second = (int(v) for v in rng.uniform(0.0, 0.16, 2) * size)
    area = np.zeros((size, size), bool)
    along = area if rng.random() < 0.7 else area.T
    along[:first] = True
    along[size - second :] = True
    black = rng.uniform(0, 20)
    return (
        np.where(area[:, :, None], np.uint8(black), image).astype(np.uint8),
        np.where(area, 0, labels).astype(np.uint8),
        area,
    )


def _capsule(size: int, start: np.ndarray, end: np.ndarray, radius: float) -> np.ndarray:
    """Return how far inside a thick stroke every pixel lies: (S, S) float32, 1 on its axis, <= 0 outside."""
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    along = end - start
    share = ((columns - start[0]) * along[0] + (rows - start[1]) * along[1]) / max(float(along @ along), 1e-6)
    share = np.clip(share, 0, 1)
    far = np.hypot(columns - start[0] - share * along[0], rows - start[1] - share * along[1])
    return np.asarray(1 - far / radius, np.float32)


def _hand(size: int, rng: np.random.Generator) -> Paint:
    """Draw a hand that reaches in from outside: palm, four fingers, thumb, each rounded by its shading."""
    tone = TONES[int(rng.integers(len(TONES)))] * rng.uniform(0.5, 1.1)
    towards = np.array([0.5, 0.5]) * size + rng.normal(0, 0.28, 2) * size
    angle = rng.uniform(-0.5, 0.5) + rng.choice([np.pi / 2, 0.0, np.pi], p=[0.6, 0.2, 0.2])
    reach = np.array([np.cos(angle), -np.sin(angle)])  # from the wrist to the fingertips; rows run down
    across = np.array([-reach[1], reach[0]])
    long = rng.uniform(0.12, 0.27) * size  # of the palm
    wrist, knuckles = towards - 0.9 * long * reach, towards
    paint = np.zeros((size, size, 3), np.float32)
    cover = np.zeros((size, size), np.uint8)
    shade = 1 + 0.06 * Noise(8, 2).draw(size, size, rng)
    bent, fan = rng.uniform(0.35, 1.0), rng.uniform(0.0, 0.3)
    strokes = [(wrist - 3 * long * reach, wrist, 0.36 * long), (wrist, knuckles, 0.46 * long)]
    for k in range(4):
        root = knuckles + across * (k - 1.5) * 0.25 * long
        lengthways = reach + across * fan * (k - 1.5) * 0.5
        tip = root + lengthways * long * bent * (0.75 + 0.2 * np.sin((k + 0.7) / 4 * np.pi) + rng.normal(0, 0.04))
        strokes.append((root - 0.2 * long * reach, tip, 0.125 * long))
    side = 1 if rng.random() < 0.5 else -1
    base = wrist + 0.35 * long * reach + side * across * 0.4 * long
    strokes.append((base, base + (0.5 * reach + side * rng.uniform(0.2, 0.7) * across) * long, 0.14 * long))
    lit = rng.uniform(0.25, 0.6)
    for start, end, radius in strokes:
        inside = _capsule(size, start, end, max(radius, 1.0))
        shown = inside > 0
        rounded = (1 - lit) + lit * np.sqrt(np.clip(inside * (2 - inside), 0, 1))
        paint[shown] = (255 * tone * (rounded * shade)[:, :, None])[shown]
        cover |= shown
    return paint, cover


def _microphone(size: int, rng: np.random.Generator) -> Paint:
    """Draw a microphone from below or beside: a ball of wire mesh or foam on a dark stick."""
    head = np.array([rng.uniform(0.2, 0.8), rng.uniform(0.55, 1.0)]) * size
    foot = head + np.array([rng.normal(0, 0.5), 1.0]) * size
    radius = rng.uniform(0.05, 0.13) * size
    dark = rng.uniform(0.03, 0.4) * (1 + rng.uniform(-0.3, 0.3, 3))
    paint = np.zeros((size, size, 3), np.float32)
    stick, ball = _capsule(size, head, foot, 0.55 * radius), _capsule(size, head, head, radius)
    rows, columns = np.mgrid[0:size, 0:size]
    pitch = max(2, round(radius / 5))
    mesh = 0.7 + 0.3 * (((rows // pitch) + (columns // pitch)) % 2) if rng.random() < 0.6 else np.ones((size, size))
    for inside, pattern in ((stick, np.ones((size, size))), (ball, mesh)):
        shown = inside > 0
        rounded = 0.4 + 0.9 * np.sqrt(np.clip(inside, 0, 1))
        paint[shown] = (255 * dark * (rounded * pattern)[:, :, None])[shown]
    return paint, ((stick > 0) | (ball > 0)).astype(np.uint8)


def _object(size: int, rng: np.random.Generator) -> Paint:
    """Draw an ellipse, a box or thick strokes from the picture's edge, painted or cut from a sample picture."""
    cover = np.zeros((size, size), np.uint8)
    centre = rng.uniform(0, size, 2)
    kind = rng.random()
    if kind < 0.4:
        axes = tuple(int(v) for v in rng.uniform(0.04, 0.22, 2) * size)
        cv2.ellipse(cover, tuple(int(v) for v in centre), axes, float(rng.uniform(0, 180)), 0, 360, 1, -1)
    elif kind < 0.8:
        box = cv2.boxPoints(
            (tuple(map(float, centre)), tuple(map(float, rng.uniform(0.06, 0.42, 2) * size)), float(rng.uniform(0, 90)))
        )
        cv2.fillPoly(cover, [box.astype(np.int32)], 1)
    else:
        edge = np.array([rng.uniform(0, size), size * 1.05])
        width = max(2, int(rng.uniform(0.02, 0.06) * size))
        cv2.line(cover, (int(edge[0]), int(edge[1])), (int(centre[0]), int(centre[1])), 1, width)
    if rng.random() < 0.5:
        name = PICTURES[int(rng.integers(len(PICTURES)))][0]
        return picture_background(name, size, size, rng).astype(np.float32) * rng.uniform(0.4, 1.3), cover
    shade = 1 + 0.15 * Noise(6, 2).draw(size, size, rng)[:, :, None]
    return np.asarray(255 * rng.uniform(0.05, 0.95, 3) * shade, np.float32), cover
