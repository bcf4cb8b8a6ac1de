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


@numba.njit(inline="always")
def slant(xa, ya, xb, yb):  # type: ignore[no-untyped-def]
    """Return how far an edge goes aside per row, 0 for one that is nearly level."""
    return 0.0 if abs(yb - ya) < 0.05 else (xb - xa) / (yb - ya)


@numba.njit(inline="always")
def met(j, xa, ya, xb, yb, slope, low, high):  # type: ignore[no-untyped-def]
    """Widen the columns ``low`` .. ``high`` of row j to where an edge meets it."""
    top, bottom = min(ya, yb), max(ya, yb)
    if top - 0.01 <= j <= bottom + 0.01:
        if abs(yb - ya) < 0.05:
            return min(low, xa, xb), max(high, xa, xb)
        x = xa + (min(max(j, top), bottom) - ya) * slope
        return min(low, x), max(high, x)
    return low, high


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
        slope0 = slope1 = slope2 = 0.0
        if broad:
            slope0, slope1, slope2 = slant(x0, y0, x1, y1), slant(x1, y1, x2, y2), slant(x2, y2, x0, y0)
        for j in range(int(top), int(bottom) + 1):
            inside = False
            start, stop = int(left), int(right)
            if broad:
                # The row meets the triangle between two of its edges; a sample more on either side is tested.
                low, high = right, left
                low, high = met(j, x0, y0, x1, y1, slope0, low, high)
                low, high = met(j, x1, y1, x2, y2, slope1, low, high)
                low, high = met(j, x2, y2, x0, y0, slope2, low, high)
                start, stop = max(start, int(low) - 1), min(stop, int(high) + 2)
            row = np.uintp(j)
            for i in range(start, stop + 1):
                column = np.uintp(i)
                if near[row, column] > nearest:
                    continue
                w0 = ((x1 - i) * (y2 - j) - (y1 - j) * (x2 - i)) * inverse
                w1 = ((x2 - i) * (y0 - j) - (y2 - j) * (x0 - i)) * inverse
                w2 = 1.0 - w0 - w1
                if w0 >= 0.0 and w1 >= 0.0 and w2 >= 0.0:
                    inside = True
                    n = w0 * n0 + w1 * n1 + w2 * n2
                    if n > near[row, column]:
                        if thin:
                            p0, p1 = w0 * n0 / n, w1 * n1 / n
                            u = corners[f, 2, 0] + p0 * u0 + p1 * u1
                            v = corners[f, 2, 1] + p0 * v0 + p1 * v1
                            across = np.uintp(min(max(int(u + 0.5), 0), alpha.shape[1] - 1))
                            along = np.uintp(min(max(int(v + 0.5), 0), alpha.shape[0] - 1))
                            if not kept(i, j, f, alpha[along, across]):
                                continue
                        near[row, column] = n
                        face[row, column] = first + f
                elif inside:
                    break  # a row leaves a triangle once
