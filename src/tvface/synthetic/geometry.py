"""Depth, normals and optical flow of a posed person, from the rasterised surface.

All values refer to the centres of the pixels, which lie at integers. The picture and its classes are averages over the
pixel's samples, so at an outline a pixel may have a class and no depth, or a depth and no class.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvface.synthetic import geometry_numba, kernels
from tvface.synthetic.person import Posed
from tvface.synthetic.scene_render import Camera

HIDDEN = 0.001  # metres behind the next frame's surface beyond which a point counts as hidden


@dataclass(frozen=True)
class View:
    """All surfaces of a person as one mesh, seen by a camera.

    vertices, normals: (V, 3) float32, camera coordinates (x right, y up, z to the camera), metres; faces: (F, 3) int32;
    points: (V, 3) float32 as from :meth:`Camera.project`; face: (H, W) int32, the triangle at each pixel's
    centre, -1 none; near: (H, W) float32, 1 / depth there in 1/m, 0 on the background.
    """

    camera: Camera
    vertices: np.ndarray
    normals: np.ndarray
    faces: np.ndarray
    points: np.ndarray
    face: np.ndarray
    near: np.ndarray


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
    return View(camera, vertices, normals, faces, points, face, near)


def depth(view: View) -> np.ndarray:
    """Return the distance along the optical axis, (H, W) float32 metres, +inf on the background."""
    result = np.full(view.near.shape, np.inf, np.float32)
    np.divide(1, view.near, out=result, where=view.face >= 0)
    return result


def normals(view: View) -> np.ndarray:
    """Return unit normals (H, W, 3) float32, camera axes (x right, y up, z to the camera), 0 on the background.

    The vertices' normals are interpolated over the triangle, as for shading. They are flipped where a surface is seen
    from behind, and never point away from the viewer.
    """
    result = np.zeros((*view.face.shape, 3), np.float32)
    camera = view.camera
    geometry_numba.normals(view.points, view.normals, view.faces, view.face, camera.focal, *camera.centre, result)
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
