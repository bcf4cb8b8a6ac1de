"""The head's texture layout: MakeHuman's pieces, the face enlarged by a warp, packed anew without overlap."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from tvface.head.human.cut import EYE_LEFT, EYE_RIGHT, TEETH_LOWER, TEETH_UPPER, TONGUE, Cut

Box = tuple[float, float, float, float]

FACE: Box = (0.01, 0.99, 0.26, 0.99)  # x from, x to, y from, y to; v up
BOXES: dict[str, Box] = {
    "neck": (0.01, 0.44, 0.015, 0.245),
    "bag": (0.455, 0.62, 0.015, 0.245),
    "socket_right": (0.83, 0.905, 0.155, 0.245),
    "socket_left": (0.915, 0.99, 0.155, 0.245),
}
PARTS: dict[int, Box] = {
    TONGUE: (0.63, 0.72, 0.02, 0.135),
    TEETH_LOWER: (0.73, 0.94, 0.015, 0.07),
    TEETH_UPPER: (0.73, 0.99, 0.085, 0.145),
}
# Front (with the cornea) and back half of each eyeball.
EYES: dict[int, tuple[Box, Box]] = {
    EYE_RIGHT: ((0.63, 0.72, 0.15, 0.24), (0.955, 0.99, 0.045, 0.078)),
    EYE_LEFT: ((0.73, 0.82, 0.15, 0.24), (0.955, 0.99, 0.007, 0.04)),
}
SIDE_POWER = 2.2  # how much the front is enlarged over the sides
_HEIGHTS = ((0.0, 0.0), (0.10, 0.07), (0.62, 0.83), (1.0, 1.0))  # of MakeHuman's layout, and in the picture


def layout(cut: Cut, positions: np.ndarray) -> np.ndarray:
    """Return (Vt,2) in [0,1], v up, the places of ``cut.uv``; ``positions`` (V,3) tell the halves of an eye apart."""
    result = np.full(cut.uv.shape, np.nan)
    face = np.unique(cut.quad_uv[cut.piece("face")])
    # MakeHuman's face lies on its side: up is -u.
    upright = np.stack([cut.uv[face, 1], -cut.uv[face, 0]], 1)
    place = _unit(upright)
    across = 2 * place[:, 0] - 1
    warped = np.sign(across) * (1 - (1 - np.abs(across)) ** SIDE_POWER)
    rise = PchipInterpolator(*np.transpose(_HEIGHTS))(place[:, 1])
    result[face] = _into(np.stack([0.5 + 0.5 * warped, rise], 1), FACE)
    for name, box in BOXES.items():
        members = np.unique(cut.quad_uv[cut.piece(name)])
        result[members] = _into(_unit(cut.uv[members]), box)
    kind = cut.part[cut.quads[:, 0]]
    for part, box in PARTS.items():
        members = np.unique(cut.quad_uv[kind == part])
        result[members] = _into(_unit(cut.uv[members]), box)
    for part, boxes in EYES.items():
        labels = np.unique(cut.island[cut.quad_uv[kind == part]])
        depth = [positions[cut.quads[cut.island[cut.quad_uv[:, 0]] == label], 2].mean() for label in labels]
        for label, box in zip(labels[np.argsort(depth)[::-1]], boxes, strict=True):
            members = np.flatnonzero(cut.island == label)
            result[members] = _into(_unit(cut.uv[members]), box)
    if np.isnan(result).any():
        raise ValueError("a piece of the texture layout has no place")
    return result


def _unit(points: np.ndarray) -> np.ndarray:
    low, high = points.min(0), points.max(0)
    return np.asarray((points - low) / (high - low))


def _into(points: np.ndarray, box: Box) -> np.ndarray:
    left, right, bottom, top = box
    return np.stack([left + (right - left) * points[:, 0], bottom + (top - bottom) * points[:, 1]], 1)
