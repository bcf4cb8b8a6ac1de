"""Depth, normals and optical flow of a posed person, from the rasterised surface and the folds of its skin.

All values refer to the centres of the pixels, which lie at integers. The picture and its classes are averages over the
pixel's samples, so at an outline a pixel may have a class and no depth, or a depth and no class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tvface.synthetic.render import geometry_numba, kernels
from tvface.synthetic.render.scene import FLAT, Camera, texture_level
from tvface.synthetic.render.surfaces import Posed, Surface

HIDDEN = 0.001  # metres behind the next frame's surface beyond which a point counts as hidden


class Folds(NamedTuple):
    """The relief of the first surface, the head: corners (F, 3, 2) float32 texel coordinates at full size; heights
    (h, w) float32 metres over the mesh, shrunk by ``scale``; (1, 1) for none."""

    corners: np.ndarray
    heights: np.ndarray
    scale: float


@dataclass(frozen=True)
class View:
    """All surfaces of a person as one mesh, seen by a camera.

    vertices, normals: (V, 3) float32, camera coordinates (x right, y up, z to the camera), metres; faces: (F, 3) int32;
    points: (V, 3) float32 as from :meth:`Camera.project`; face: (H, W) int32, the triangle at each pixel's
    centre, -1 none; near: (H, W) float32, 1 / depth there in 1/m, 0 on the background; folds: relief of the head.
    """

    camera: Camera
    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    points: np.ndarray
    face: np.ndarray
    near: np.ndarray
    folds: Folds


def look(posed: Posed, camera: Camera) -> View:
    """Rasterise a person at the centres of the camera's pixels."""
    counts = [len(surface.vertices) for surface in posed.surfaces]
    first = np.cumsum([0, *counts[:-1]])
    vertices = np.concatenate([surface.vertices for surface in posed.surfaces])
    faces = np.concatenate([surface.faces + start for surface, start in zip(posed.surfaces, first, strict=True)])
    faces = np.ascontiguousarray(faces, np.int32)
    points = camera.project(vertices)
    face = np.full((camera.height, camera.width), -1, np.int32)
    near = np.zeros(face.shape, np.float32)
    start, begun = 0, 0
    for surface in posed.surfaces:
        part = np.ascontiguousarray(points[start : start + len(surface.vertices)])
        kernels.fill(part, surface.faces, begun, face, near, surface.corners, surface.alpha)
        start, begun = start + len(surface.vertices), begun + len(surface.faces)
    normals = np.concatenate([surface.normals for surface in posed.surfaces])
    return View(camera, vertices, normals, faces, points, face, near, _folds(posed.surfaces[0], points))


def _folds(surface: Surface, points: np.ndarray) -> Folds:
    """Return the relief of a surface at the resolution of the picture; points (V, 3) as projected, its own first."""
    if surface.relief is None:
        return Folds(surface.corners, FLAT, 1.0)
    heights = surface.relief.at(texture_level(surface, points[: len(surface.vertices)]))
    return Folds(surface.corners, heights, heights.shape[1] / surface.labels.shape[1])


def depth(view: View) -> np.ndarray:
    """Return the distance along the optical axis, (H, W) float32 metres, +inf on the background.

    Wrinkles, folds and pores lift or sink the surface along its normal.
    """
    result = np.full(view.near.shape, np.inf, np.float32)
    np.divide(1, view.near, out=result, where=view.face >= 0)
    if view.folds.heights.shape[0] > 1:
        geometry_numba.lift(view.points, view.normals, view.faces, view.face, *view.folds, result)
    return result


def normals(view: View) -> np.ndarray:
    """Return unit normals (H, W, 3) float32, camera axes (x right, y up, z to the camera), 0 on the background.

    The vertices' normals are interpolated over the triangle and tilted by the slope of the skin's relief, as for
    shading. They are flipped where a surface is seen from behind, and never point away from the viewer.
    """
    result = np.zeros((*view.face.shape, 3), np.float32)
    camera = view.camera
    mesh = view.points, view.vertices, view.normals, view.faces, view.face
    geometry_numba.normals(*mesh, *view.folds, camera.focal, *camera.centre, result)
    return result


def flow(view: View, following: View) -> tuple[np.ndarray, np.ndarray]:
    """Return the motion of the surface at each pixel to the next frame of the same person and camera.

    Returns:
        Flow (H, W, 2) float32 pixels, x right and y down: the surface at (x, y) lies at (x, y) + flow[y, x] in the next
        frame; 0 on the background, which stands still. Validity (H, W) bool: the point lies within the next frame and
        is not hidden there (accurate to a pixel at the outline of the occluding surface).

    Raises:
        ValueError: the views differ in camera or mesh.
    """
    if view.camera != following.camera or view.faces.shape != following.faces.shape:
        raise ValueError("flow needs two views of the same person by the same camera")
    result, valid = np.zeros((*view.face.shape, 2), np.float32), np.zeros(view.face.shape, bool)
    camera = view.camera
    before, after = (view.points, view.faces, view.face), (following.vertices, following.near)
    geometry_numba.flow(*before, *after, camera.focal, *camera.centre, HIDDEN, result, valid)
    return result, valid
