"""What the pictures say about a person's eyes, brought to the scale of the head's: openings and the eyes' joints."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.fitting.eyes import Eyes, eye_joints, opening
from tvface.head.model import rodrigues

CONFIDENT = 0.35  # probability that an opening is right; below it the points' lids count
_OPEN = 90  # percentile of a person's openings at which the eyes are open
_CORRECTION = (0.8, 1.4)  # limits of the correction of that level
_CALM = 0.15  # s; eyes jump, but stay for longer than this
_FRONTAL = np.radians(35.0)  # yaw of the head above which a gaze is a guess


def openings(eyes: Eyes, points: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the openings (T,2) for the fit, nan where the picture does not show one.

    The network reads open eyes of photographs too low and closed ones right; found points read open ones right. So the
    network's are scaled to the points' level of this person's open eyes.

    Args:
        eyes: of T frames of one person.
        points: (T,68,2) found points, x right, y down.
    """
    lids = torch.from_numpy(np.asarray(points, np.float32))[:, 36:48].unflatten(1, (2, 6))
    found = opening(lids).numpy()
    seen = np.where(eyes.confidence >= CONFIDENT, eyes.opening, np.nan).astype(np.float32)
    sure = np.isfinite(seen)
    if sure.any():
        level = np.percentile(seen[sure], _OPEN)
        seen *= np.clip(np.percentile(found[sure], _OPEN) / max(level, 1e-3), *_CORRECTION)
    return np.asarray(seen, np.float32)


def joints(eyes: Eyes, rotation: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return the axis-angle (T,6) of the eyes' joints, turned to the side where the gaze was seen, else at rest.

    Up and down stay at rest: patches do not tell it (correlation .14 to .21 with the truth).

    Args:
        eyes: of T frames.
        rotation: (T,3) axis-angle of the head.
    """
    matrix = rodrigues(torch.from_numpy(np.asarray(rotation, np.float32)))
    turned = eye_joints(eyes.gaze, matrix.numpy())
    turned[:, [0, 3]] = 0
    yaw = np.arctan2(-matrix[:, 2, 0].numpy(), np.hypot(matrix[:, 0, 0].numpy(), matrix[:, 1, 0].numpy()))
    turned[(np.abs(yaw) > _FRONTAL) | ~np.isfinite(turned).all(1)] = 0
    return turned


def smoothed(turned: NDArray[np.float32], time: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return joints (T,6) of one track with the flicker of single frames taken out: the median over :data:`_CALM` s.

    Args:
        turned: of :func:`joints`. time: (T,) s, rising.
    """
    first, last = np.searchsorted(time, time - _CALM / 2), np.searchsorted(time, time + _CALM / 2, "right")
    return np.stack([np.median(turned[a:b], 0) for a, b in zip(first, last, strict=True)]).astype(np.float32)
