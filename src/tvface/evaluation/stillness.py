"""Find where a face is still: the motion of its points there is noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tvface.flow.base import FlowBackend
from tvface.media.images import Image


def face_motion(before: Image, after: Image, flow: FlowBackend) -> float:
    """Return the mean length of the optical flow between two pictures of a face, in sides of the picture.

    Only the middle half of the picture's width and height counts: face, hardly any background.

    Args:
        before, after: (S, S, 3) uint8 RGB cut with ONE transform, so that motion in the picture is motion here.
        flow: optical flow backend.

    Raises:
        ValueError: pictures of other shapes.
    """
    if before.shape != after.shape or before.ndim != 3 or before.shape[0] != before.shape[1]:
        raise ValueError(f"face_motion wants two square pictures of one size, not {before.shape} and {after.shape}")
    side = len(before)
    middle = slice(side // 4, side - side // 4)
    vectors = flow.flow(before[None], after[None])[0, :, middle, middle]
    return float(np.hypot(vectors[0], vectors[1]).mean()) / side


def stillest_run(motion: NDArray[np.floating], frames: int) -> tuple[int, float] | None:
    """Return the first frame of the ``frames`` neighbouring frames that move least, and their mean motion.

    Args:
        motion: (T,) of each frame since the one before; nan where there is no one before (the first, after a cut).
        frames: at least 2; the run's first frame may be one without a frame before.

    Returns:
        None if no run of this length is without a break inside.
    """
    if frames < 2:
        raise ValueError(f"stillest_run wants at least 2 frames, not {frames}")
    inner = np.asarray(motion, np.float64)[1:]
    if len(inner) < frames - 1:
        return None
    means = np.lib.stride_tricks.sliding_window_view(inner, frames - 1).mean(-1)
    if np.isnan(means).all():
        return None
    first = int(np.nanargmin(means))
    return first, float(means[first])
