"""Compiled inner loops of the scene renderer: a perspective-correct z-buffer, and supersampled pictures from samples.

The training renderer's rasteriser works in normalised coordinates with orthographic weights; footage needs
perspective, one z-buffer for many meshes and textures, and no gradients, so these loops are separate.
"""

from __future__ import annotations

import numba
import numpy as np

from tvface.synthetic.render.filling import NO_ALPHA, NO_CORNERS, fill

__all__ = [
    "NO_ALPHA",
    "NO_CORNERS",
    "centres",
    "composite",
    "extent",
    "fill",
    "majority",
    "vertex_normals",
    "weights",
]


@numba.njit(inline="always")
def raw_weights(points, a, b, c, i, j):  # type: ignore[no-untyped-def]
    """Return the perspective-correct weights of corners a, b, c at the centre of pixel (i, j), and their sum."""
    x0, y0, x1, y1, x2, y2 = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
    w0 = ((x1 - i) * (y2 - j) - (y1 - j) * (x2 - i)) * points[a, 2]
    w1 = ((x2 - i) * (y0 - j) - (y2 - j) * (x0 - i)) * points[b, 2]
    w2 = ((x0 - i) * (y1 - j) - (y0 - j) * (x1 - i)) * points[c, 2]
    return w0, w1, w2, w0 + w1 + w2


@numba.njit(inline="always")
def corner_weights(points, triangle, i, j):  # type: ignore[no-untyped-def]
    """Return the perspective-correct weights of a triangle's corners at the centre of pixel (i, j)."""
    w0, w1, w2, total = raw_weights(points, triangle[0], triangle[1], triangle[2], i, j)
    return w0 / total, w1 / total, w2 / total


@numba.njit(cache=True, nogil=True)
def weights(points: np.ndarray, faces: np.ndarray, face: np.ndarray, bary: np.ndarray) -> None:
    """Write perspective-correct corner weights (H, W, 3) of the triangles in ``face``; empty pixels are left alone."""
    for j in range(face.shape[0]):
        for i in range(face.shape[1]):
            f = face[j, i]
            if f < 0:
                continue
            bary[j, i, 0], bary[j, i, 1], bary[j, i, 2] = corner_weights(points, faces[f], i, j)


@numba.njit(cache=True, nogil=True)
def majority(fine: np.ndarray, samples: int, labels: np.ndarray) -> None:
    """Reduce labels (H s, W s) to the most frequent class of each pixel (H, W); on a tie the first one wins."""
    count = np.zeros(256, np.int32)
    one = np.uintp(1)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            best, winner = 0, fine[y * samples, x * samples]
            j, i = np.uintp(y * samples), np.uintp(x * samples)
            if samples == 2 and fine[j, i + one] == winner and fine[j + one, i] == winner == fine[j + one, i + one]:
                labels[y, x] = winner
                continue
            for dy in range(samples):
                for dx in range(samples):
                    value = fine[y * samples + dy, x * samples + dx]
                    count[value] += 1
                    if count[value] > best:
                        best, winner = count[value], value
            for dy in range(samples):
                for dx in range(samples):
                    count[fine[y * samples + dy, x * samples + dx]] = 0
            labels[y, x] = winner


@numba.njit(cache=True, nogil=True)
def centres(
    face: np.ndarray, near: np.ndarray, samples: int, limits: np.ndarray, person: np.ndarray, depth: np.ndarray
) -> None:
    """Read the z-buffer at the sample next to the middle of each pixel.

    Args:
        face, near: (H s, W s), as :func:`fill` makes them; samples: per pixel side.
        limits: (P,) int32, number of each person's first triangle, rising.
        person: (H, W) int8, written: whose triangle it is, -1 none; depth: (H, W) float32, written: +inf for none.
    """
    middle = samples // 2
    for y in range(person.shape[0]):
        for x in range(person.shape[1]):
            f = face[y * samples + middle, x * samples + middle]
            person[y, x] = -1
            depth[y, x] = np.float32(np.inf)
            if f >= 0:
                depth[y, x] = np.float32(1.0) / near[y * samples + middle, x * samples + middle]
                for limit in limits:
                    person[y, x] += f >= limit


@numba.njit(cache=True, nogil=True)
def extent(points: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return least and greatest (x, y) of the points (V, 3) before the camera, whose last number is positive; +inf and
    -inf for none."""
    x0, y0, x1, y1 = np.inf, np.inf, -np.inf, -np.inf
    for v in range(points.shape[0]):
        if points[v, 2] > 0.0:
            x0, x1 = min(x0, points[v, 0]), max(x1, points[v, 0])
            y0, y1 = min(y0, points[v, 1]), max(y1, points[v, 1])
    return (x0, y0), (x1, y1)


@numba.njit(cache=True, nogil=True)
def composite(total: np.ndarray, background: np.ndarray, samples: int, image: np.ndarray) -> None:
    """Average samples over a background.

    Args:
        total: (H, W, 4) float32, sums of RGB and of covered samples, as :func:`shading_numba.shade` makes them.
        background: (H, W, 3) uint8 RGB; samples: samples per pixel side; image: (H, W, 3) uint8, written.
    """
    count = np.float32(samples * samples)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            if total[y, x, 3] == np.float32(0.0):
                for k in range(3):
                    image[y, x, k] = background[y, x, k]
                continue
            uncovered = np.float32(1.0) - total[y, x, 3] / count
            for k in range(3):
                value = total[y, x, k] / count + uncovered * np.float32(background[y, x, k]) + np.float32(0.5)
                image[y, x, k] = np.uint8(min(max(value, np.float32(0.0)), np.float32(255.0)))


@numba.njit(cache=True, nogil=True)
def vertex_normals(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> None:
    """Write unit normals, the faces' weighted by their areas: (V, 3) float32, zero before.

    Args:
        vertices: (V, 3) float32; faces: (F, 3) int32, counter-clockwise seen from outside.
    """
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        px, py, pz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        qx, qy, qz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        x, y, z = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        for corner in (a, b, c):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for v in range(normals.shape[0]):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-12)
        normals[v, 0], normals[v, 1], normals[v, 2] = x / length, y / length, z / length
