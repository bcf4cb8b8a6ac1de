"""Landmark errors and jitter."""

from __future__ import annotations

import numpy as np

OUTER_EYES = (36, 45)


def eye_distance(points: np.ndarray) -> np.ndarray:
    """Return the distance of the outer eye corners of (N, 68, 2) points, shape (N,)."""
    return np.linalg.norm(points[:, OUTER_EYES[0]] - points[:, OUTER_EYES[1]], axis=-1)


def normalised_mean_error(points: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the mean point distance / true outer eye distance of each face (300-W's NME), shape (N,).

    Args:
        points, truth: (N, 68, 2), same unit.
    """
    return np.linalg.norm(points - truth, axis=-1).mean(-1) / eye_distance(truth)


def jitter(points: np.ndarray, truth: np.ndarray | None = None) -> float:
    """Return the mean length of second differences over time, in outer eye distances.

    With ``truth`` the true motion is removed first, so that only the error's jitter is left.

    Args:
        points: (T, 68, 2) of one sequence in source-picture coordinates; truth: the same.
    """
    if len(points) < 3:
        return float("nan")
    scale = eye_distance(points if truth is None else truth).mean()
    residue = points if truth is None else points - truth
    return float(np.linalg.norm(np.diff(residue, n=2, axis=0), axis=-1).mean() / scale)


def apply_transform(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map (N, P, 2) picture points by (N, 2, 3) transforms to crop points."""
    return np.einsum("nij,npj->npi", transform[:, :, :2], points) + transform[:, None, :, 2]


def invert_transform(transform: np.ndarray) -> np.ndarray:
    """Return the inverse of (N, 2, 3) affine maps."""
    linear = np.linalg.inv(transform[:, :, :2])
    return np.concatenate([linear, -linear @ transform[:, :, 2:]], axis=2)
