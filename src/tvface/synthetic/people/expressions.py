"""Expressions of the synthetic people: moods, speech and grimaces as they are seen on photographs and on TV.

Faces on photographs smile; faces on TV speak. A network that has seen each movement alone and independent of the others
knows neither, so most codes are drawn around the mimes of a table, which follow the facial action coding system (Ekman
& Friesen 1978) and the mouth shapes of speech.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvface.head.human.units import GAZE, NAMES
from tvface.synthetic.people.face_units import JAW, code_of

# name: (how often, movements at full strength)
MIMES: dict[str, tuple[float, dict[str, float]]] = {
    "rest": (3.0, {}),
    "faint smile": (2.0, {"smile": 0.4, "dimple": 0.2}),
    "smile": (2.5, {"smile": 0.75, "cheek_up": 0.5, "lip_up": 0.15, "jaw": 0.03}),
    "grin": (2.5, {"smile": 0.85, "cheek_up": 0.6, "squint": 0.3, "lip_up": 0.4, "lip_down": 0.25, "jaw": 0.1}),
    "laugh": (1.6, {"smile": 0.85, "cheek_up": 0.8, "squint": 0.5, "lip_up": 0.5, "lip_down": 0.3, "jaw": 0.5}),
    "roar": (0.6, {"smile": 0.7, "cheek_up": 0.9, "squint": 0.7, "lip_up": 0.6, "lip_down": 0.5, "jaw": 0.9}),
    "ah": (1.5, {"jaw": 0.5, "lip_down": 0.2, "lip_up": 0.15}),
    "eh": (1.2, {"jaw": 0.22, "stretch": 0.3, "lip_up": 0.2, "lip_down": 0.3}),
    "ee": (1.2, {"smile": 0.3, "stretch": 0.4, "lip_up": 0.3, "lip_down": 0.5, "jaw": 0.06}),
    "oh": (1.2, {"funnel": 0.6, "jaw": 0.35}),
    "oo": (1.2, {"pucker": 0.7, "funnel": 0.3, "jaw": 0.12}),
    "mm": (1.2, {"press": 0.6, "roll_lower": 0.4, "roll_upper": 0.3}),
    "ff": (0.6, {"roll_lower": 0.5, "lip_up": 0.35, "jaw": 0.05}),
    "surprise": (1.0, {"brow_up": 0.9, "lid_wide": 0.8, "jaw": 0.4}),
    "fear": (0.6, {"brow_in": 0.9, "brow_furrow": 0.4, "lid_wide": 0.9, "stretch": 0.7, "jaw": 0.25}),
    "anger": (0.9, {"brow_furrow": 1.0, "lid_wide": 0.3, "press": 0.6, "sneer": 0.3}),
    "shout": (0.7, {"brow_furrow": 0.8, "sneer": 0.5, "lip_up": 0.6, "lip_down": 0.6, "jaw": 0.8, "stretch": 0.3}),
    "disgust": (0.6, {"sneer": 1.0, "lip_up": 0.6, "brow_furrow": 0.5, "shrug_lower": 0.4, "squint": 0.4}),
    "sadness": (0.9, {"brow_in": 0.9, "frown": 0.8, "shrug_lower": 0.4, "lid": 0.15}),
    "doubt": (0.7, {"brow_furrow_L": 0.5, "brow_out_R": 0.9, "press": 0.3, "smile_R": 0.2}),
    "smirk": (0.7, {"smile_L": 0.7, "dimple_L": 0.5, "cheek_up_L": 0.4}),
    "other smirk": (0.7, {"smile_R": 0.7, "dimple_R": 0.5, "cheek_up_R": 0.4}),
    "kiss": (0.5, {"pucker": 1.0, "lid": 0.2}),
    "puffed": (0.3, {"cheek_puff": 0.9, "press": 0.4}),
    "shrug": (0.5, {"shrug_lower": 0.7, "frown": 0.5, "brow_up": 0.5}),
    "squinting": (0.7, {"squint": 0.9, "cheek_up": 0.6, "brow_furrow": 0.6, "lip_up": 0.2}),
    "asleep": (0.6, {"lid": 1.0}),
    "yawn": (0.4, {"jaw": 1.0, "lid": 0.8, "brow_in": 0.4, "stretch": 0.2}),
    "tongue": (0.12, {"tongue": 0.8, "jaw": 0.35}),
}
_NAMES = tuple(MIMES)
_SHARES = np.array([share for share, _ in MIMES.values()]) / sum(share for share, _ in MIMES.values())
_CODES = np.stack([code_of(movements) for _, movements in MIMES.values()])
_COLUMN = {name: column for column, name in enumerate(NAMES)}
_WIDE = [_COLUMN["eyeWideLeft"], _COLUMN["eyeWideRight"]]
_BLINKS = [_COLUMN["eyeBlinkLeft"], _COLUMN["eyeBlinkRight"]]
_PAIRS = [(_COLUMN[n], _COLUMN[n.removesuffix("Left") + "Right"]) for n in NAMES if n.endswith("Left")]
# Units that follow the eyeballs or the jaw, or pull the face out of shape: not drawn alone.
_BOUND = {_COLUMN[name] for name in NAMES if name.startswith(("eyeLook", "eyeBlink"))} | {JAW, _COLUMN["tongueOut"]}
_FREE = np.array([0.0 if column in _BOUND else 1.0 for column in range(len(NAMES))])
RESTING_LID = 0.06  # of a closed lid: relaxed lids hang lower than the sculpted ones


@dataclass(frozen=True)
class Mien:
    """code (52,) weights of the face units without jawOpen; jaw, rad; gaze (2,), rad: pitch (positive looks down) and
    yaw (positive to the picture's right) of both eyes."""

    code: np.ndarray
    jaw: float
    gaze: np.ndarray


def draw_mien(rng: np.random.Generator, jaw_open: float) -> Mien:
    """Draw an expression.

    Args:
        jaw_open: rad that the jaw turns at jawOpen = 1.
    """
    code = np.clip(rng.normal(1.0, 0.25), 0.2, 1.25) * _CODES[int(rng.choice(len(_NAMES), p=_SHARES))]
    if rng.random() < 0.25:
        code = code + rng.uniform(0.2, 0.7) * _CODES[int(rng.choice(len(_NAMES), p=_SHARES))]
    # No face moves alike on both sides, and small movements run over every face.
    uneven = rng.normal(0, 0.12, len(_PAIRS))
    for (left, right), share in zip(_PAIRS, uneven, strict=True):
        code[left], code[right] = code[left] * (1 + share), code[right] * (1 - share)
    small = np.where(rng.random(len(NAMES)) < 0.12, rng.uniform(0, 0.5, len(NAMES)), 0.0)
    code = code + _FREE * small + 0.03 * _FREE * np.abs(rng.standard_normal(len(NAMES)))
    lids = np.clip(rng.normal(RESTING_LID, 0.10), -0.15, 0.4)
    if rng.random() < 0.10:
        lids = rng.uniform(0.3, 1.0)  # a blink
    code[_BLINKS] += lids
    if rng.random() < 0.03:
        code[_BLINKS[int(rng.integers(2))]] = rng.uniform(0.5, 1.0)  # a wink
    gaze = np.clip(rng.normal(0, [0.08, 0.16]), -0.4, 0.4)
    wide = np.minimum(code[_BLINKS], 0)  # lids that hang higher are eyes opened wide
    code[_WIDE] -= 1.5 * wide
    code = follow_gaze(np.clip(code, 0, 1.0), gaze)
    jaw = float(np.clip(code[JAW] + max(0.0, rng.normal(0, 0.03)), 0, 1.1)) * jaw_open
    code[JAW] = 0
    return Mien(code.astype(np.float32), jaw, gaze)


def follow_gaze(code: np.ndarray, gaze: np.ndarray) -> np.ndarray:
    """Return the weights with the lids that follow the eyes: they sink with a lowered gaze and rise with a lifted one.

    Args:
        code: (52,) weights. gaze: (2,) rad, pitch (positive looks down) and yaw.
    """
    code = code.copy()
    pitch = float(np.degrees(gaze[0]))
    way, share = ("Down", pitch / GAZE["Down"]) if pitch > 0 else ("Up", -pitch / GAZE["Up"])
    for side in ("Left", "Right"):
        code[_COLUMN[f"eyeLook{way}{side}"]] = min(share, 1.0)
    return code
