"""Landmark errors and jitter."""

from __future__ import annotations

import numpy as np

from tvface.conventions.points68 import eye_distance


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


def temporal_noise(points: np.ndarray) -> float:
    """Return the root mean square error of points due to noise from frame to frame, in the points' unit.

    The root of the mean squared length of the second differences over time, over the root of 6: the second difference
    of white noise has 6 times its variance, and motion of constant speed falls out. Motion that speeds up or slows down
    does not, so this is an upper bound; take it where the face is still.

    Args:
        points: (T, P, 2), equally spaced in time; nan if T < 3.
    """
    if len(points) < 3:
        return float("nan")
    bends = np.diff(np.asarray(points, np.float64), n=2, axis=0)
    return float(np.sqrt((bends**2).sum(-1).mean() / 6))


def reliability(confidence: np.ndarray, right: np.ndarray, bins: int = 5) -> list[tuple[float, float, int]]:
    """Compare probabilities with outcomes (the numbers of a reliability diagram).

    Args:
        confidence: probabilities in 0..1, any shape; right: bool of the same shape.
        bins: equally wide parts of 0..1.

    Returns:
        Per bin (mean confidence, part that was right, count); nan, nan, 0 for an empty one.
    """
    probability, hit = np.ravel(confidence).astype(np.float64), np.ravel(right)
    place = np.clip((probability * bins).astype(int), 0, bins - 1)
    rows = []
    for index in range(bins):
        in_bin = place == index
        count = int(in_bin.sum())
        mean, part = (probability[in_bin].mean(), hit[in_bin].mean()) if count else (np.nan, np.nan)
        rows.append((float(mean), float(part), count))
    return rows


def calibration_error(rows: list[tuple[float, float, int]]) -> float:
    """Return the mean |confidence - part that was right| over the rows of :func:`reliability`, weighted by count."""
    filled = [(abs(mean - part), count) for mean, part, count in rows if count]
    return sum(gap * count for gap, count in filled) / sum(count for _, count in filled) if filled else float("nan")


def apply_transform(transform: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Map (N, P, 2) picture points by (N, 2, 3) transforms to crop points."""
    return np.einsum("nij,npj->npi", transform[:, :, :2], points) + transform[:, None, :, 2]


def invert_transform(transform: np.ndarray) -> np.ndarray:
    """Return the inverse of (N, 2, 3) affine maps."""
    linear = np.linalg.inv(transform[:, :, :2])
    return np.concatenate([linear, -linear @ transform[:, :, 2:]], axis=2)
