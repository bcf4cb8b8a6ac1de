"""Shadows of a posed person on itself: a depth picture from the lamp, and edges as wide as the lamp makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numba
import numpy as np

from tvface.synthetic import kernels

SIDE = 208  # pixels of the depth picture
MARGIN = 0.012  # metres around the head
SLACK = 2.5e-3  # metres that a vertex may lie behind the surface that hides it: the triangles are coarse
BLOCKER = 0.05  # metres in front of a vertex at which the widest search for what hides it is aimed
NARROWEST = 2.0e-3  # metres, radius of the sharpest edge: vertices lie further apart

_COUNT = 24
# A spiral that covers the unit disc evenly.
_RADII = np.sqrt((np.arange(_COUNT) + 0.5) / _COUNT)
_TURNS = np.arange(_COUNT) * np.pi * (3 - np.sqrt(5))
SPIRAL = np.stack([_RADII * np.cos(_TURNS), _RADII * np.sin(_TURNS)], 1).astype(np.float32)


@numba.njit(cache=True, nogil=True, fastmath=True)
def _lit(
    points: np.ndarray,
    normals: np.ndarray,
    near: np.ndarray,
    scale: float,
    tangent: float,
    spiral: np.ndarray,
    lit: np.ndarray,
) -> None:
    """Write the share of a lamp that points see: (V,) float32.

    points (V, 3) float32: column, row and height towards the lamp in metres; normals (V, 3) in the same axes; near
    (S, S): greatest height; scale: pixels per metre; tangent: of the lamp's angular radius.
    """
    side = near.shape[0]
    for v in range(points.shape[0]):
        nz = normals[v, 2]
        if nz <= -tangent:
            lit[v] = 0.0
            continue
        steep = max(nz, np.float32(0.2))
        slope_x, slope_y = -normals[v, 0] / steep, -normals[v, 1] / steep
        radius = max(BLOCKER * tangent, NARROWEST)
        share = np.float32(1.0)
        for turn in range(2):
            hidden, total, heights = 0, 0, 0.0
            for k in range(spiral.shape[0]):
                dx, dy = spiral[k, 0] * radius, spiral[k, 1] * radius
                x, y = int(points[v, 0] + dx * scale + 0.5), int(points[v, 1] + dy * scale + 0.5)
                total += 1
                if x < 0 or y < 0 or x >= side or y >= side:
                    continue
                # The vertex' own surface rises towards the lamp on one side: that is no shadow.
                rise = max(slope_x * dx + slope_y * dy, 0.0)
                above = near[y, x] - points[v, 2] - SLACK - rise
                if above > 0.0:
                    hidden += 1
                    heights += above
            share = np.float32(1.0) - np.float32(hidden) / np.float32(total)
            if turn == 1 or hidden == 0:
                break
            radius = max(tangent * (heights / hidden + SLACK), NARROWEST)
        lit[v] = share


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

        The first mesh, the head, sets the part that is seen: what lies beside it throws no shadow.
        """
        direction = np.asarray(direction, np.float64) / np.linalg.norm(direction)
        side = np.cross(direction, [0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0])
        side /= np.linalg.norm(side)
        axes = np.stack([side, np.cross(direction, side), direction], 1).astype(np.float32)
        local = [vertices @ axes for vertices, _ in meshes]
        low, high = local[0].min(0) - MARGIN, local[0].max(0) + MARGIN
        low[2] = min(float(part[:, 2].min()) for part in local) - 0.01
        scale = (SIDE - 1) / float((high - low)[:2].max())
        near = np.zeros((SIDE, SIDE), np.float32)
        face = np.full(near.shape, -1, np.int32)
        shadow = cls(axes, low.astype(np.float32), scale, near)
        for part, (_, faces) in zip(local, meshes, strict=True):
            kernels.fill(shadow._placed(part), faces, 0, face, near)
        return shadow

    def _placed(self, local: np.ndarray) -> np.ndarray:
        placed = local - self.low
        placed[:, :2] *= self.scale
        return np.ascontiguousarray(placed, np.float32)

    def lit(self, vertices: np.ndarray, normals: np.ndarray, spread: float) -> np.ndarray:
        """Return the share of the lamp that vertices (V, 3) with unit normals (V, 3) see: (V,) float32 in [0, 1].

        ``spread`` is the lamp's angular radius in radians: the edge of a shadow is as wide as it appears from there.
        """
        result = np.empty(len(vertices), np.float32)
        turned = np.ascontiguousarray(normals @ self.axes, np.float32)
        tangent = float(np.tan(np.clip(spread, 0.02, 0.8)))
        _lit(self._placed(vertices @ self.axes), turned, self.near, self.scale, tangent, SPIRAL, result)
        return result
