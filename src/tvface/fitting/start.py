"""Where the fit starts: the mean head, placed rigidly in each frame by its 68 points."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from tvface.head.model import HeadModel

CONTOUR_WEIGHT = 0.15  # of the jaw's points: they lie on the outline, at another place of the skin in every pose
_ROUNDS = 3  # the outline's points follow the yaw that the round before found


class Placement(NamedTuple):
    """Rigid places of a head: ``rotation`` (T,3) axis-angle, ``scale`` (T,) picture units per metre, ``shift`` (T,2) in
    metres. A point X of the head is seen at ``scale * (X + shift)``, x right, y up."""

    rotation: NDArray[np.float64]
    scale: NDArray[np.float64]
    shift: NDArray[np.float64]


def place(
    head: HeadModel, points: NDArray[np.floating], confidence: NDArray[np.floating], shape: NDArray[np.floating]
) -> Placement:
    """Place the resting head of a shape in every frame: weighted affine least squares, made a rotation.

    Args:
        head: of any number of vertices.
        points: (T,68,2) x right, y up, any unit.
        confidence: (T,68) >= 0.
        shape: (S,) identity coefficients.
    """
    count = len(points)
    weight = np.asarray(confidence, np.float64) + 1e-3
    weight[:, :17] *= CONTOUR_WEIGHT
    rotation, scale, shift = np.zeros((count, 3)), np.ones(count), np.zeros((count, 2))
    codes = torch.from_numpy(np.asarray(shape, np.float32)).expand(count, -1)
    rest = torch.zeros(count, head.n_expression)
    for _ in range(_ROUNDS):
        pose = torch.from_numpy(np.concatenate([rotation, np.zeros((count, 3))], 1).astype(np.float32))
        with torch.no_grad():
            turned = head(codes, rest, pose).landmarks2d.double().numpy()
        # Back into the resting head, which knows where the points of this yaw lie on it.
        back = Rotation.from_rotvec(rotation).as_matrix()
        root = head.skeleton(codes[:1], rest[:1], pose[:1]).rest[0, 0].double().numpy()
        local = np.einsum("tji,tnj->tni", back, turned - root) + root
        rotation, scale, shift = _rigid(local, np.asarray(points, np.float64), weight, root)
    return Placement(rotation, scale, shift)


def _rigid(
    local: NDArray[np.float64], points: NDArray[np.float64], weight: NDArray[np.float64], root: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return rotation about the root joint, scale and shift of head points (T,68,3) seen at points (T,68,2)."""
    total = weight.sum(1)[:, None]
    head_mean = np.einsum("tn,tni->ti", weight, local) / total
    seen_mean = np.einsum("tn,tni->ti", weight, points) / total
    centred, seen = local - head_mean[:, None], points - seen_mean[:, None]
    normal = np.einsum("tn,tni,tnj->tij", weight, centred, centred)
    mixed = np.einsum("tn,tni,tnj->tij", weight, centred, seen)
    affine = np.linalg.solve(normal, mixed).transpose(0, 2, 1)
    left, singular, right = np.linalg.svd(affine, full_matrices=False)
    rows = left @ right
    scale = singular.mean(1)
    matrix = np.concatenate([rows, np.cross(rows[:, 0], rows[:, 1])[:, None]], 1)
    turned = np.einsum("tij,tj->ti", matrix, head_mean - root) + root
    return Rotation.from_matrix(matrix).as_rotvec(), scale, seen_mean / scale[:, None] - turned[:, :2]
