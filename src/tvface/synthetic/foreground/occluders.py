"""Occluders of a face: hands, things held, microphones, people in the foreground, graphics, bars of letterboxes.

The place and shape of an occluder never depend on the picture, so that it stays the same in the frames of a shot;
its brightness follows the picture's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np

from tvface.synthetic.camera.lens import disc_kernel
from tvface.synthetic.foreground.hands import hand, hand_materials
from tvface.synthetic.foreground.tubes import paint_strokes
from tvface.synthetic.noise import Noise
from tvface.synthetic.people.traits import TONES
from tvface.synthetic.places.backgrounds import PICTURES, picture_background

Covered = tuple[np.ndarray, np.ndarray, np.ndarray]


class Paint(NamedTuple):
    """colour (S, S, 3) float32 0..255; opacity (S, S) float32 0..1; lit: its brightness follows the picture's."""

    colour: np.ndarray
    opacity: np.ndarray
    lit: bool = True


def occlude(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Covered:
    """Put one occluder in front of the picture; see :data:`KINDS`.

    Args:
        image: (S, S, 3) uint8; labels: (S, S) uint8.

    Returns:
        New image, new labels (0 under the thing) and the covered area (S, S) bool: what is more than half hidden.
    """
    draw = KINDS[int(rng.choice(len(KINDS), p=[share for _, share in KINDS]))][0]
    paint = draw(image.shape[0], rng)
    level = np.clip(image.mean() / 115, 0.12, 1.25) if paint.lit else 1.0
    area = paint.opacity > 0.5
    opacity = paint.opacity[:, :, None]
    mixed = image * (1 - opacity) + np.clip(paint.colour * np.float32(level), 0, 255) * opacity
    return np.clip(mixed + 0.5, 0, 255).astype(np.uint8), np.where(area, 0, labels).astype(np.uint8), area


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


def _soft(cover: np.ndarray, sigma: float = 0.6) -> np.ndarray:
    """Return the opacity of a cover (S, S) bool with soft edges; more than a half is hidden where the cover is."""
    blurred = cv2.GaussianBlur(cover.astype(np.float32), (0, 0), sigma)
    return np.where(cover, np.maximum(blurred, 0.51), np.minimum(blurred, 0.49)).astype(np.float32)


def _tone(rng: np.random.Generator) -> np.ndarray:
    """Draw the display colour of anybody's skin, 0..255."""
    return np.asarray(255 * TONES[int(rng.integers(len(TONES)))] * rng.uniform(0.75, 1.1))


def _cloth(rng: np.random.Generator) -> np.ndarray:
    """Draw the display colour of clothes and things, mostly dark or muted, 0..255."""
    level = np.exp(rng.uniform(np.log(15), np.log(220)))
    return np.asarray(np.clip(level * np.exp(rng.normal(0, 0.25, 3)), 3, 250))


def _entry(size: int, rng: np.random.Generator) -> tuple[np.ndarray, float, float]:
    """Draw where a hand reaches, from which angle, and the length of its palm."""
    place = (0.5 + rng.normal(0, 0.2), 0.58 + rng.normal(0, 0.18))
    angle = rng.normal(0, 0.45) + rng.choice([np.pi / 2, 0.4, np.pi - 0.4], p=[0.5, 0.25, 0.25])
    return np.array(place) * size, float(angle), float(np.exp(rng.uniform(np.log(0.15), np.log(0.34)))) * size


def _skinned(colour: np.ndarray, size: int, rng: np.random.Generator) -> np.ndarray:
    """Mottle painted skin."""
    noise = Noise(10, 3).draw(size, size, rng)
    return np.asarray(colour * (1 + 0.035 * noise)[:, :, None], np.float32)


def _hand(size: int, rng: np.random.Generator) -> Paint:
    """Draw a hand that reaches in from outside, at times two."""
    strokes = hand(*_entry(size, rng), rng)
    if rng.random() < 0.12:
        strokes = [*strokes, *hand(*_entry(size, rng), rng)]
    colour, cover = paint_strokes(size, strokes, hand_materials(_tone(rng), _cloth(rng)), rng)
    return Paint(_skinned(colour, size, rng), _soft(cover))


def _microphone(size: int, rng: np.random.Generator) -> Paint:
    """Draw a microphone from below or beside, a ball of wire mesh or foam on a stick, at times held by a hand."""
    head = np.array([rng.uniform(0.25, 0.75), rng.uniform(0.55, 0.95), 0.0]) * size
    lean, radius = rng.normal(0, 0.5), rng.uniform(0.035, 0.1) * size
    axis = np.array([lean, 1.0, 0.0]) / np.hypot(lean, 1.0)
    foot = head + 8 * radius * axis
    foam = rng.random() < 0.4
    strokes = [
        (head + 0.5 * radius * axis, foot, 0.5 * radius, 0.4 * radius, 4),
        (head, head + (1.2 if foam else 0.5) * radius * axis, radius, 0.95 * radius, 5),
    ]
    tone = _tone(rng)
    if rng.random() < 0.55:
        strokes = [
            *strokes,
            *hand(head[:2] + 4.0 * radius * axis[:2], rng.choice([0.3, np.pi - 0.3]), 2.6 * radius, rng, 1.35),
        ]
    dark = rng.uniform(15, 70) * (1 + rng.uniform(-0.2, 0.2, 3))
    ball = _cloth(rng) if foam else rng.uniform(50, 190) * np.ones(3)
    colours = np.concatenate([hand_materials(tone, _cloth(rng)), [dark, ball]])
    colour, cover = paint_strokes(size, strokes, colours, rng)
    if not foam:
        rows, columns = np.mgrid[0:size, 0:size]
        pitch = max(2, round(radius / 6))
        mesh = 0.75 + 0.25 * (((rows // pitch) + (columns // pitch)) % 2)
        on_ball = np.hypot(columns - head[0], rows - head[1]) < radius
        colour = np.where(on_ball[:, :, None], colour * mesh[:, :, None], colour)
    return Paint(colour.astype(np.float32), _soft(cover))


def _held(size: int, rng: np.random.Generator) -> Paint:
    """Draw a cup, a telephone or a sheet of paper, held by a hand."""
    middle = np.array([0.5 + rng.normal(0, 0.2), 0.65 + rng.normal(0, 0.15)]) * size
    palm = float(np.exp(rng.uniform(np.log(0.12), np.log(0.26)))) * size
    kind = rng.random()
    width, height = {0: (0.8, 0.9), 1: (0.75, 1.5), 2: (1.8, 2.4)}[int(kind > 0.4) + int(kind > 0.85)]
    turn = rng.normal(0, 8) if kind < 0.4 else rng.normal(0, 25)
    thing = np.zeros((size, size), np.uint8)
    centre, extent = (float(middle[0]), float(middle[1])), (width * palm, height * palm)
    corners = cv2.boxPoints((centre, extent, float(turn)))
    cv2.fillPoly(thing, [np.round(corners).astype(np.int32)], 1)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32)
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    u = ((columns - centre[0]) * cosine + (rows - centre[1]) * sine) / (0.5 * extent[0])
    v = (-(columns - centre[0]) * sine + (rows - centre[1]) * cosine) / (0.5 * extent[1])
    colour = np.empty((size, size, 3), np.float32)
    if kind < 0.4:  # a cup: a cylinder with a round bottom and a rim
        cv2.ellipse(thing, (centre, (extent[0], 0.3 * extent[0]), float(turn)), 0, -1)
        base = corners[[0, 3]].mean(0) if turn > 45 else np.array(centre) + 0.5 * extent[1] * np.array([-sine, cosine])
        cv2.ellipse(thing, ((float(base[0]), float(base[1])), (extent[0], 0.3 * extent[0]), float(turn)), 1, -1)
        lip = np.array(centre) - 0.5 * extent[1] * np.array([-sine, cosine])
        cv2.ellipse(thing, ((float(lip[0]), float(lip[1])), (extent[0], 0.3 * extent[0]), float(turn)), 1, -1)
        thing[(np.abs(u) < 0.98) & (np.abs(v) < 1)] = 1
        light = 0.45 + 0.6 * np.sqrt(np.clip(1 - (u - rng.uniform(-0.5, 0.5)) ** 2 / 2.4, 0, 1))
        colour[:] = light[:, :, None] * _cloth(rng)
        if rng.random() < 0.5:
            colour[np.abs(v - rng.uniform(-0.4, 0.4)) < rng.uniform(0.05, 0.35)] *= rng.uniform(0.3, 1.4, 3)
        inside = np.hypot(u, (v + 1) * extent[1] / (0.3 * extent[0])) < 0.9
        colour[inside] *= 0.45
    elif kind < 0.85:  # a telephone's back or screen
        colour[:] = _cloth(rng) * 0.6
        for k in range(int(rng.integers(1, 4))):
            colour[np.hypot((u + 0.6) * extent[0], (v + 0.8 - 0.16 * k) * extent[1]) < 0.13 * extent[0]] = 12
        colour *= (1 + 0.12 * u)[:, :, None]
    else:
        colour[:] = rng.uniform(180, 245) * np.array([1.0, 0.99, 0.96])
        lines = (np.sin(v * 40) > 0.2) & (np.abs(u) < 0.8) & (np.abs(v) < 0.85)
        colour[lines] *= 0.6
        colour *= (1 + 0.1 * np.sin(2.5 * u + rng.uniform(0, 6)))[:, :, None]
    side = 1.0 if rng.random() < 0.5 else -1.0
    reach = np.pi if side > 0 else 0.0
    grip = middle + np.array([side * (0.5 * extent[0] + 0.1 * palm), rng.uniform(-0.1, 0.35) * extent[1]])
    strokes = hand(grip, reach + rng.normal(0, 0.3) - side * 0.5, palm, rng, float(rng.uniform(0.15, 0.6)))
    painted, cover = paint_strokes(size, strokes, hand_materials(_tone(rng), _cloth(rng)), rng)
    return Paint(np.where(cover[:, :, None], painted, colour).astype(np.float32), _soft(cover | (thing > 0)))


def _foreground(size: int, rng: np.random.Generator) -> Paint:
    """Draw the shoulder and head of somebody nearer to the camera, out of focus, at one side of the picture."""
    scale, side = rng.uniform(0.5, 1.1) * size, 1.0 if rng.random() < 0.5 else -1.0
    head = np.array([0.5 + side * rng.uniform(0.4, 0.75), rng.uniform(0.35, 1.0), 0.0]) * (size, size, 0)

    def step(across: float, down: float, height: float = 0.0) -> np.ndarray:
        return scale * np.array([side * across, down, height])

    neck, top = head + step(0.1, 0.4, -0.1), head + step(0, -0.05, 0.03)
    strokes = [
        (head, head + step(0, 0.14), 0.26 * scale, 0.22 * scale, 0),
        (top, top + step(0.03, 0.06), 0.28 * scale, 0.24 * scale, 1),
        (head, neck, 0.15 * scale, 0.17 * scale, 0),
        (neck, neck + step(-0.55, 0.3), 0.2 * scale, 0.2 * scale, 2),
        (neck, neck + step(0.6, 0.25), 0.2 * scale, 0.2 * scale, 2),
        (neck + step(0, 0.35), neck + step(0, 1.2), 0.6 * scale, 0.7 * scale, 2),
    ]
    hair = rng.uniform(12, 110) * np.exp(rng.normal((0.15, 0.0, -0.15), 0.15))
    colours = np.stack([0.7 * _tone(rng), hair, 0.7 * _cloth(rng)])
    colour, cover = paint_strokes(size, strokes, colours, rng)
    kernel = disc_kernel(round(2 * rng.uniform(0.012, 0.06) * size) / 4)
    half = (size + 1) // 2
    layers = np.dstack([colour * cover[:, :, None], cover.astype(np.float32)])
    layers = cv2.filter2D(cv2.resize(layers, (half, half), interpolation=cv2.INTER_AREA), -1, kernel)
    layers = cv2.resize(layers, (size, size), interpolation=cv2.INTER_LINEAR)
    opacity = np.clip(layers[:, :, 3], 0, 1)
    return Paint(layers[:, :, :3] / np.maximum(opacity, 1e-3)[:, :, None], opacity)


def _strands(size: int, rng: np.random.Generator) -> Paint:
    """Draw thin strands of hair across the picture; they hide less than half of every pixel, so no label changes."""
    opacity = np.zeros((size, size), np.uint8)
    start = np.array([rng.uniform(0.2, 0.8), rng.uniform(0.0, 0.35)]) * size
    end = start + size * np.array([rng.normal(0, 0.2), rng.uniform(0.3, 0.7)])
    bow = rng.normal(0, 0.12) * size
    share = np.linspace(0, 1, 24)[:, None]
    for _ in range(int(rng.integers(3, 14))):
        a, b = start + rng.normal(0, 0.05, 2) * size, end + rng.normal(0, 0.09, 2) * size
        line = a + share * (b - a)
        line[:, 0] += (bow + rng.normal(0, 0.03) * size) * np.sin(np.pi * share[:, 0])
        path = np.round(line * 16).astype(np.int32)
        cv2.polylines(opacity, [path], False, int(rng.uniform(110, 255)), 1, cv2.LINE_AA, 4)
    dark = rng.uniform(15, 170) * np.exp(rng.normal((0.2, 0.0, -0.25), 0.1))
    colour = np.empty((size, size, 3), np.float32)
    colour[:] = dark
    return Paint(colour, opacity.astype(np.float32) * (0.49 / 255))


def _graphic(size: int, rng: np.random.Generator) -> Paint:
    """Draw what broadcasts lay over the picture: subtitles, a caption's band, a channel's logo."""
    colour, opacity = np.zeros((size, size, 3), np.float32), np.zeros((size, size), np.float32)
    kind = rng.random()
    letters = "".join(chr(97 + int(v)) if v < 26 else " " for v in rng.integers(0, 31, int(rng.integers(8, 40))))
    scale = float(rng.uniform(0.3, 0.8)) * size / 208
    thick = max(1, round(1.6 * scale))
    mask, rim = np.zeros((size, size), np.uint8), np.zeros((size, size), np.uint8)
    if kind < 0.3:  # a logo in a corner
        corner = np.array([rng.choice([0.06, 0.78]), rng.choice([0.08, 0.88])]) * size
        place = (int(corner[0]), int(corner[1] + 8 * scale))
        cv2.putText(mask, letters[:3].upper(), place, cv2.FONT_HERSHEY_DUPLEX, scale, 255, thick)
        colour[:] = rng.choice([235.0, 250.0]) * rng.uniform(0.6, 1, 3)
        return Paint(colour, mask.astype(np.float32) / 255 * np.float32(rng.uniform(0.4, 1.0)), lit=False)
    base = int(rng.uniform(0.72, 0.97) * size)
    if kind < 0.6:  # a band
        top = base - int(26 * scale)
        left = int(rng.uniform(-0.3, 0.3) * size)
        opacity[top : base + int(9 * scale), max(left, 0) :] = rng.uniform(0.6, 1.0)
        colour[:] = 255 * rng.dirichlet([0.6, 0.6, 0.9]) * rng.uniform(0.3, 1.0)
    place = (int(rng.uniform(-0.2, 0.2) * size), base)
    cv2.putText(mask, letters, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick, cv2.LINE_AA)
    cv2.putText(rim, letters, place, cv2.FONT_HERSHEY_SIMPLEX, scale, 255, thick + 2, cv2.LINE_AA)
    if kind >= 0.6:
        opacity = np.maximum(opacity, rim.astype(np.float32) / 255)
    white = (mask.astype(np.float32) / 255)[:, :, None]
    yellow = np.array([255.0, 255.0, 255.0]) if rng.random() < 0.75 else np.array([240.0, 225.0, 60.0])
    colour = colour * (1 - white) + white * yellow
    return Paint(colour.astype(np.float32), np.maximum(opacity, white[:, :, 0]), lit=False)


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
    opacity = _soft(cover > 0)
    if rng.random() < 0.4:
        name = PICTURES[int(rng.integers(len(PICTURES)))][0]
        return Paint(picture_background(name, size, size, rng).astype(np.float32), opacity)
    rows, columns = np.mgrid[0:size, 0:size].astype(np.float32) / size
    ramp = 1 + rng.uniform(-0.8, 0.8) * (rows - 0.5) + rng.uniform(-0.8, 0.8) * (columns - 0.5)
    shade = ramp * (1 + 0.08 * Noise(6, 3).draw(size, size, rng))
    return Paint(np.asarray(_cloth(rng) * shade[:, :, None], np.float32), opacity)


KINDS: tuple[tuple[Callable[[int, np.random.Generator], Paint], float], ...] = (
    (_hand, 0.34),
    (_held, 0.13),
    (_microphone, 0.13),
    (_foreground, 0.12),
    (_strands, 0.08),
    (_graphic, 0.08),
    (_object, 0.12),
)
