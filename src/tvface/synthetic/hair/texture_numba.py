"""Compiled loops over a head's texture: hair laid over the skin, and the finished bytes."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(cache=True, nogil=True)
def lay(colour: np.ndarray, opacity: np.ndarray, density: float, paint: np.ndarray) -> None:
    """Mix ``paint`` (H, W, 3) into ``colour`` (H, W, 3) by ``opacity`` (H, W) times ``density``, all float32."""
    one, part = np.float32(1.0), np.float32(density)
    for j in range(colour.shape[0]):
        for i in range(colour.shape[1]):
            weight = opacity[j, i] * part
            if weight > np.float32(0.0):
                for c in range(3):
                    colour[j, i, c] = colour[j, i, c] * (one - weight) + weight * paint[j, i, c]


@numba.njit(cache=True, nogil=True)
def gather(colour: np.ndarray, row: np.ndarray, column: np.ndarray, result: np.ndarray) -> None:
    """Write the bytes of ``colour`` (H, W, 3), 0..1, at texels ``row``, ``column`` (H, W) int32 into ``result``."""
    white, half, zero = np.float32(255.0), np.float32(0.5), np.float32(0.0)
    for j in range(result.shape[0]):
        for i in range(result.shape[1]):
            y, x = np.uintp(row[j, i]), np.uintp(column[j, i])
            for c in range(3):
                result[j, i, c] = np.uint8(min(max(colour[y, x, c] * white + half, zero), white))
