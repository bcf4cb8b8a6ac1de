"""The 52 face units (Apple's names) as expression columns: displacements at weight 1, mirror images of each other.

Sources: the sculpted units, made symmetric; the lids close by MakeHuman's units, which slide along a round lid. The
eyeballs stay: their joints turn them. ``jawOpen`` as a column is the straight-line stand-in for tools that know no
joint; :func:`controls` gives its weight to the jaw's joint instead.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from tvface.head.human import lids
from tvface.head.human.cut import EYE_LEFT, EYE_RIGHT
from tvface.head.human.shapes import Shaper
from tvface.head.human.sliders import ORIGINS
from tvface.head.human.smoothing import Smoother
from tvface.head.human.wheel import Wheel

NAMES = (
    *("eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft"),
    *("eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight"),
    *("eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel"),
    *("mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft"),
    *("mouthFrownRight", "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight"),
    *("mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight"),
    *("mouthLowerDownLeft", "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft"),
    *("browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft"),
    *("cheekSquintRight", "noseSneerLeft", "noseSneerRight", "tongueOut"),
)
# mm: detail of the movement that is taken out, by the beginning of the name; sculpts of mouth and cheeks have knots.
SMOOTHING = {"mouth": 6.0, "jaw": 6.0, "cheekPuff": 9.0, "cheekSquint": 5.0, "brow": 3.0, "noseSneer": 3.0}
GAZE = {"Up": 22.0, "Down": 30.0, "In": 35.0, "Out": 35.0}  # degrees of eye rotation at eyeLook... = 1


def twin(name: str) -> str:
    """Return the name of a unit's mirror image; a unit of both sides is its own image."""
    for one, other in (("Left", "Right"), ("Right", "Left")):
        if name.endswith(one):
            return name.removesuffix(one) + other
    return name


def fields(wheel: Wheel, shaper: Shaper, smoother: Smoother, kept: np.ndarray) -> np.ndarray:
    """Return (52,V,3) mm the displacements of the units in the order of :data:`NAMES`."""
    cut = shaper.cut
    raw: dict[str, np.ndarray] = {}
    for name in NAMES:
        if name.startswith("eyeBlink"):
            closure = f"eye-{name.removeprefix('eyeBlink').lower()}-closure"
            sources = [wheel.target(f"expression/units/{origin}/{closure}", kept) for origin in ORIGINS]
            raw[name] = shaper.displaced(np.mean(sources, 0))
        else:
            raw[name] = shaper.displaced(wheel.face_unit(name, kept))
    balls = np.isin(cut.part, (EYE_LEFT, EYE_RIGHT))
    result = []
    for name in NAMES:
        mirrored = raw[twin(name)][cut.mirror] * (-1, 1, 1)
        field = 0.5 * (raw[name] + mirrored)
        if name == "eyeBlinkLeft":
            field = lids.meeting(field, cut, shaper.rest)
        length = next((mm for start, mm in SMOOTHING.items() if name.startswith(start)), 0.0)
        if length:
            field = smoother(field, length)
        field[balls] = 0.0
        if name == "tongueOut":
            field = field + shaper.lifted  # sculpted for MakeHuman's place of the tongue
        result.append(field)
    # Exact symmetry: the right unit of a pair is the mirrored left one, middle units are their own mirror images.
    exact = dict(zip(NAMES, result, strict=True))
    for name in NAMES:
        image = exact[name][cut.mirror] * (-1, 1, 1)
        exact[twin(name)] = image if name.endswith("Left") else exact[twin(name)]
        if twin(name) == name:
            exact[name] = 0.5 * (exact[name] + image)
    return np.stack([exact[name] for name in NAMES])


def controls(weights: Mapping[str, float], jaw_angle: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Convert weights of named units into inputs of the head model.

    Args:
        weights: name to weight, 0..1; names that are left out are 0. jaw_angle: rad that the jaw turns at jawOpen = 1
            (``jaw_open_angle`` of the head's notes).

    Returns:
        expression (52,) float32, jawOpen taken out; jaw (3,) and eyes (6,), left then right, axis-angle in rad.

    Raises:
        ValueError: a name that no unit has.
    """
    unknown = sorted(set(weights) - set(NAMES))
    if unknown:
        raise ValueError(f"no face unit {', '.join(unknown)}; there are: {', '.join(NAMES)}")
    code = np.array([weights.get(name, 0.0) for name in NAMES], np.float32)
    code[NAMES.index("jawOpen")] = 0
    eyes = np.zeros((2, 3), np.float32)
    for row, (side, outward) in enumerate((("Left", 1.0), ("Right", -1.0))):
        turn = {way: np.radians(angle) * weights.get(f"eyeLook{way}{side}", 0.0) for way, angle in GAZE.items()}
        eyes[row] = (turn["Down"] - turn["Up"], outward * (turn["Out"] - turn["In"]), 0.0)
    jaw = np.array([jaw_angle * weights.get("jawOpen", 0.0), 0, 0], np.float32)
    return code, jaw, eyes.reshape(6)
