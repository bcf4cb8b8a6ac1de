"""Rooms and streets seen through a camera: a box whose painted walls, furniture and lamps are cast ray by ray."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.synthetic.places.raycast import cast
from tvface.synthetic.places.walls import Canvas, furnish, muted


def room(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a furnished room: (height, width, 3) float32 linear light; lamps and windows lie above 1."""
    size = np.array([rng.uniform(3.0, 8.0), rng.uniform(2.4, 3.4), rng.uniform(3.0, 8.0)])
    paint = muted(rng, 0.06, 0.8, 0.3)
    spans = [size[0], size[2], size[2]]
    walls, lamps = [], []
    for number, span in enumerate(spans):
        other = muted(rng, 0.06, 0.8, 0.5) if rng.random() < 0.2 else paint
        wall = Canvas((float(span), float(size[1])), other)
        if rng.random() < 0.2:  # stripes, panels, bricks
            pitch = rng.uniform(0.08, 0.5)
            for x in np.arange(0, span, pitch):
                wall.box(x, 0, pitch * rng.uniform(0.1, 0.5), size[1], other * rng.uniform(0.7, 0.95))
        wall.rough(rng.uniform(0.01, 0.06), 5, rng)
        wall.box(0, size[1] - 0.1, span, 0.1, muted(rng, 0.2, 0.8, 0.1))
        for x, y in furnish(wall, rng):
            place = (x - size[0] / 2, y, 0.4)
            if number:
                place = ((0.4 - size[0] / 2) * (3 - 2 * number), y, size[2] - x if number == 1 else x)
            power = rng.uniform(0.8, 3.0)
            lamps.append([*place, *(power * np.array([0.9, 1.0, 1.1])), 0.0])
        walls.append(wall.image)
    floor = Canvas((float(size[0]), float(size[2])), muted(rng, 0.05, 0.5, 0.4))
    if rng.random() < 0.6:
        for x in np.arange(0, size[0], 0.16):
            floor.box(x, 0, 0.15, size[2], floor.image[0, 0] * rng.uniform(0.75, 1.1))
    floor.rough(0.12, 14, rng)
    ceiling = Canvas((float(size[0]), float(size[2])), muted(rng, 0.5, 0.85, 0.06))
    if rng.random() < 0.35:
        for x in np.arange(0.6, size[0], 1.6):
            ceiling.box(x, 0.5, 0.5, size[2] - 1, (3.0, 3.0, 2.9))
        lamps.append([0, size[1] - 0.3, size[2] / 2, *(rng.uniform(1, 4) * np.array([1.0, 0.98, 0.9])), 0.0])
    walls += [floor.image, ceiling.image]
    boxes = []
    for _ in range(int(rng.integers(1, 7))):  # cupboards, tables, sofas
        extent = rng.uniform((0.3, 0.4, 0.3), (1.8, 1.3, 0.9))
        x, z = rng.uniform(-size[0] / 2, size[0] / 2), rng.choice([0.0, rng.uniform(0, 0.5 * size[2])])
        colour = muted(rng, 0.02, 0.6, 0.5)
        boxes.append([x - extent[0] / 2, 0, z, x + extent[0] / 2, extent[1], z + extent[2], *colour])
        if rng.random() < 0.5:  # something stands on it
            small = rng.uniform((0.08, 0.1, 0.08), (0.3, 0.5, 0.2))
            at = x + rng.uniform(-0.4, 0.4) * extent[0]
            top = [at - small[0] / 2, extent[1], z, at + small[0] / 2, extent[1] + small[1], z + small[2]]
            boxes.append([*top, *muted(rng, 0.03, 0.7, 0.9)])
    for _ in range(int(rng.integers(0, 4))):
        warm = np.array([1.0, rng.uniform(0.6, 0.9), rng.uniform(0.25, 0.8)])
        spot = rng.uniform((-size[0] / 2, 0.9, 0.2), (size[0] / 2, size[1] - 0.2, 0.6 * size[2]))
        lamps.append([*spot, *(rng.uniform(0.3, 1.8) * warm), rng.uniform(0.04, 0.16)])
        x, y, z = spot
        boxes.append([x - 0.015, 0, z - 0.015, x + 0.015, y, z + 0.015, 0.05, 0.04, 0.03])
    camera = np.array(
        [
            rng.uniform(-0.3, 0.3) * size[0],
            rng.uniform(1.0, 1.8),
            size[2] - 0.2,
            rng.normal(0, 0.45),
            rng.normal(0, 0.1),
        ]
    )
    return _look(walls, size, camera, boxes, lamps, rng.uniform(0.25, 0.7), (width, height), rng)


