"""Similarity transforms in the plane."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def similarity(source: NDArray[np.floating], target: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the (2, 3) rotation, scale and shift that best map (N, 2) ``source`` on ``target`` (least squares).

    No reflection. Points that coincide give a pure shift.
    """
    a = np.asarray(source, np.float64)
    b = np.asarray(target, np.float64)
    centre_a, centre_b = a.mean(0), b.mean(0)
    # In the plane a rotation with scale is one complex factor.
    za, zb = (a - centre_a) @ np.array([1, 1j]), (b - centre_b) @ np.array([1, 1j])
    power = float((np.abs(za) ** 2).sum())
    factor = complex((np.conj(za) * zb).sum() / power) if power > 0 else 1 + 0j
    linear = np.array([[factor.real, -factor.imag], [factor.imag, factor.real]])
    return np.hstack([linear, (centre_b - linear @ centre_a)[:, None]])
