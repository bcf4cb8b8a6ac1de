"""Compiled z-buffer: triangles, opaque or with transparent texels."""

from __future__ import annotations

import numba
import numpy as np

NO_ALPHA: np.ndarray = np.zeros((0, 0), np.uint8)
NO_CORNERS: np.ndarray = np.zeros((0, 3, 2), np.float32)


@numba.njit(inline="always")
def kept(i, j, f, opacity):  # type: ignore[no-untyped-def]
    """Return whether sample (i, j) of triangle f stays, with probability opacity / 255: a fixed hash of the three."""
    x = np.uint32(i) * np.uint32(374761393) + np.uint32(j) * np.uint32(668265263) + np.uint32(f) * np.uint32(2246822519)
    x = (x ^ (x >> np.uint32(13))) * np.uint32(1274126177)
    return opacity > ((x >> np.uint32(16)) & np.uint32(254))


@numba.njit(cache=True, nogil=True)
def fill(
    points: np.ndarray,
    faces: np.ndarray,
    first: int,
    face: np.ndarray,
    near: np.ndarray,
    corners: np.ndarray = NO_CORNERS,
    alpha: np.ndarray = NO_ALPHA,
) -> None:
    """Rasterise triangles into a z-buffer.

    Args:
        points: (V, 3) float32, x and y in pixels (centres at integers) and nearness (1 / depth; larger is nearer,
            values <= 0 lie behind the camera and drop the triangle).
        faces: (F, 3) int32; first: number of its first triangle in ``face``.
        face: (H, W) int32 and near: (H, W) float32, written where a triangle is nearer than ``near``.
        corners: (F, 3, 2) float32 texel coordinates, and alpha: (h, w) uint8, opacity of the texels: a sample is
            covered with that probability, so that the mean of the samples is right at any size. Empty: all opaque.
    """
    height, width = face.shape
    thin = alpha.shape[0] > 0
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        n0, n1, n2 = points[a, 2], points[b, 2], points[c, 2]
        if not (n0 > 0.0 and n1 > 0.0 and n2 > 0.0):
            continue
        x0, y0 = points[a, 0], points[a, 1]
        x1, y1 = points[b, 0], points[b, 1]
        x2, y2 = points[c, 0], points[c, 1]
        left = max(np.ceil(min(x0, x1, x2)), 0.0)
        right = min(np.floor(max(x0, x1, x2)), width - 1.0)
        top = max(np.ceil(min(y0, y1, y2)), 0.0)
        bottom = min(np.floor(max(y0, y1, y2)), height - 1.0)
        if left > right or top > bottom:
            continue
        area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
        if area == 0.0:
            continue
        if thin:
            u0, v0 = corners[f, 0, 0] - corners[f, 2, 0], corners[f, 0, 1] - corners[f, 2, 1]
            u1, v1 = corners[f, 1, 0] - corners[f, 2, 0], corners[f, 1, 1] - corners[f, 2, 1]
        else:
            u0 = v0 = u1 = v1 = np.float32(0.0)
        inverse = 1.0 / area
        nearest = max(n0, n1, n2) * 1.000001  # above any rounded value
        broad = right - left > 3.0
        for j in range(int(top), int(bottom) + 1):
            inside = False
            start, stop = int(left), int(right)
            if broad:
                # The row meets the triangle between two of its edges; a sample more on either side is tested.
                low, high = right, left
                for xa, ya, xb, yb in ((x0, y0, x1, y1), (x1, y1, x2, y2), (x2, y2, x0, y0)):
                    if min(ya, yb) - 0.01 <= j <= max(ya, yb) + 0.01:
                        if abs(yb - ya) < 0.05:
                            low, high = min(low, xa, xb), max(high, xa, xb)
                        else:
                            x = xa + (min(max(j, min(ya, yb)), max(ya, yb)) - ya) * (xb - xa) / (yb - ya)
                            low, high = min(low, x), max(high, x)
                start, stop = max(start, int(low) - 1), min(stop, int(high) + 2)
            for i in range(start, stop + 1):
                if near[j, i] > nearest:
                    continue
                w0 = ((x1 - i) * (y2 - j) - (y1 - j) * (x2 - i)) * inverse
                w1 = ((x2 - i) * (y0 - j) - (y2 - j) * (x0 - i)) * inverse
                w2 = 1.0 - w0 - w1
                if w0 >= 0.0 and w1 >= 0.0 and w2 >= 0.0:
                    inside = True
                    n = w0 * n0 + w1 * n1 + w2 * n2
                    if n > near[j, i]:
                        if thin:
                            p0, p1 = w0 * n0 / n, w1 * n1 / n
                            u = corners[f, 2, 0] + p0 * u0 + p1 * u1
                            v = corners[f, 2, 1] + p0 * v0 + p1 * v1
                            column = min(max(int(u + 0.5), 0), alpha.shape[1] - 1)
                            row = min(max(int(v + 0.5), 0), alpha.shape[0] - 1)
                            if not kept(i, j, f, alpha[row, column]):
                                continue
                        near[j, i] = n
                        face[j, i] = first + f
                elif inside:
                    break  # a row leaves a triangle once
