"""Walls of rooms and streets as pictures to paint on: windows, shelves with books, doors, pictures, curtains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvface.synthetic.noise import Noise

TEXELS = (192, 320)  # rows and columns of a wall's picture
Colour = np.ndarray


def muted(rng: np.random.Generator, low: float = 0.03, high: float = 0.75, colour: float = 0.35) -> Colour:
    """Draw a linear colour as walls and things have it: any brightness, mostly little saturation, warm rather than
    cold."""
    level = np.exp(rng.uniform(np.log(low), np.log(high)))
    hue = rng.normal((0.35, 0.05, -0.3), (0.7, 0.45, 0.8))
    return np.asarray(np.clip(level * np.exp(colour * abs(rng.normal()) * hue), 0.01, 0.95), np.float32)


class Canvas:
    """A wall to paint on: ``size`` (width, height) in metres; places in metres from the left and from the top."""

    def __init__(self, size: tuple[float, float], colour: Colour) -> None:
        self.size = size
        self.image = np.empty((*TEXELS, 3), np.float32)
        self.image[:] = colour

    def texel(self, x: float, y: float) -> tuple[int, int]:
        """Return the (column, row) of a place."""
        return round(x / self.size[0] * TEXELS[1]), round(y / self.size[1] * TEXELS[0])

    def box(self, x: float, y: float, w: float, h: float, colour: Colour | Sequence[float]) -> None:
        """Fill a rectangle."""
        (left, top), (right, bottom) = self.texel(x, y), self.texel(x + w, y + h)
        left, top = max(left, 0), max(top, 0)
        self.image[top : max(bottom, top + 1), left : max(right, left + 1)] = colour

    def rough(self, amount: float, cells: int, rng: np.random.Generator) -> None:
        """Roughen the colours."""
        self.image *= 1 + amount * Noise(cells, 3).draw(TEXELS[1], TEXELS[0], rng)[:, :, None]
        np.clip(self.image, 0.005, None, out=self.image)


def paint_window(wall: Canvas, x: float, y: float, w: float, h: float, rng: np.random.Generator) -> None:
    """Paint a window: bright sky over a darker land, bars, at times curtains or blinds."""
    frame = muted(rng, 0.3, 0.8, 0.1)
    wall.box(x - 0.07, y - 0.07, w + 0.14, h + 0.14, frame)
    sky = np.array([0.9, 1.0, 1.12]) * rng.uniform(1.3, 4.0)
    wall.box(x, y, w, h, sky)
    if rng.random() < 0.7:
        land = rng.uniform(0.25, 0.7) * h
        wall.box(x, y + h - land, w, land, muted(rng, 1.05, 1.6, 0.2) if rng.random() < 0.4 else (1.02, 1.08, 0.95))
    for part in np.linspace(0, 1, int(rng.integers(2, 5)))[1:-1]:
        wall.box(x + part * w - 0.02, y, 0.04, h, frame)
    if rng.random() < 0.5:
        wall.box(x, y + 0.4 * h, w, 0.04, frame)
    kind = rng.random()
    cloth = muted(rng, 0.1, 0.7, 0.3)
    if kind < 0.45:
        for fold in np.arange(0, 0.5, 0.06):
            tone = cloth * rng.uniform(0.6, 1.1)
            wall.box(x - 0.3 + fold, y - 0.15, 0.06, h + 0.9, tone)
            wall.box(x + w - 0.2 + fold, y - 0.15, 0.06, h + 0.9, tone)
    elif kind < 0.65:
        for row in np.arange(0, rng.uniform(0.3, 1.0) * h, 0.07):
            wall.box(x, y + row, w, 0.045, cloth * 1.2)


def paint_shelves(wall: Canvas, x: float, w: float, rng: np.random.Generator) -> None:
    """Paint shelves with books and things from the floor up."""
    height = wall.size[1]
    wood = muted(rng, 0.04, 0.5, 0.4)
    top, pitch = rng.uniform(0.1, 1.2), rng.uniform(0.28, 0.42)
    wall.box(x - 0.04, top - 0.04, w + 0.08, height - top, wood)
    palette = [muted(rng, 0.02, 0.7, 0.8) for _ in range(7)]
    for y in np.arange(top, height - 0.1, pitch):
        wall.box(x, y, w, pitch - 0.035, wood * 0.25)
        place = 0.0
        while place < w - 0.03:
            thick = rng.uniform(0.02, 0.07)
            if rng.random() < 0.12:
                place += rng.uniform(0.1, 0.4)
                continue
            tall = rng.uniform(0.6, 0.95) * (pitch - 0.035)
            colour = palette[int(rng.integers(7))] * rng.uniform(0.6, 1.2)
            wall.box(x + place, y + pitch - 0.035 - tall, min(thick, w - place), tall, colour)
            place += thick + 0.004


def furnish(wall: Canvas, rng: np.random.Generator) -> list[tuple[float, float]]:
    """Paint things on a wall from left to right; returns the middles of its windows in metres."""
    width, height = wall.size
    windows, x = [], rng.uniform(0.1, 1.0)
    while x < width - 0.6:
        kind, room = rng.random(), width - x
        w = min(rng.uniform(0.5, 2.2), room - 0.2)
        if kind < 0.24 and w > 0.5:
            tall = rng.random() < 0.2
            paint_window(wall, x, 0.5, w, height - 0.6 if tall else rng.uniform(1.0, 1.5), rng)
            windows.append((x + w / 2, height - 1.2))
        elif kind < 0.42 and w > 0.5:
            paint_shelves(wall, x, w, rng)
        elif kind < 0.52:
            w, door = 0.9, muted(rng, 0.05, 0.8, 0.3)
            wall.box(x - 0.07, height - 2.17, w + 0.14, 2.2, door * 0.8)
            wall.box(x, height - 2.1, w, 2.1, door if rng.random() < 0.7 else door * 0.1)
            wall.box(x + 0.1, height - 1.9, w - 0.2, 0.7, door * 0.85)
        elif kind < 0.85:
            w, h = min(w, 1.0), rng.uniform(0.3, 0.9)
            y = rng.uniform(0.5, 1.0)
            wall.box(x - 0.03, y - 0.03, w + 0.06, h + 0.06, muted(rng, 0.02, 0.6, 0.3))
            wall.box(x, y, w, h, muted(rng, 0.3, 0.85, 0.1))
            for _ in range(int(rng.integers(1, 7))):
                part = rng.uniform(0.1, 0.7, 2)
                at = rng.uniform(0.08, 0.9 - 0.85 * part)
                wall.box(x + at[0] * w, y + at[1] * h, part[0] * w, part[1] * h, muted(rng, 0.03, 0.7, 0.9))
        x += w + rng.uniform(0.15, 1.4)
    return windows
