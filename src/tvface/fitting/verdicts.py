"""Whether a fit can be trusted: the reason why a frame failed, or that it is fitted."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tvface.fitting.codes import FittedCodes
from tvface.fitting.observed import Observed
from tvface.manifests.fit import FITTED
from tvface.settings.fit import Fit

_CONFIDENT, _SHARE = 0.2, 0.5
_MAX_SHAPE = 1.5  # root mean square of the identity coefficients, whose deviation over people is 1
_AROUND = 5  # frames on each side with which a size is compared


def residuals(points: NDArray[np.floating], observed: Observed) -> NDArray[np.float32]:
    """Return the distance of fitted points (T,68,2) to the found ones in % of the found distance of the outer corners
    of the eyes (of the segment's median, since it shrinks in profile), (T,68)."""
    distance = np.linalg.norm(points - observed.points, axis=-1)
    eyes = np.linalg.norm(observed.points[:, 36] - observed.points[:, 45], axis=-1)
    unit = np.empty(len(eyes))
    for value in np.unique(observed.segment):
        rows = observed.segment == value
        unit[rows] = np.median(eyes[rows])
    return np.asarray(100 * distance / np.maximum(unit, 1e-6)[:, None], np.float32)


def judge(codes: FittedCodes, residual: NDArray[np.floating], observed: Observed, settings: Fit) -> NDArray[np.object_]:
    """Return the verdict of every frame, (T,): :data:`FITTED` or a reason.

    Args:
        codes: of the frames.
        residual: (T,68) of :func:`residuals`.
        observed: the frames.
        settings: the limits.
    """
    failed = {
        "few_points": (observed.confidence >= _CONFIDENT).mean(1) < _SHARE,
        "residual": residual.mean(1) > settings.max_residual,
        "jump": _jumps(codes, observed) > settings.max_jump,
        "shape": np.full(len(codes), np.sqrt(np.mean(codes.shape**2)) > _MAX_SHAPE),
    }
    verdict = np.full(len(codes), FITTED, object)
    for reason in reversed(failed):
        verdict[failed[reason]] = reason
    return verdict


def _jumps(codes: FittedCodes, observed: Observed) -> NDArray[np.float64]:
    """Return |log size - median of the frames around| of each frame; 0 where a segment has fewer than three."""
    size = np.log(np.maximum(codes.scale, 1e-9).astype(np.float64))
    jump = np.zeros(len(size))
    for value in np.unique(observed.segment):
        rows = np.flatnonzero(observed.segment == value)
        if len(rows) < 3:
            continue
        for place, row in enumerate(rows):
            around = rows[max(0, place - _AROUND) : place + _AROUND + 1]
            jump[row] = abs(size[row] - np.median(size[around]))
    return jump
