"""Hands as strokes: a palm of four bones, bent fingers with nails, a thumb, a wrist and at times a sleeve."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.foreground.tubes import Strokes

SKIN, NAIL, SLEEVE, KNUCKLE = range(4)  # materials

# Lengths of the fingers in palms, their roots across the palm in palms, and their radii.
_FINGERS = ((0.74, -0.33, 0.098), (0.83, -0.11, 0.105), (0.78, 0.11, 0.102), (0.62, 0.32, 0.088))
_PHALANGES = (0.46, 0.3, 0.24)


def hand_materials(tone: np.ndarray, cloth: np.ndarray) -> np.ndarray:
    """Return the colours (4, 3) of skin, nails, sleeve and knuckles for a ``tone`` (3,) and a ``cloth`` (3,)."""
    nail = np.clip(tone * [1.02, 0.98, 0.98] + 14, 0, 255)
    return np.stack([tone, nail, cloth, tone * [1.0, 0.92, 0.9]])


def hand(
    knuckles: np.ndarray, angle: float, palm: float, rng: np.random.Generator, bend: float | None = None
) -> Strokes:
    """Draw the strokes of a hand.

    Args:
        knuckles: (2,) pixels, the middle of the four knuckles.
        angle: from the wrist to the fingers, radians, 0 to the right, counter-clockwise as seen.
        palm: length of the palm in pixels.
        rng: of everything else.
        bend: of the fingers in radians per joint, 0 straight, 1.5 a fist; None: drawn.
    """
    along = np.array([np.cos(angle), -np.sin(angle), 0.0])
    side = 1.0 if rng.random() < 0.5 else -1.0
    across = side * np.array([along[1], -along[0], 0.0])
    front = np.array([0.0, 0.0, palm])
    middle = np.array([*knuckles, 0.0])
    wrist = middle - palm * along
    bend = (
        float(rng.choice([rng.uniform(0, 0.25), rng.uniform(0.2, 0.9), rng.uniform(1.0, 1.5)]))
        if bend is None
        else bend
    )
    fan = rng.uniform(0.02, 0.35) * (bend < 0.7)
    strokes: Strokes = []
    for number, (long, root, radius) in enumerate(_FINGERS):
        place = middle + palm * (root * across + (0.06 - 0.5 * root * root) * along)
        base = wrist + 0.62 * palm * root * across
        strokes.append((base, place, 0.17 * palm, 0.135 * palm, SKIN))
        lean = fan * (number - 1.5) * 0.45 + rng.normal(0, 0.035)
        turn = bend * rng.uniform(0.75, 1.25) * 0.6
        start: np.ndarray = place
        r = float(radius * palm * rng.uniform(0.95, 1.1))
        for joint, part in enumerate(_PHALANGES):
            # A bent finger comes towards the camera and gets shorter in the picture.
            heading = np.cos(turn) * (np.cos(lean) * along + np.sin(lean) * across) + np.sin(turn) * front / palm
            end = start + long * part * palm * heading
            narrow = r * (0.94 if joint < 2 else 0.85)
            strokes.append((start, end, r, narrow, SKIN))
            if joint < 2:
                strokes.append((end, end + 0.001 * palm * along, narrow * 1.04, narrow * 1.04, KNUCKLE))
            start, r = end, narrow
            turn = min(turn + bend, 2.6)
        if bend < 1.0:
            nail = start + 0.45 * r / palm * front
            strokes.append((nail, nail + 0.35 * r * along, 0.62 * r, 0.58 * r, NAIL))
    spread = rng.uniform(0.15, 0.9) if bend < 0.9 else rng.uniform(-0.3, 0.3)
    ball = wrist + palm * (0.2 * along - 0.28 * across) + 0.05 * front
    knee = ball + palm * (0.42 * along - spread * 0.42 * across)
    tip = knee + palm * (0.36 * along - (spread - 0.25) * 0.3 * across)
    strokes += [(ball, knee, 0.19 * palm, 0.125 * palm, SKIN), (knee, tip, 0.12 * palm, 0.095 * palm, SKIN)]
    arm = wrist - 4.5 * palm * along + rng.normal(0, 0.5) * palm * across
    strokes.append((wrist, arm, 0.27 * palm, 0.42 * palm, SKIN))
    if rng.random() < 0.6:
        cuff = wrist + rng.uniform(0.15, 1.2) * (arm - wrist) / 4.5 + 0.08 * front
        strokes.append((cuff, arm + 0.08 * front, 0.36 * palm, 0.55 * palm, SLEEVE))
    return strokes
