"""Joints, skinning weights, and the corrective that makes the jaw's joint reproduce the sculpted open mouth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tvface.head.human.cut import EYE_LEFT, EYE_RIGHT, SKIN, TEETH_LOWER, TEETH_UPPER, Cut

ROOT, NECK, JAW, EYE_L, EYE_R = range(5)
PARENTS = (-1, 0, 1, 1, 1)
SINE_ROW = 9 + 7  # row of the pose basis that holds the sine of the jaw's turn about x: entry [2][1] of joint 2
ROOT_PLACE = np.array([0.0, -143.0, -15.0])  # mm; near z = -15, or turned heads leave the picture
NECK_SHARE = 0.35  # of the cube joint-neck; the rest is joint-head
# Shares of neck and root of the bones of the lower neck.
_LOWER_NECK = {"neck02": (0.6, 0.4), "neck01": (0.2, 0.8)}


def skinning(cut: Cut, bones: Mapping[str, Any], weights: Mapping[str, Any]) -> np.ndarray:
    """Return (V,5) weights of root, neck, jaw and both eyes, mirror symmetric; rows sum to 1.

    Args:
        bones: MakeHuman's rig, name to {parent, ...}; weights: name to [[vertex, weight], ...].
    """
    number = np.full(max(int(cut.source.max()) + 1, 20000), -1)
    number[cut.source[cut.source >= 0]] = np.flatnonzero(cut.source >= 0)
    table = np.zeros((len(cut.source), 5))
    for bone, pairs in weights.items():
        if not pairs:
            continue
        pair = np.asarray(pairs, float)
        vertex = number[pair[:, 0].astype(int)]
        here = vertex >= 0
        np.add.at(table, vertex[here], pair[here, 1:2] * _shares(bone, bones))
    # The eyes' bones hold a little of the skin at the lids, which must not swing with the gaze.
    for kind, joint in ((EYE_LEFT, EYE_L), (EYE_RIGHT, EYE_R)):
        skin = cut.part != kind
        table[skin, NECK] += table[skin, joint]
        table[skin, joint] = 0
        table[~skin] = np.eye(5)[joint]
    table[cut.part == TEETH_UPPER] = np.eye(5)[NECK]
    table[cut.part == TEETH_LOWER] = np.eye(5)[JAW]
    table = 0.5 * (table + table[cut.mirror][:, [ROOT, NECK, JAW, EYE_R, EYE_L]])
    return np.asarray(table / table.sum(1, keepdims=True))


def _shares(bone: str, bones: Mapping[str, Any]) -> np.ndarray:
    """Return (5,) the joints of a bone: of its nearest ancestor with a joint."""
    shares = np.zeros(5)
    name = bone
    while name:
        if name in _LOWER_NECK:
            shares[[NECK, ROOT]] = _LOWER_NECK[name]
            return shares
        joint = {"jaw": JAW, "head": NECK, "neck03": NECK, "eye.L": EYE_L, "eye.R": EYE_R}.get(name)
        if joint is not None:
            shares[joint] = 1
            return shares
        name = bones[name].get("parent") or ""
    shares[ROOT] = 1
    return shares


def hinge(old: np.ndarray, moved: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the angle (rad) and the axis (y, z) of the turn about x that moves MakeHuman's lower teeth (N,3) to their
    place under the sculpted jawOpen."""
    a, b = old[:, 1:] - old[:, 1:].mean(0), moved[:, 1:] - moved[:, 1:].mean(0)
    angle = float(np.arctan2((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum(), (a * b).sum()))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = moved[:, 1:].mean(0) - turn @ old[:, 1:].mean(0)
    return angle, np.linalg.solve(np.eye(2) - turn, shift)


def corrective(
    rest: np.ndarray, target: np.ndarray, weights: np.ndarray, pivot: np.ndarray, angle: float
) -> np.ndarray:
    """Return (V,3) the offsets, per unit of the sine of the jaw's turn, that take linear blend skinning to ``target``.

    Args:
        rest, target: (V,3), the closed and the sculpted open mouth. weights: (V,5). pivot: (3,) of the jaw.
        angle: turn about x in rad at which ``target`` is reached exactly.
    """
    cosine, sine = np.cos(angle), np.sin(angle)
    turn = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    share = weights[:, JAW, None, None]
    blended = share * turn + (1 - share) * np.eye(3)
    shift = weights[:, JAW, None] * (pivot - turn @ pivot)
    # blended (rest + offset) + shift = target
    offset = np.linalg.solve(blended, (target - shift)[..., None])[..., 0] - rest
    return np.asarray(offset / sine)


def joint_regressor(cut: Cut, rest: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Return (5,V) the joints as affine combinations of vertices, exact on the mean head.

    Args:
        rest: (V,3) mm; places: (5,3) mm of the joints in the mean head.
    """
    skin = cut.part == SKIN
    x, y, z = rest.T
    ears = skin & (np.abs(x) > 60) & (y < 0) & (y > -50) & (z < 40)
    choices = {
        ROOT: skin & (y < -130),
        NECK: skin & (z < 30) & (y < -30) & (y > -140),
        JAW: ears,
        EYE_L: cut.part == EYE_LEFT,
        EYE_R: cut.part == EYE_RIGHT,
    }
    rows = np.zeros((5, len(rest)))
    for joint, nearby in choices.items():
        members = np.flatnonzero(nearby)
        rows[joint, members] = _affine_weights(rest[members], places[joint])
    return 0.5 * (rows + rows[[ROOT, NECK, JAW, EYE_R, EYE_L]][:, cut.mirror])


def _affine_weights(points: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return weights (n,) of least change from equal ones whose sum is 1 and whose mean is ``target``."""
    n, scale = len(points), 50.0  # mm: makes the rows of the constraint comparable
    constraint = np.concatenate([np.ones((1, n)), (points - target).T / scale])
    missing = np.array([1.0, 0, 0, 0]) - constraint @ np.full(n, 1 / n)
    return 1 / n + constraint.T @ np.linalg.lstsq(constraint @ constraint.T, missing, rcond=None)[0]
