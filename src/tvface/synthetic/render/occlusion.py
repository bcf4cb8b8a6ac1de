"""Soft shadows of the head on itself: the share of a light that reaches each vertex.

The visibility of a set of directions from every vertex is computed once, on the neutral head (precomputed radiance
transfer, Sloan et al. 2002, here in the basis of the directions themselves). A light then costs two small matrix
products: irradiance with and without the head in the way. Their ratio darkens the shading that the renderer computes
with the posed normals, so the folds of an expression stay shaded.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvface.synthetic.render import kernels
from tvface.synthetic.render.light import SH_FACTORS

DIRECTIONS = 96
RESOLUTION = 192  # side of the depth pictures
SLACK = 2.5e-3  # metres a vertex may lie behind the surface that hides it: the triangles are coarse
PHOTOGRAPHED_SHADOWS = 0.6  # share of the soft shadows that a portrait's texture already contains
BOUNCE = 0.35  # reflectance of the surfaces around a hidden point, which light it indirectly

# Lambertian reflectance of each order of the incoming light (Ramamoorthi & Hanrahan 2001), over pi.
_COSINE = np.array([1.0, *[2 / 3] * 3, *[1 / 4] * 5])


def spread_directions(count: int) -> np.ndarray:
    """Return ``count`` unit vectors spread evenly over the sphere (Fibonacci lattice): (count, 3) float64."""
    index = np.arange(count) + 0.5
    height = 1 - 2 * index / count
    turn = np.pi * (1 + np.sqrt(5)) * index
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(turn), height, radius * np.sin(turn)], 1)


def radiance(light: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """Return the light that comes from unit ``directions`` (N, 3) in the frame of ``light`` (9, 3): (N, 3), >= 0."""
    x, y, z = directions.T
    basis = np.stack([np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], 1)
    return np.asarray(np.maximum((basis * (SH_FACTORS / _COSINE)) @ light, 0))


def _seen(vertices: np.ndarray, faces: np.ndarray, direction: np.ndarray) -> np.ndarray:
    """Return which vertices (V, 3) are visible from a far ``direction``: (V,) bool, by an orthographic depth map."""
    side = np.cross(direction, [0.0, 1.0, 0.0] if abs(direction[1]) < 0.9 else [1.0, 0.0, 0.0])
    side /= np.linalg.norm(side)
    axes = np.stack([side, np.cross(direction, side), direction], 1)
    local = vertices @ axes
    low, high = local.min(0), local.max(0)
    scale = (RESOLUTION - 1) / (high - low)[:2].max()
    # The rasteriser needs a positive nearness that grows towards the eye; here the height along the direction serves.
    points = np.concatenate([(local[:, :2] - low[:2]) * scale, local[:, 2:] - low[2] + 0.01], 1).astype(np.float32)
    near = np.zeros((RESOLUTION, RESOLUTION), np.float32)
    kernels.fill(points, faces, 0, np.full(near.shape, -1, np.int32), near)
    column, row = (np.round(points[:, k]).astype(int) for k in (0, 1))
    return np.asarray(points[:, 2] >= near[row, column] - SLACK)


@dataclass(frozen=True)
class Occlusion:
    """Precomputed visibility of the neutral head's vertices.

    directions: (D, 3) unit vectors, head axes; seen, all: (V, D) float32, clamped cosine times solid angle over pi with
    and without occlusion by the head.
    """

    directions: np.ndarray
    seen: np.ndarray
    all: np.ndarray

    @classmethod
    def of(cls, vertices: np.ndarray, normals: np.ndarray, faces: np.ndarray, least: np.ndarray) -> Occlusion:
        """Compute the self-occlusion of the neutral head (V, 3) metres with ``normals`` (V, 3) and ``faces`` (F, 3).

        ``least`` (V,) in [0, 1] is the share of any light that a vertex gets in any case: the mouth is shut in this
        pose, and between eyeball and lids the mesh is too coarse to tell.
        """
        directions = spread_directions(DIRECTIONS)
        free = np.maximum(normals @ directions.T, 0) * (4 / DIRECTIONS)
        seen = np.stack([_seen(vertices, faces, direction) for direction in directions], 1)
        seen = np.maximum(seen, least[:, None])
        return cls(directions, (free * seen).astype(np.float32), free.astype(np.float32))

    def reach(self, light: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        """Return the share of a light that reaches each vertex, with one bounce off what hides it: (V,) float32.

        Args:
            light: (9, 3) in DECA's basis, camera axes.
            rotation: (3, 3) from head to camera axes.
        """
        coming = radiance(light, self.directions @ rotation.T).mean(1).astype(np.float32)
        share = np.clip((self.seen @ coming + 1e-4) / (self.all @ coming + 1e-4), 0, 1)
        return np.asarray(share / (1 - BOUNCE * (1 - share)), np.float32)


@dataclass(frozen=True)
class Shadow:
    """Self-occlusion of a head turned by ``rotation`` (3, 3); weaker if a photographed texture contains shadows."""

    occlusion: Occlusion
    rotation: np.ndarray
    photographed: bool

    def reach(self, light: np.ndarray) -> np.ndarray:
        """Return the share of a light (9, 3) that arrives at each vertex: (V,) float32."""
        kept = PHOTOGRAPHED_SHADOWS if self.photographed else 0.0
        return np.asarray(kept + (1 - kept) * self.occlusion.reach(light, self.rotation), np.float32)
