"""How faces move between kept frames."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tvface.conventions.similarity import similarity
from tvface.settings.data import Sequences


def movement(before: NDArray[np.floating], after: NDArray[np.floating]) -> tuple[float, float]:
    """Return (shift, deformation) between two sets of five points, in units of the mean eye distance.

    Both are relative to the means of the points, so that a pan over a photograph gives no motion. Shift is
    the remaining mean displacement; deformation what remains after the best similarity (rotation, scale) as well.

    Args:
        before, after: (5, 2) points in pixels: eye, eye, nose, mouth corner, mouth corner.
    """
    a, b = np.asarray(before, np.float64), np.asarray(after, np.float64)
    eyes = (np.linalg.norm(a[1] - a[0]) + np.linalg.norm(b[1] - b[0])) / 2
    unit = max(float(eyes), 1e-6)
    shift = np.linalg.norm((b - b.mean(0)) - (a - a.mean(0)), axis=1).mean() / unit
    best = similarity(a, b)
    deformation = np.linalg.norm(a @ best[:, :2].T + best[:, 2] - b, axis=1).mean() / unit
    return float(shift), float(deformation)


def lively(shifts: NDArray[np.floating], deformations: NDArray[np.floating], settings: Sequences) -> str | None:
    """Judge the pairs of one sequence: None if the face moves enough, else the reason ``still`` or ``restless``.

    Args:
        shifts, deformations: of the pairs inside shots, from :func:`movement`; without pairs the face is still.
    """
    if len(shifts) == 0:
        return "still"
    moves = (shifts >= settings.move) | (deformations >= settings.deform)
    longest = current = 0
    for moving in moves:
        current = 0 if moving else current + 1
        longest = max(longest, current)
    if moves.mean() < settings.moving_pairs or longest > settings.max_still:
        return "still"
    return "restless" if float(np.median(shifts)) > settings.max_median else None
