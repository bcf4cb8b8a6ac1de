"""Damage by codecs: JPEG by OpenCV, and a transform codec like those of television (blocks of 8 or 16, 4:2:0, filter).

A real video encoder would cost 4-12 ms a picture, most of it to set itself up; this one has the same transform, a
quantiser with a dead zone and the filter over block edges, but no prediction.
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numba
import numpy as np


@lru_cache(maxsize=4)
def cosines(side: int) -> np.ndarray:
    """Return the orthonormal cosine transform of ``side`` values: (side, side) float32, one basis function a row."""
    place = np.arange(side) + 0.5
    basis = np.cos(np.pi / side * np.arange(side)[:, None] * place[None]) * np.sqrt(2 / side)
    basis[0] /= np.sqrt(2)
    return np.ascontiguousarray(basis, np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _quantise(plane: np.ndarray, basis: np.ndarray, steps: np.ndarray, rounding: float) -> None:
    """Transform the blocks of a plane (H, W) float32, quantise by ``steps`` (n, n), transform back, in place."""
    n = basis.shape[0]
    half, block = np.empty((n, n), np.float32), np.empty((n, n), np.float32)
    for top in range(0, plane.shape[0], n):
        for left in range(0, plane.shape[1], n):
            for i in range(n):
                for v in range(n):
                    total = np.float32(0.0)
                    for j in range(n):
                        total += plane[top + i, left + j] * basis[v, j]
                    half[i, v] = total
            block[:] = 0
            for i in range(n):
                for j in range(n):
                    plane[top + i, left + j] = 0
            for u in range(n):
                for v in range(n):
                    total = np.float32(0.0)
                    for i in range(n):
                        total += basis[u, i] * half[i, v]
                    count = np.floor(abs(total) / steps[u, v] + rounding)
                    if count > 0.0:
                        block[u, v] = np.sign(total) * count * steps[u, v]
            for u in range(n):
                some = False
                for v in range(n):
                    if block[u, v] != 0.0:
                        some = True
                if not some:
                    continue
                for j in range(n):
                    total = np.float32(0.0)
                    for v in range(n):
                        total += block[u, v] * basis[v, j]
                    for i in range(n):
                        plane[top + i, left + j] += basis[u, i] * total


@numba.njit(cache=True, nogil=True, fastmath=True)
def _smooth_edges(plane: np.ndarray, n: int, limit: float) -> None:
    """Filter across the vertical edges of blocks in place, where the step is small enough to be the codec's."""
    for y in range(plane.shape[0]):
        for x in range(n, plane.shape[1] - 1, n):
            p1, p0, q0, q1 = plane[y, x - 2], plane[y, x - 1], plane[y, x], plane[y, x + 1]
            if abs(p0 - q0) < limit and abs(p1 - p0) < limit and abs(q1 - q0) < limit:
                plane[y, x - 1] = (p1 + 2 * p0 + q0) * 0.25
                plane[y, x] = (p0 + 2 * q0 + q1) * 0.25
                if abs(p0 - q0) < 0.5 * limit:
                    plane[y, x - 2] = (2 * p1 + p0 + q0) * 0.25
                    plane[y, x + 1] = (p0 + q0 + 2 * q1) * 0.25


def _coded(plane: np.ndarray, side: int, step: float, slope: float, rounding: float, deblock: bool) -> np.ndarray:
    """Return a plane (H, W) uint8 after the codec, float32."""
    height, width = plane.shape
    padded = cv2.copyMakeBorder(plane, 0, -height % side, 0, -width % side, cv2.BORDER_REPLICATE).astype(np.float32)
    order = np.arange(side)
    steps = (step * (1 + slope * (order[:, None] + order[None]) / side)).astype(np.float32)
    steps[0, 0] = min(step, 16.0)
    _quantise(padded, cosines(side), steps, rounding)
    if deblock:
        _smooth_edges(padded, side, 1.2 * step)
        turned = np.ascontiguousarray(padded.T)
        _smooth_edges(turned, side, 1.2 * step)
        padded = turned.T
    return np.ascontiguousarray(padded[:height, :width])


def video(image: np.ndarray, step: float, side: int = 8, deblock: bool = True) -> np.ndarray:
    """Return a picture as a transform codec leaves it.

    Args:
        image: (H, W, 3) uint8 RGB.
        step: quantiser of the luma in grey values times ``side`` / 2 or so: 10 is good, 60 is poor.
        side: of the blocks, 8 or 16.
        deblock: filter over the blocks' edges (H.264 and later), or leave them (MPEG-2).
    """
    height, width = image.shape[:2]
    parts = cv2.split(cv2.cvtColor(image, cv2.COLOR_RGB2YCrCb))
    luma = _coded(parts[0], side, step, 1.0, 0.33, deblock)
    planes = [luma]
    for chroma in parts[1:]:
        small = cv2.resize(chroma, ((width + 1) // 2, (height + 1) // 2), interpolation=cv2.INTER_AREA)
        small = _coded(small, 8, step, 1.0, 0.33, deblock)
        planes.append(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR))
    merged = np.clip(cv2.merge(planes) + 0.5, 0, 255).astype(np.uint8)
    return np.asarray(cv2.cvtColor(merged, cv2.COLOR_YCrCb2RGB))


def jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """Encode (H, W, 3) uint8 RGB as JPEG of ``quality`` 1..100 and decode.

    Raises:
        RuntimeError: OpenCV could not write or read it.
    """
    stored, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    if not stored:
        raise RuntimeError(f"OpenCV could not compress a picture of shape {image.shape}")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    if decoded is None:
        raise RuntimeError(f"OpenCV could not read back a JPEG of {len(data)} bytes that it wrote")
    return np.ascontiguousarray(decoded[:, :, ::-1])


def compress(image: np.ndarray, rng: np.random.Generator, poorest: float = 1.0) -> np.ndarray:
    """Compress (H, W, 3) uint8 by a drawn codec, from hardly visible to ``poorest`` (1; below 1 milder)."""
    if rng.random() < 0.45:
        return jpeg(image, int(rng.integers(92 - int(70 * poorest), 93)))
    step = float(np.exp(rng.uniform(np.log(8), np.log(8 + 56 * poorest))))
    deblock = rng.random() < 0.7
    return video(image, step, 16 if deblock and rng.random() < 0.35 else 8, deblock)
