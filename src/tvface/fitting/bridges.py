"""Codes of frames whose fit failed, from the frames around."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from tvface.fitting.codes import PER_FRAME, FittedCodes


def bridged(codes: FittedCodes, good: NDArray[np.bool_], time: NDArray[np.float64]) -> FittedCodes:
    """Return the codes with those of bad frames interpolated in time between good ones; at an end the nearest good one
    holds. Without a good frame the codes stay as they are.

    Args:
        codes: of one segment. good: (T,). time: (T,) s.
    """
    if good.all() or not good.any():
        return codes
    values = {}
    for name in PER_FRAME:
        value = getattr(codes, name).copy()
        flat = value.reshape(len(value), -1)
        for column in range(flat.shape[1]):
            flat[~good, column] = np.interp(time[~good], time[good], flat[good, column])
        values[name] = flat.reshape(value.shape)
    return replace(codes, **values)
