"""Movements of the face as sums of face units (Apple's names): the words in which motion and folds are described."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tvface.head.human.units import NAMES

# A movement of both sides: its unit; L and R are the subject's left and right.
_SIDED = {
    "smile": "mouthSmile",
    "frown": "mouthFrown",
    "stretch": "mouthStretch",
    "lip_up": "mouthUpperUp",
    "lip_down": "mouthLowerDown",
    "press": "mouthPress",
    "dimple": "mouthDimple",
    "brow_furrow": "browDown",
    "brow_out": "browOuterUp",
    "sneer": "noseSneer",
    "cheek_up": "cheekSquint",
    "squint": "eyeSquint",
    "lid_wide": "eyeWide",
    "lid": "eyeBlink",
    "gaze_down": "eyeLookDown",
    "gaze_up": "eyeLookUp",
}
MOVEMENTS: dict[str, dict[str, float]] = {
    **{name: {f"{unit}Left": 1.0, f"{unit}Right": 1.0} for name, unit in _SIDED.items()},
    "pucker": {"mouthPucker": 1.0},
    "funnel": {"mouthFunnel": 1.0},
    "cheek_puff": {"cheekPuff": 1.0},
    "brow_up": {"browInnerUp": 1.0, "browOuterUpLeft": 1.0, "browOuterUpRight": 1.0},
    "brow_in": {"browInnerUp": 1.0},
    "roll_lower": {"mouthRollLower": 1.0},
    "roll_upper": {"mouthRollUpper": 1.0},
    "shrug_lower": {"mouthShrugLower": 1.0},
    "shrug_upper": {"mouthShrugUpper": 1.0},
    "jaw": {"jawOpen": 1.0},
    "tongue": {"tongueOut": 1.0},
    **{f"{name}_{side[0]}": {f"{unit}{side}": 1.0} for name, unit in _SIDED.items() for side in ("Left", "Right")},
}
_COLUMN = {name: column for column, name in enumerate(NAMES)}
JAW = _COLUMN["jawOpen"]
# The movements that :func:`strengths` reads; a movement of one side is half of that of both.
READ = tuple(name for name in MOVEMENTS if not name.endswith(("_L", "_R")))
_SHARES = np.zeros((len(READ), len(NAMES)), np.float32)
for _row, _units in enumerate(MOVEMENTS[name] for name in READ):
    for _name, _weight in _units.items():
        _SHARES[_row, _COLUMN[_name]] = _weight / sum(_units.values())


def code_of(movements: Mapping[str, float]) -> np.ndarray:
    """Return the weights (52,) float32 of the face units for movements at these strengths, 1 the full movement.

    Raises:
        KeyError: no such movement.
    """
    code = np.zeros(len(NAMES), np.float32)
    for movement, strength in movements.items():
        for unit, weight in MOVEMENTS[movement].items():
            code[_COLUMN[unit]] += weight * strength
    return code


def strengths(code: np.ndarray) -> np.ndarray:
    """Return how far a face with weights (52,) or fewer is in each of :data:`READ`, (M,) float32."""
    return np.asarray(_SHARES[:, : len(code)] @ np.asarray(code, np.float32))
