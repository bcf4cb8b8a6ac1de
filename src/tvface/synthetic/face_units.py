"""The painters' movements as sums of face units, so that the synthetic people can use the human head."""

from __future__ import annotations

import dataclasses
import json

import numpy as np

from tvface.head.data import HeadData

# The painters' name of a movement: its unit; L is the subject's left.
_SIDED = {
    "smile": "mouthSmile",
    "frown": "mouthFrown",
    "stretch": "mouthStretch",
    "lip_up": "mouthUpperUp",
    "lip_down": "mouthLowerDown",
    "press": "mouthPress",
    "brow_furrow": "browDown",
    "brow_out": "browOuterUp",
    "sneer": "noseSneer",
    "lid_wide": "eyeWide",
}
MOVEMENTS: dict[str, dict[str, float]] = {
    **{name: {f"{unit}Left": 1.0, f"{unit}Right": 1.0} for name, unit in _SIDED.items()},
    "pucker": {"mouthPucker": 1.0},
    "cheek_puff": {"cheekPuff": 1.0},
    "brow_up": {"browInnerUp": 1.0, "browOuterUpLeft": 1.0, "browOuterUpRight": 1.0},
    "lid_L": {"eyeBlinkLeft": 1.0},
    "lid_R": {"eyeBlinkRight": 1.0},
    **{f"{name}_{side[0]}": {f"{unit}{side}": 1.0} for name, unit in _SIDED.items() for side in ("Left", "Right")},
}


def with_movements(head: HeadData) -> HeadData:
    """Return the human head with the painters' movements as its expression columns, 1 the full movement.

    Raises:
        ValueError: the head has no face units.
    """
    names = list(head.notes.get("expression_names", ()))
    missing = sorted({unit for units in MOVEMENTS.values() for unit in units} - set(names))
    if missing:
        raise ValueError(
            f"a head from {head.notes.get('source')!r} has no units {', '.join(missing)}; use head.model: human"
        )
    mix = np.zeros((len(names), len(MOVEMENTS)), np.float32)
    for column, units in enumerate(MOVEMENTS.values()):
        for unit, weight in units.items():
            mix[names.index(unit), column] = weight
    notes = {**head.notes, "expression_names": list(MOVEMENTS), "expression_full": 1.0}
    return dataclasses.replace(
        head, expression_basis=np.ascontiguousarray(head.expression_basis @ mix), meta=json.dumps(notes, sort_keys=True)
    )