def _look(
    walls: list[np.ndarray],
    size: np.ndarray,
    camera: np.ndarray,
    boxes: list[list[float]],
    lamps: list[list[float]],
    glow: float,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> np.ndarray:
    image = np.empty((shape[1], shape[0], 3), np.float32)
    tangent = np.tan(np.radians(rng.uniform(22, 38)))
    cast(
        np.stack(walls).astype(np.float32),
        np.asarray(size, np.float64),
        np.array([*camera, tangent]),
        np.array(boxes, np.float64).reshape(-1, 9),
        np.array(lamps, np.float64).reshape(-1, 7),
        np.full(3, glow),
        image,
    )
    return cv2.GaussianBlur(image, (0, 0), 0.6)


def street(width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draw a street between houses, by day or night: (height, width, 3) float32 linear light."""
    night = rng.random() < 0.2
    size = np.array([rng.uniform(9, 30), rng.uniform(7, 25), rng.uniform(25, 70)])
    sky = np.array([0.75, 0.9, 1.15]) * (0.02 if night else rng.uniform(0.7, 1.6))
    walls = []
    back = Canvas((float(size[0]), float(size[1])), sky)
    for _ in range(int(rng.integers(2, 7))):
        w, h = rng.uniform(0.1, 0.5) * size[0], rng.uniform(0.1, 0.8) * size[1]
        back.box(rng.uniform(0, 1) * size[0] - w / 2, size[1] - h, w, h, muted(rng, 0.1, 0.5, 0.3))
    walls.append(back.image)
    for _ in range(2):
        side = Canvas((float(size[2]), float(size[1])), sky)
        x = 0.0
        while x < size[2]:
            w = rng.uniform(5, 14)
            tall = size[1] * rng.uniform(0.5, 1.05)
            colour = muted(rng, 0.08, 0.6, 0.4)
            side.box(x, size[1] - tall, w, tall, colour)
            across, up = rng.uniform(1.4, 3.0), rng.uniform(2.6, 3.8)
            for a in np.arange(0.6, w - 1, across):
                for y in np.arange(size[1] - tall + 0.8, size[1] - 3, up):
                    lit = rng.random() < (0.4 if night else 0.05)
                    pane = np.array([1.6, 1.2, 0.7]) * rng.uniform(0.7, 1.8) if lit else muted(rng, 0.02, 0.25, 0.15)
                    side.box(x + a, y, 0.55 * across, 0.6 * up, pane)
            if rng.random() < 0.6:  # a shop
                bright = muted(rng, 0.1, 0.8, 0.8) * (4 if night else 1)
                side.box(x + 0.5, size[1] - 3.2, w - 1, 0.7, muted(rng, 0.05, 0.8, 1.0))
                side.box(x + 0.5, size[1] - 2.5, w - 1, 2.0, bright)
            x += w
        side.rough(0.05, 20, rng)
        walls.append(side.image)
    ground = Canvas((float(size[0]), float(size[2])), muted(rng, 0.08, 0.3, 0.08))
    ground.rough(0.08, 20, rng)
    for x in (0.18, 0.8):
        ground.box(x * size[0], 0, 0.02 * size[0], size[2], muted(rng, 0.3, 0.6, 0.05))
    walls += [ground.image, Canvas((1.0, 1.0), sky).image]
    boxes = []
    for _ in range(int(rng.integers(0, 9))):  # cars, trunks of trees, posts
        extent = np.array([1.8, 1.4, 4.2]) if rng.random() < 0.6 else np.array([0.25, 4.0, 0.25])
        x, z = rng.uniform(-0.4, 0.4) * size[0], rng.uniform(0.1, 0.85) * size[2]
        boxes.append([x, 0, z, *(np.array([x, 0, z]) + extent), *muted(rng, 0.02, 0.6, 0.8)])
    lamps = []
    for _ in range(int(rng.integers(3, 12)) if night else 0):
        place = rng.uniform((-0.45, 0.1, 0.1), (0.45, 0.6, 0.9)) * size
        lamps.append([*place, *(muted(rng, 0.4, 0.9, 0.8) * 12), rng.uniform(0.08, 0.35)])
    camera = np.array(
        [rng.normal(0, 0.15) * size[0], rng.uniform(1.3, 2.2), size[2], rng.normal(0, 0.5), rng.normal(0, 0.08)]
    )
    return _look(walls, size, camera, boxes, lamps, 0.05 if night else rng.uniform(0.6, 1.1), (width, height), rng)
