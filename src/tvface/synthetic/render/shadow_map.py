"""Shadows of a posed person on itself: a depth picture from the lamp, and edges as wide as the lamp makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from tvface.synthetic.render.light import PointLight, cross

SIDE = 160  # pixels of the depth picture
MARGIN = 0.012  # metres around the head
SLACK = 2.5e-3  # metres that a vertex may lie behind the surface that hides it: the triangles are coarse
BLOCKER = 0.08  # metres in front of a vertex at which the widest search for what hides it is aimed
BOUNCE = 0.06  # share of a lamp's light that gets to hidden places off what hides them
NARROWEST = 2.0e-3  # metres, radius of the sharpest edge: vertices lie further apart

_COUNT = 16
# A spiral that covers the unit disc evenly.
_RADII = np.sqrt((np.arange(_COUNT) + 0.5) / _COUNT)
_TURNS = np.arange(_COUNT) * np.pi * (3 - np.sqrt(5))
SPIRAL = np.stack([_RADII * np.cos(_TURNS), _RADII * np.sin(_TURNS)], 1).astype(np.float32)


@numba.njit(cache=True, nogil=True)
def _bounds(points: np.ndarray) -> np.ndarray:
    """Return the least and the greatest coordinates of points (V, 3): (2, 3) float32, faster than NumPy."""
    result = np.empty((2, 3), np.float32)
    result[0], result[1] = np.inf, -np.inf
    for v in range(points.shape[0]):
        for k in range(3):
            result[0, k] = min(result[0, k], points[v, k])
            result[1, k] = max(result[1, k], points[v, k])
    return result


@numba.njit(cache=True, nogil=True, fastmath=True)
def _raise(points: np.ndarray, faces: np.ndarray, closed: bool, near: np.ndarray) -> None:
    """Write the greatest height of triangles (F, 3) over points (V, 3), column, row, height, into ``near`` (S, S).

    Triangles of a ``closed`` mesh that face away from the lamp are left out.
    """
    side = near.shape[0]
    one, zero = np.float32(1.0), np.float32(0.0)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, y0, x1, y1, x2, y2 = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
        area = (x1 - x0) * (y2 - y0) - (y1 - y0) * (x2 - x0)
        if area == zero or (closed and area < zero):
            continue
        left, right = max(int(np.ceil(min(x0, x1, x2))), 0), min(int(np.floor(max(x0, x1, x2))), side - 1)
        top, bottom = max(int(np.ceil(min(y0, y1, y2))), 0), min(int(np.floor(max(y0, y1, y2))), side - 1)
        inverse = one / area
        step0, step1 = (y1 - y2) * inverse, (y2 - y0) * inverse
        for j in range(top, bottom + 1):
            w0 = ((x1 - left) * (y2 - j) - (y1 - j) * (x2 - left)) * inverse
            w1 = ((x2 - left) * (y0 - j) - (y2 - j) * (x0 - left)) * inverse
            for i in range(left, right + 1):
                w2 = one - w0 - w1
                if w0 >= zero and w1 >= zero and w2 >= zero:
                    height = w0 * points[a, 2] + w1 * points[b, 2] + w2 * points[c, 2]
                    if height > near[j, i]:
                        near[j, i] = height
                w0 += step0
                w1 += step1


@numba.njit(cache=True, nogil=True, fastmath=True)
def _add_lamp(
    vertices: np.ndarray,
    normals: np.ndarray,
    lamp: np.ndarray,
    axes: np.ndarray,
    low: np.ndarray,
    near: np.ndarray,
    scale: float,
    spiral: np.ndarray,
    total: np.ndarray,
) -> None:
    """Add the light of a lamp to vertices.

    vertices, normals, total (V, 3) float32; lamp (8,) float32: place, colour at 1 m, sine and tangent of its angular
    radius; axes, low, near, scale: of the map; spiral (K, 2).
    """
    side, count = near.shape[0], spiral.shape[0]
    edge, tangent = lamp[6], lamp[7]
    pixels = np.float32(scale)
    for v in range(vertices.shape[0]):
        x, y, z = vertices[v, 0], vertices[v, 1], vertices[v, 2]
        nx, ny, nz = normals[v, 0], normals[v, 1], normals[v, 2]
        # The camera at the origin sees no vertex that is well turned away.
        away = nx * x + ny * y + nz * z
        if away > np.float32(0.0) and away * away > np.float32(0.2) * (x * x + y * y + z * z):
            continue
        lx, ly, lz = lamp[0] - x, lamp[1] - y, lamp[2] - z
        far = np.sqrt(lx * lx + ly * ly + lz * lz) + np.float32(1e-6)
        cosine = (nx * lx + ny * ly + nz * lz) / far
        if cosine <= -edge:
            continue
        if cosine <= edge:
            cosine = (cosine + edge) * (cosine + edge) / (np.float32(4.0) * edge)
        # Map coordinates: column, row, height towards the lamp.
        a = (x * axes[0, 0] + y * axes[1, 0] + z * axes[2, 0] - low[0]) * pixels + np.float32(0.5)
        b = (x * axes[0, 1] + y * axes[1, 1] + z * axes[2, 1] - low[1]) * pixels + np.float32(0.5)
        height = x * axes[0, 2] + y * axes[1, 2] + z * axes[2, 2] - low[2] + np.float32(SLACK)
        steep = max(nx * axes[0, 2] + ny * axes[1, 2] + nz * axes[2, 2], np.float32(0.2))
        slope_a = -(nx * axes[0, 0] + ny * axes[1, 0] + nz * axes[2, 0]) / steep
        slope_b = -(nx * axes[0, 1] + ny * axes[1, 1] + nz * axes[2, 1]) / steep
        radius = max(np.float32(BLOCKER) * tangent, np.float32(NARROWEST))
        share = np.float32(1.0)
        for turn in range(2):
            hidden, heights = 0, np.float32(0.0)
            for k in range(count):
                da, db = spiral[k, 0] * radius, spiral[k, 1] * radius
                column, row = int(a + da * pixels), int(b + db * pixels)
                if column < 0 or row < 0 or column >= side or row >= side:
                    continue
                # The vertex' own surface rises towards the lamp on one side: that is no shadow.
                above = near[row, column] - height - max(slope_a * da + slope_b * db, np.float32(0.0))
                if above > np.float32(0.0):
                    hidden += 1
                    heights += above
            share = np.float32(1.0) - np.float32(hidden) / np.float32(count)
            if turn == 1 or hidden == 0:
                break
            wide = max(tangent * (heights / np.float32(hidden) + np.float32(SLACK)), np.float32(NARROWEST))
            if hidden == count and wide <= radius:
                break
            radius = wide
        share += np.float32(BOUNCE) * (np.float32(1.0) - share)
        light = share * cosine / ((far + np.float32(1e-3)) * (far + np.float32(1e-3)))
        for k in range(3):
            total[v, k] += light * lamp[3 + k]


@dataclass(frozen=True)
class ShadowMap:
    """What a lamp in ``direction`` (3,) unit sees of a person: axes (3, 3), low (3,) metres, near (S, S) metres."""

    axes: np.ndarray
    low: np.ndarray
    scale: float
    near: np.ndarray

    @classmethod
    def of(cls, direction: np.ndarray, meshes: Sequence[tuple[np.ndarray, np.ndarray]]) -> ShadowMap:
        """Look at meshes, (vertices (V, 3), faces (F, 3) int32) each, from a far ``direction`` (3,).

        The first mesh, the head, is closed and sets the part that is seen: what lies beside it throws no shadow.
        """
        direction = np.asarray(direction, np.float64) / np.linalg.norm(direction)
        side = cross(direction, np.array([0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0]))
        side /= np.linalg.norm(side)
        axes = np.stack([side, cross(direction, side), direction], 1).astype(np.float32)
        local = [vertices @ axes for vertices, _ in meshes]
        bounds = [_bounds(part) for part in local]
        low, high = bounds[0][0] - np.float32(MARGIN), bounds[0][1] + np.float32(MARGIN)
        low[2] = min(float(bound[0, 2]) for bound in bounds) - 0.01
        scale = (SIDE - 1) / float((high - low)[:2].max())
        near = np.zeros((SIDE, SIDE), np.float32)
        shadow = cls(axes, low, scale, near)
        for number, (part, (_, faces)) in enumerate(zip(local, meshes, strict=True)):
            least, greatest = bounds[number]
            if (greatest > low)[:2].all() and (least < high)[:2].all():
                _raise(shadow._placed(part), faces, number == 0, near)
        return shadow

    def _placed(self, local: np.ndarray) -> np.ndarray:
        placed = local - self.low
        placed[:, :2] *= self.scale
        return np.ascontiguousarray(placed, np.float32)

    def add(self, lamp: PointLight, vertices: np.ndarray, normals: np.ndarray, total: np.ndarray) -> None:
        """Add the lamp's light to ``total`` (V, 3) float32, at vertices (V, 3) with unit normals (V, 3), float32.

        The edge of a shadow is as wide as the lamp appears from there. Vertices that are turned away from a camera at
        the origin get nothing.
        """
        spread = float(np.clip(lamp.spread, 0.01, 0.8))
        values = np.array([*lamp.position, *lamp.colour, np.sin(spread), np.tan(spread)], np.float32)
        _add_lamp(vertices, normals, values, self.axes, self.low, self.near, self.scale, SPIRAL, total)
