"""Rooms and streets seen through a camera: a box whose painted walls, furniture and lamps are cast ray by ray."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numba
import numpy as np

from tvface.synthetic.noise import Noise

TEXELS = (192, 320)  # rows and columns of a wall's picture
Colour = np.ndarray


@numba.njit(cache=True, nogil=True, fastmath=True)
def cast(
    walls: np.ndarray,
    size: np.ndarray,
    camera: np.ndarray,
    boxes: np.ndarray,
    lamps: np.ndarray,
    glow: np.ndarray,
    image: np.ndarray,
) -> None:
    """Look into a room.

    Args:
        walls: (5, h, w, 3) float32 linear colours of the back, left, right wall, floor and ceiling; first row: top or
            far edge; above 1 they shine and need no light.
        size: (3,) width, height, depth in metres; x from -width / 2, y from the floor 0, z from the back wall 0.
        camera: (6,) place, yaw, pitch in radians, tangent of half of the picture's width.
        boxes: (B, 9) least and greatest corner, colour.
        lamps: (L, 7) place, colour times metres squared, radius of the visible ball (0: none).
        glow: (3,) even light.
        image: (H, W, 3) float32, written.
    """
    height, width = image.shape[0], image.shape[1]
    rows, columns = walls.shape[1], walls.shape[2]
    sy, cy, sp, cp = np.sin(camera[3]), np.cos(camera[3]), np.sin(camera[4]), np.cos(camera[4])
    for j in range(height):
        b = -(2.0 * j + 1.0 - height) / width * camera[5]
        for i in range(width):
            a = (2.0 * i + 1.0 - width) / width * camera[5]
            ry, rz = b * cp - sp, -(cp + b * sp)
            dx, dy, dz = a * cy - rz * sy, ry, rz * cy + a * sy
            dx = dx if abs(dx) > 1e-6 else 1e-6
            dy = dy if abs(dy) > 1e-6 else 1e-6
            dz = dz if abs(dz) > 1e-6 else 1e-6
            tx = ((size[0] / 2 if dx > 0 else -size[0] / 2) - camera[0]) / dx
            ty = ((size[1] if dy > 0 else 0.0) - camera[1]) / dy
            tz = ((3 * size[2] if dz > 0 else 0.0) - camera[2]) / dz
            t = min(tx, ty, tz)
            px, py, pz = camera[0] + t * dx, camera[1] + t * dy, camera[2] + t * dz
            u, v, wall = px / size[0] + 0.5, 1 - py / size[1], 0
            nx, ny, nz = 0.0, 0.0, 1.0
            if t == tx:
                wall, u = (2, pz / size[2]) if dx > 0 else (1, 1 - pz / size[2])
                nx, nz = (-1.0 if dx > 0 else 1.0), 0.0
            elif t == ty:
                wall, v = (4, pz / size[2]) if dy > 0 else (3, pz / size[2])
                ny, nz = (-1.0 if dy > 0 else 1.0), 0.0
            s, q = min(max(u, 0.0), 1.0) * (columns - 1.001), min(max(v, 0.0), 1.0) * (rows - 1.001)
            x, y = int(s), int(q)
            s, q = s - x, q - y
            red, green, blue = 0.0, 0.0, 0.0
            for k in range(3):
                value = (1 - q) * ((1 - s) * walls[wall, y, x, k] + s * walls[wall, y, x + 1, k]) + q * (
                    (1 - s) * walls[wall, y + 1, x, k] + s * walls[wall, y + 1, x + 1, k]
                )
                if k == 0:
                    red = value
                elif k == 1:
                    green = value
                else:
                    blue = value
            # Corners get less light.
            corner = min(px + size[0] / 2, size[0] / 2 - px) * abs(ny + nz)
            if abs(nx) + abs(nz) > 0:
                corner = min(py, size[1] - py)
            shade = 1 - 0.35 * np.exp(-corner / 0.25)
            for n in range(boxes.shape[0]):
                enter, leave, axis = 0.0, t, -1
                for k in range(3):
                    o = camera[k]
                    d = dx if k == 0 else (dy if k == 1 else dz)
                    first, second = (boxes[n, k] - o) / d, (boxes[n, 3 + k] - o) / d
                    if first > second:
                        first, second = second, first
                    if first > enter:
                        enter, axis = first, k
                    leave = min(leave, second)
                if axis >= 0 and enter < leave:
                    t = enter
                    px, py, pz = camera[0] + t * dx, camera[1] + t * dy, camera[2] + t * dz
                    red, green, blue = boxes[n, 6], boxes[n, 7], boxes[n, 8]
                    nx = (-1.0 if dx > 0 else 1.0) if axis == 0 else 0.0
                    ny = (-1.0 if dy > 0 else 1.0) if axis == 1 else 0.0
                    nz = (-1.0 if dz > 0 else 1.0) if axis == 2 else 0.0
                    shade = 0.75 + 0.25 * min(max((py - boxes[n, 1]) / 0.4, 0.0), 1.0)
            lr, lg, lb = glow[0], glow[1], glow[2]
            shining = 0.0
            for n in range(lamps.shape[0]):
                ox, oy, oz = lamps[n, 0] - px, lamps[n, 1] - py, lamps[n, 2] - pz
                square = ox * ox + oy * oy + oz * oz
                facing = (ox * nx + oy * ny + oz * nz) / np.sqrt(square + 1e-6)
                power = max(facing * 0.85 + 0.15, 0.03) / (square + 0.15)
                lr, lg, lb = lr + power * lamps[n, 3], lg + power * lamps[n, 4], lb + power * lamps[n, 5]
                if lamps[n, 6] > 0:
                    cx, cz = lamps[n, 0] - camera[0], lamps[n, 2] - camera[2]
                    ch = lamps[n, 1] - camera[1]
                    long = dx * dx + dy * dy + dz * dz
                    along = (cx * dx + ch * dy + cz * dz) / long
                    away = cx * cx + ch * ch + cz * cz - along * along * long
                    if 0 < along < t and away < lamps[n, 6] ** 2:
                        shining = 4.0
                        top = max(lamps[n, 3], lamps[n, 4], lamps[n, 5])
                        red, green, blue = lamps[n, 3] / top, lamps[n, 4] / top, lamps[n, 5] / top
            if shining == 0.0 and max(red, green, blue) > 1.0:
                shining = 1.0
            if shining > 0.0:
                image[j, i, 0], image[j, i, 1], image[j, i, 2] = red * shining, green * shining, blue * shining
            else:
                image[j, i, 0], image[j, i, 1], image[j, i, 2] = red * lr * shade, green * lg * shade, blue * lb * shade


def muted(rng: np.random.Generator, low: float = 0.03, high: float = 0.75, colour: float = 0.35) -> Colour:
    """Draw a linear colour as walls and things have it: any brightness, mostly little saturation, warm rather than
    cold."""
    level = np.exp(rng.uniform(np.log(low), np.log(high)))
    hue = rng.normal(0, (0.7, 0.45, 0.8)) + (0.35, 0.05, -0.3)
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


def _furnish(wall: Canvas, rng: np.random.Generator) -> list[tuple[float, float]]:
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
        for x, y in _furnish(wall, rng):
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
        place = rng.uniform((-size[0] / 2, 0.9, 0.2), (size[0] / 2, size[1] - 0.2, 0.6 * size[2]))
        lamps.append([*place, *(rng.uniform(0.3, 1.8) * warm), rng.uniform(0.04, 0.16)])
        boxes.append([*(place - (0.015, place[1], 0.015)), *(place + (0.015, 0, 0.015)), 0.05, 0.04, 0.03])
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
