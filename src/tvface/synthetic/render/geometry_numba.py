"""Compiled loops over the pixels of a rasterised person: normals, and motion to the next frame."""

from __future__ import annotations

import numba
import numpy as np

from tvface.synthetic.render.kernels import corner_weights
from tvface.synthetic.render.shading_numba import tilted


@numba.njit(inline="always")
def texel(corners, w0, w1, w2, scale, rows, columns):  # type: ignore[no-untyped-def]
    """Return where a point of a triangle lies in a shrunk texture: the texel left and above, and the rest."""
    u = w0 * corners[0, 0] + w1 * corners[1, 0] + w2 * corners[2, 0]
    v = w0 * corners[0, 1] + w1 * corners[1, 1] + w2 * corners[2, 1]
    s = min(max((u + 0.5) * scale - 0.5, 0.0), columns - 1.001)
    t = min(max((v + 0.5) * scale - 0.5, 0.0), rows - 1.001)
    p, q = int(s), int(t)
    return p, q, s - p, t - q


@numba.njit(cache=True, nogil=True)
def lift(
    points: np.ndarray,
    vertex_normals: np.ndarray,
    faces: np.ndarray,
    face: np.ndarray,
    corners: np.ndarray,
    heights: np.ndarray,
    scale: float,
    depth: np.ndarray,
) -> None:
    """Move the depth (H, W) float32 metres of the head's pixels by the relief along the normals.

    Args: as for :func:`normals`; the head's triangles are the first ``len(corners)``.
    """
    for j in range(face.shape[0]):
        for i in range(face.shape[1]):
            f = face[j, i]
            if f < 0 or f >= corners.shape[0]:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w0, w1, w2 = corner_weights(points, faces[f], i, j)
            p, q, s, t = texel(corners[f], w0, w1, w2, scale, heights.shape[0], heights.shape[1])
            height = (1 - t) * ((1 - s) * heights[q, p] + s * heights[q, p + 1]) + t * (
                (1 - s) * heights[q + 1, p] + s * heights[q + 1, p + 1]
            )
            depth[j, i] -= height * (w0 * vertex_normals[a, 2] + w1 * vertex_normals[b, 2] + w2 * vertex_normals[c, 2])


@numba.njit(cache=True, nogil=True)
def normals(
    points: np.ndarray,
    vertices: np.ndarray,
    vertex_normals: np.ndarray,
    faces: np.ndarray,
    face: np.ndarray,
    corners: np.ndarray,
    heights: np.ndarray,
    scale: float,
    focal: float,
    centre_x: float,
    centre_y: float,
    result: np.ndarray,
) -> None:
    """Interpolate vertex normals, tilt those of the head by its relief, and turn all to the camera.

    Args:
        points: (V, 3) float32 as from :meth:`Camera.project`; vertices, vertex_normals: (V, 3) float32, camera axes.
        faces: (F, 3) int32, counter-clockwise seen from outside; face: (H, W) int32, triangle of each pixel, -1 none.
        corners, heights, scale: see :class:`tvface.synthetic.render.geometry.Folds`.
        focal, centre_x, centre_y: of the camera, pixels.
        result: (H, W, 3) float32, written where there is a triangle.
    """
    for j in range(face.shape[0]):
        for i in range(face.shape[1]):
            f = face[j, i]
            if f < 0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w0, w1, w2 = corner_weights(points, faces[f], i, j)
            x = w0 * vertex_normals[a, 0] + w1 * vertex_normals[b, 0] + w2 * vertex_normals[c, 0]
            y = w0 * vertex_normals[a, 1] + w1 * vertex_normals[b, 1] + w2 * vertex_normals[c, 1]
            z = w0 * vertex_normals[a, 2] + w1 * vertex_normals[b, 2] + w2 * vertex_normals[c, 2]
            if heights.shape[0] > 1 and f < corners.shape[0]:
                p, q, s, t = texel(corners[f], w0, w1, w2, scale, heights.shape[0], heights.shape[1])
                x, y, z = tilted((x, y, z), vertices, a, b, c, corners[f], heights, scale, p, q, s, t)
            # Rows grow downwards, so the front of a counter-clockwise triangle has a negative area in the picture.
            area = (points[b, 0] - points[a, 0]) * (points[c, 1] - points[a, 1]) - (points[b, 1] - points[a, 1]) * (
                points[c, 0] - points[a, 0]
            )
            if area > 0.0:
                x, y, z = -x, -y, -z
            # At the outline an interpolated normal may lean away from a viewer who sees its triangle.
            u, v = (centre_x - i) / focal, (j - centre_y) / focal
            away = (x * u + y * v + z) / (u * u + v * v + 1.0)
            if away < 0.0:
                x, y, z = x - away * u, y - away * v, z - away
            length = np.sqrt(x * x + y * y + z * z)
            result[j, i, 0], result[j, i, 1], result[j, i, 2] = x / length, y / length, z / length


@numba.njit(cache=True, nogil=True)
def flow(
    points: np.ndarray,
    faces: np.ndarray,
    face: np.ndarray,
    moved: np.ndarray,
    moved_near: np.ndarray,
    focal: float,
    centre_x: float,
    centre_y: float,
    slack: float,
    result: np.ndarray,
    valid: np.ndarray,
) -> None:
    """Follow what each pixel shows to its place in the next frame.

    Args:
        points, faces, face: as in :func:`normals`, of this frame.
        moved: (V, 3) float32, the same vertices in the next frame, camera coordinates, metres.
        moved_near: (H, W) float32, nearness (1/m) at the next frame's pixel centres, 0 where nothing is.
        focal, centre_x, centre_y: of the camera of both frames, pixels.
        slack: metres that a point may lie behind the surface which the next frame shows around it.
        result: (H, W, 2) float32, written where there is a triangle; valid: (H, W) bool, written everywhere.
    """
    height, width = face.shape
    for j in range(height):
        for i in range(width):
            f = face[j, i]
            if f < 0:
                valid[j, i] = moved_near[j, i] == 0.0
                continue
            valid[j, i] = False
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w0, w1, w2 = corner_weights(points, faces[f], i, j)
            x = w0 * moved[a, 0] + w1 * moved[b, 0] + w2 * moved[c, 0]
            y = w0 * moved[a, 1] + w1 * moved[b, 1] + w2 * moved[c, 1]
            depth = -(w0 * moved[a, 2] + w1 * moved[b, 2] + w2 * moved[c, 2])
            if depth <= 0.0:
                continue
            u, v = centre_x + focal * x / depth, centre_y - focal * y / depth
            result[j, i, 0], result[j, i, 1] = u - i, v - j
            if u < -0.5 or v < -0.5 or u > width - 0.5 or v > height - 0.5:
                continue
            # Nearness is linear over a triangle in the picture: of the pixel centres around a visible point one is not
            # nearer than the point itself, however steep the surface.
            farthest = np.inf
            p, q = int(np.floor(u)), int(np.floor(v))
            for row in range(max(q, 0), min(q + 2, height)):
                for column in range(max(p, 0), min(p + 2, width)):
                    if 0.0 < moved_near[row, column] < farthest:
                        farthest = moved_near[row, column]
            valid[j, i] = depth <= 1.0 / farthest + slack if farthest < np.inf else True
