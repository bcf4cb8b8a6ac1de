"""Joints and skinning weights of the generic head."""

from __future__ import annotations

import numpy as np

from tvface.head.generic.parts import (
    BAG_LOWER,
    BAG_UPPER,
    EYE_LEFT,
    EYE_RIGHT,
    SKIN,
    TEETH_LOWER,
    TEETH_UPPER,
    parts,
)
from tvface.head.generic.sculpt import EYE_CENTRE, grid, skin, smoothstep

ROOT, NECK, JAW, EYE_L, EYE_R = range(5)
# mm; order of FLAME: root, neck, jaw, subject's left eye, subject's right eye
JOINTS = np.array([[0, -140, -12], [0, -92, -14], [0, -12, 10], EYE_CENTRE, EYE_CENTRE * (-1, 1, 1)], float)


def jaw_weight() -> np.ndarray:
    """Return (N,) the share of the jaw in the movement of each skin vertex: from 0 on the upper lip to 1 on the lower,
    a half at the corners of the mouth, fading out towards the ears and down the throat."""
    surface = skin()
    x, _, z = surface.position.T
    below = (surface.height < -65) | ((surface.height == -65) & grid().lower)
    side = np.where(below, 1.0, -1.0)
    inside = np.clip((25.5 - np.abs(x)) / 7, 0, 1)
    apart = np.clip(inside + np.abs(surface.height + 65) / 16, 0, 1)
    return (0.5 + 0.5 * side * apart) * smoothstep(z, -2, 38) * (1 - smoothstep(-surface.height, 106, 140))


def skinning() -> np.ndarray:
    """Return (V,5) weights of root, neck, jaw and both eyes; rows sum to 1."""
    p = parts()
    weights = np.zeros((len(p.position), 5))
    jaw = jaw_weight()
    skin_vertices = p.part == SKIN
    upright = 1 - smoothstep(-skin().height, 116, 162)  # the neck turns with the head above, with the root below
    weights[skin_vertices, JAW] = jaw * upright
    weights[skin_vertices, NECK] = (1 - jaw) * upright
    weights[skin_vertices, ROOT] = 1 - upright
    for kind, lip in ((BAG_UPPER, p.lips[:, 0]), (BAG_LOWER, p.lips[:, 1])):
        bag = p.part == kind
        weights[bag] = weights[lip][p.lip[bag]]
    weights[p.part == TEETH_UPPER, NECK] = 1
    weights[p.part == TEETH_LOWER, JAW] = 1
    weights[p.part == EYE_LEFT, EYE_L] = 1
    weights[p.part == EYE_RIGHT, EYE_R] = 1
    return weights


def joint_regressor() -> np.ndarray:
    """Return (5,V): joints as affine combinations of vertices, exact on the neutral head and so moved by identity."""
    p = parts()
    surface = skin()
    theta, height = np.abs(surface.theta), surface.height
    neck_ring = (height < -110) & (height > -140)
    choices = {
        ROOT: np.flatnonzero(height < -135),
        NECK: np.flatnonzero(neck_ring | ((height < -40) & (theta > 2.0))),
        JAW: np.flatnonzero((theta > 1.2) & (theta < 2.1) & (height < 20) & (height > -45)),
        EYE_L: np.flatnonzero(p.part == EYE_LEFT),
        EYE_R: np.flatnonzero(p.part == EYE_RIGHT),
    }
    rows = np.zeros((5, len(p.position)))
    for joint, vertices in choices.items():
        rows[joint, vertices] = _affine_weights(p.position[vertices], JOINTS[joint])
    return rows


def _affine_weights(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return weights (n,) of least change from equal ones whose sum is 1 and whose mean is ``target``."""
    n = len(points)
    scale = 50.0  # mm: makes the rows of the constraint comparable
    constraint = np.concatenate([np.ones((1, n)), (points - target).T / scale])
    equal = np.full(n, 1 / n)
    missing = np.array([1.0, 0, 0, 0]) - constraint @ equal
    return equal + constraint.T @ np.linalg.solve(constraint @ constraint.T, missing)
