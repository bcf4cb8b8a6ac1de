"""What happens to frames of a shot: a passing hand, a lamp that flickers, lost focus, shakes, a starved codec.

A temporal model can only know more than one frame tells where some frames tell less than their neighbours; on TV they
do. Each mishap lasts a part of a second, comes and goes smoothly, and is written into the truth of the frames.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from tvface.synthetic.camera.codec import jpeg
from tvface.synthetic.camera.lens import motion_kernel
from tvface.synthetic.foreground.hands import hand, hand_materials
from tvface.synthetic.foreground.tubes import paint_strokes
from tvface.synthetic.people.traits import TONES

KINDS = ("hand", "flicker", "defocus", "shake", "blocks")
PAUSE = 1.1  # mean seconds between two mishaps
LENGTH = (0.25, 0.8)  # seconds
NOTED = 0.3  # strength from which the truth names a mishap
DARKEST = 0.2  # share of the light that a flickering lamp leaves
FLICKERS = 7.0  # Hz
DEFOCUS, SHAKE = 0.007, 0.03  # standard deviation and length of the blurs, in picture widths
WORST_QUALITY = 5  # JPEG quality; without any damage 40
PALM = 0.45  # length of the palm in heights of the face's points
REACH = 1.6  # heights of the face from the middle to where a passing hand comes from and goes
NEVER = 0.35  # of the shots without any mishap


@dataclass(frozen=True)
class Mishap:
    """A mishap of one of :data:`KINDS` between ``start`` and ``end`` seconds of a shot, at most ``strength`` strong,
    (0, 1]; ``seed`` of its details."""

    kind: str
    start: float
    end: float
    strength: float
    seed: int

    def at(self, time: float) -> float:
        """Return how strong it is at a time, 0 outside."""
        share = (time - self.start) / (self.end - self.start)
        return float(self.strength * np.sin(np.pi * share) ** 0.5) if 0 < share < 1 else 0.0


def draw_mishaps(generator: np.random.Generator, seconds: float) -> tuple[Mishap, ...]:
    """Draw the mishaps of a shot of a length in seconds."""
    if generator.random() < NEVER:
        return ()
    mishaps = []
    time = float(generator.exponential(PAUSE))
    while time < seconds:
        end = time + float(generator.uniform(*LENGTH))
        kind = KINDS[int(generator.integers(len(KINDS)))]
        mishaps.append(Mishap(kind, time, end, float(generator.uniform(0.5, 1.0)), int(generator.integers(2**31))))
        time = end + float(generator.exponential(PAUSE))
    return tuple(mishaps)


def named(mishaps: tuple[Mishap, ...], time: float) -> str:
    """Return the kinds that hurt the frame at a time, joined by +."""
    return "+".join(sorted({mishap.kind for mishap in mishaps if mishap.at(time) >= NOTED}))


def brightness(mishaps: tuple[Mishap, ...], time: float) -> float:
    """Return the share of the light at a time, 1 without flicker."""
    level = 1.0
    for mishap in mishaps:
        if mishap.kind == "flicker":
            swing = 0.5 + 0.5 * np.sin(2 * np.pi * FLICKERS * (time - mishap.start) + mishap.seed % 7)
            level *= 1 - (1 - DARKEST) * mishap.at(time) * swing
    return float(level)


def pass_hand(
    image: np.ndarray, labels: np.ndarray, face: np.ndarray, mishap: Mishap, time: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move a hand across a face.

    Args:
        image: (H, W, 3) uint8. labels: (H, W) uint8 classes. face: (68, 2) points in pixels.
        time: seconds of the shot, while the mishap lasts.

    Returns:
        Image, classes (0 under the hand) and the hand's area (H, W) bool.
    """
    rng = np.random.default_rng(mishap.seed)
    height = float(np.ptp(face[:, 1]))
    across = 1 if rng.random() < 0.5 else -1
    share = (time - mishap.start) / (mishap.end - mishap.start)
    way = np.array([across * (2 * share - 1) * REACH, rng.uniform(-0.2, 0.4)]) * height
    # The arm comes from below, so that it never ends in the picture.
    strokes = hand(face.mean(0) + way, np.pi / 2 + rng.normal(0, 0.3), PALM * height, rng)
    materials = hand_materials(255 * TONES[int(rng.integers(len(TONES)))], rng.uniform(20, 200, 3))
    colour, cover = paint_strokes(max(labels.shape), strokes, materials, rng)
    colour, area = colour[: labels.shape[0], : labels.shape[1]], cover[: labels.shape[0], : labels.shape[1]]
    level = float(np.clip(image.mean() / 115, 0.12, 1.25))  # as bright as the scene
    covered = np.where(area[:, :, None], np.clip(colour * level, 0, 255), image)
    return covered.astype(np.uint8), np.where(area, 0, labels).astype(np.uint8), area


def blurred(image: np.ndarray, mishaps: tuple[Mishap, ...], time: float) -> np.ndarray:
    """Return a picture (H, W, 3) uint8 out of focus or shaken, as the mishaps at a time ask for."""
    width = image.shape[1]
    for mishap in mishaps:
        amount = mishap.at(time)
        if mishap.kind == "defocus" and amount * DEFOCUS * width > 0.3:
            image = cv2.GaussianBlur(image, (0, 0), amount * DEFOCUS * width)
        if mishap.kind == "shake" and amount * SHAKE * width > 1:
            angle = np.random.default_rng(mishap.seed).uniform(0, np.pi)
            image = cv2.filter2D(image, -1, motion_kernel(amount * SHAKE * width, angle))
    return image


def starved(image: np.ndarray, mishaps: tuple[Mishap, ...], time: float) -> np.ndarray:
    """Return a picture (H, W, 3) uint8 RGB after a codec that lacks bits, as the mishaps at a time ask for."""
    amount = max((mishap.at(time) for mishap in mishaps if mishap.kind == "blocks"), default=0.0)
    if amount == 0:
        return image
    return jpeg(image, round(40 + (WORST_QUALITY - 40) * amount))
