"""Rendering of people before a background, with exact labels, points, visibility and depth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np

from tvface.conventions.annotation import as_annotated
from tvface.synthetic.render import kernels, shading_numba
from tvface.synthetic.render.gleam import gleam
from tvface.synthetic.render.light import SH_FACTORS, PointLight
from tvface.synthetic.render.shadow_map import ShadowMap
from tvface.synthetic.render.surfaces import Posed, Surface

FLAT: np.ndarray = np.zeros((1, 1), np.float32)
DULL: np.ndarray = np.zeros((1, 1, 2), np.uint8)
VISIBLE_SLACK = 0.008  # metres a point may lie behind the surface that the z-buffer shows


@dataclass(frozen=True)
class Camera:
    """A pinhole camera at the origin looking along -z (x right, y up, z to the camera).

    focal: pixels; centre: (x, y) of the optical axis in pixels, pixel centres at integers; width, height: of the
    picture.
    """

    focal: float
    width: int
    height: int
    centre: tuple[float, float]

    @classmethod
    def central(cls, focal: float, width: int, height: int) -> Camera:
        """Return a camera whose axis meets the middle of the picture."""
        return cls(focal, width, height, ((width - 1) / 2, (height - 1) / 2))

    def project(self, points: np.ndarray) -> np.ndarray:
        """Project camera coordinates (N, 3) metres: (N, 3) float32 of x, y in pixels and 1 / depth in 1/m.

        Points at or behind the camera plane get a nearness <= 0, and no meaningful x and y.
        """
        depth = -points[:, 2]
        nearness = np.where(np.abs(depth) > 1e-6, 1 / np.where(np.abs(depth) > 1e-6, depth, 1), -1.0)
        x = self.centre[0] + self.focal * points[:, 0] * nearness
        y = self.centre[1] - self.focal * points[:, 1] * nearness
        return np.stack([x, y, nearness], axis=1).astype(np.float32)


@dataclass(frozen=True)
class Frame:
    """A rendered picture.

    image: (H, W, 3) uint8 RGB; labels: (H, W) uint8 zllrunning classes, 0 background; person: (H, W) int8, which person
    a pixel shows, -1 none; depth: (H, W) float32 metres, +inf on the background; points: (P, 68, 2) float32 pixels;
    visible: (P, 68) bool, neither hidden nor outside the picture.
    """

    image: np.ndarray
    labels: np.ndarray
    person: np.ndarray
    depth: np.ndarray
    points: np.ndarray
    visible: np.ndarray


def render_scene(
    people: Sequence[Posed],
    camera: Camera,
    light: np.ndarray,
    background: np.ndarray,
    samples: int = 2,
    lamps: Sequence[PointLight] = (),
) -> Frame:
    """Render people before a background.

    Args:
        people: posed persons; those in front hide those behind.
        camera: of the picture.
        light: (9, 3) spherical harmonics, DECA's basis, camera axes.
        background: (H, W, 3) uint8 RGB.
        samples: samples per pixel side.
        lamps: small lamps beside the ``light``.

    Raises:
        ValueError: the background's size is not the camera's, or ``samples`` is below 1.
    """
    height, width = camera.height, camera.width
    if background.shape != (height, width, 3):
        raise ValueError(f"the background is {background.shape}, expected {(height, width, 3)} (height, width, 3)")
    if samples < 1:
        raise ValueError(f"samples per pixel side: {samples}, expected at least 1")
    buffer = _Buffer(
        np.full((height * samples, width * samples), -1, np.int32),
        np.zeros((height * samples, width * samples), np.float32),
        samples,
    )
    drawn, limits = _fill(buffer, people, camera)
    image, labels = _paint(buffer, drawn, light, lamps, background)
    person, depth = np.empty((height, width), np.int8), np.empty((height, width), np.float32)
    kernels.centres(buffer.face, buffer.near, samples, np.array(limits[:-1], np.int32), person, depth)
    if not people:
        nothing = np.zeros((0, 68, 3), np.float32)
        return Frame(image, labels, person, depth, as_annotated(nothing[:, :, :2]), np.zeros((0, 68), bool))
    points68 = np.stack([camera.project(posed.landmarks) for posed in people])
    visible = np.stack([_visible(points, buffer.near, samples) for points in points68])
    return Frame(image, labels, person, depth, as_annotated(points68[:, :, :2]), visible)


class _Buffer(NamedTuple):
    """The supersampled z-buffer: number of the nearest triangle (H s, W s) int32, -1 where there is none, and its
    nearness (1 / depth) float32; ``samples`` per pixel side."""

    face: np.ndarray
    near: np.ndarray
    samples: int


class _Drawn(NamedTuple):
    """A surface in the z-buffer: its points (V, 3) in samples, as :func:`kernels.fill` takes them, the number of
    its first triangle, and the person's number."""

    surface: Surface
    points: np.ndarray
    first: int
    person: int


def _fill(buffer: _Buffer, people: Sequence[Posed], camera: Camera) -> tuple[list[_Drawn], list[int]]:
    """Enter all surfaces in the z-buffer; returns them, and where each person's triangles begin, the end at last."""
    drawn: list[_Drawn] = []
    first, limits = 0, [0]
    for person, posed in enumerate(people):
        for surface in posed.surfaces:
            points = camera.project(surface.vertices)
            points[:, :2] = (points[:, :2] + 0.5) * buffer.samples - 0.5
            kernels.fill(points, surface.faces, first, buffer.face, buffer.near, surface.corners, surface.alpha)
            drawn.append(_Drawn(surface, points, first, person))
            first += len(surface.faces)
        limits.append(first)
    return drawn, limits


def _paint(
    buffer: _Buffer, drawn: Sequence[_Drawn], light: np.ndarray, lamps: Sequence[PointLight], background: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Shade all surfaces; returns the picture (H, W, 3) uint8 and its classes (H, W) uint8."""
    total = np.zeros((*background.shape[:2], 4), np.float32)
    fine = np.zeros(buffer.face.shape, np.uint8)
    polynomial = np.ascontiguousarray(light * SH_FACTORS[:, None], np.float32)
    shadows = _shadows(drawn, lamps)
    for surface, points, first, person in drawn:
        window = _window(points, buffer.face.shape)
        if window is None:
            continue
        level = texture_level(surface, points)
        texture = surface.levels[level]
        relief = FLAT if surface.relief is None else surface.relief.at(level)
        reach = surface.reach if surface.shadow is None else surface.shadow.reach(light)
        if reach is None:
            reach = np.ones(len(points), np.float32)
        mesh = shading_numba.Projected(
            points,
            surface.faces,
            first,
            surface.vertices,
            surface.normals,
            reach,
            _lamps(surface, lamps, shadows[person]),
        )
        scale = texture.shape[1] / surface.labels.shape[1]
        shiny = DULL if surface.sheen is None else surface.sheen[min(level, len(surface.sheen) - 1)]
        look = shading_numba.Look(surface.corners, surface.labels, texture, scale, relief, surface.gloss, shiny)
        mirror = gleam(polynomial, -surface.vertices.mean(0))
        shading_numba.shade(mesh, look, polynomial, mirror, buffer.face, window, buffer.samples, total, fine)
    image = np.empty(background.shape, np.uint8)
    kernels.composite(total, background, buffer.samples, image)
    labels = np.zeros(background.shape[:2], np.uint8)
    kernels.majority(fine, buffer.samples, labels)
    return image, labels


def _shadows(drawn: Sequence[_Drawn], lamps: Sequence[PointLight]) -> dict[int, list[ShadowMap]]:
    """Return what each lamp sees of each person; of a person the first surface is the head."""
    shadows: dict[int, list[ShadowMap]] = {}
    for person in {part.person for part in drawn}:
        surfaces = [part.surface for part in drawn if part.person == person]
        meshes = [(surface.vertices, surface.faces) for surface in surfaces]
        middle = surfaces[0].vertices[::8].mean(0)
        shadows[person] = [ShadowMap.of(lamp.position - middle, meshes) for lamp in lamps]
    return shadows


def _lamps(surface: Surface, lamps: Sequence[PointLight], shadows: Sequence[ShadowMap]) -> np.ndarray:
    """Return the light of the lamps at each vertex: (V, 3) float32."""
    total = np.zeros(surface.vertices.shape, np.float32)
    for lamp, shadow in zip(lamps, shadows, strict=True):
        shadow.add(lamp, surface.vertices, surface.normals, total)
    return total


def _window(points: np.ndarray, shape: tuple[int, ...]) -> np.ndarray | None:
    """Return the samples that a mesh may cover: (x0, x1, y0, y1) clipped to the picture, None if it lies outside."""
    least, greatest = kernels.extent(points)
    if least[0] > greatest[0]:
        return None
    x0, y0 = (min(max(int(np.floor(least[k])), 0), shape[1 - k]) for k in (0, 1))
    x1, y1 = (min(max(int(np.ceil(greatest[k])) + 1, 0), shape[1 - k]) for k in (0, 1))
    return np.array([x0, x1, y0, y1]) if x0 < x1 and y0 < y1 else None


def texture_level(surface: Surface, points: np.ndarray) -> int:
    """Return the number of halvings of the texture after which a texel is about as large as a sample."""
    faces = surface.faces[:: max(1, len(surface.faces) // 600)]
    corner = surface.corners[:: max(1, len(surface.faces) // 600)]

    def areas(p: np.ndarray) -> np.ndarray:
        a, b = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
        return np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])

    screen, texels = areas(points[faces][:, :, :2]).sum(), areas(corner).sum()
    if screen <= 0 or texels <= 0:
        return 0
    return int(np.clip(np.floor(0.5 * np.log2(texels / screen) + 0.3), 0, len(surface.levels) - 1))


def _visible(points: np.ndarray, near: np.ndarray, samples: int) -> np.ndarray:
    """Return which projected points (68, 3) lie in the picture and on the visible surface: (68,) bool."""
    rows, columns = near.shape
    x = np.round((points[:, 0] + 0.5) * samples - 0.5).astype(int)
    y = np.round((points[:, 1] + 0.5) * samples - 0.5).astype(int)
    inside = (points[:, 2] > 0) & (x >= 0) & (x < columns) & (y >= 0) & (y < rows)
    # A point on the outline may fall just beside it: a neighbouring sample with its depth, or empty, suffices.
    step = np.arange(-1, 2)
    row = np.clip(y[inside, None, None] + step[:, None], 0, rows - 1)
    column = np.clip(x[inside, None, None] + step, 0, columns - 1)
    around = near[row, column]
    depth = np.where(around > 0, 1 / np.maximum(around, 1e-9), np.inf)
    visible = np.zeros(len(points), bool)
    visible[inside] = (depth >= (1 / points[inside, 2] - VISIBLE_SLACK)[:, None, None]).any((1, 2))
    return visible


def average_frames(frames: Sequence[Frame]) -> Frame:
    """Average the sub-frames of one exposure into a picture with motion blur.

    All other arrays come from the middle sub-frame.

    Raises:
        ValueError: no frames.
    """
    if not frames:
        raise ValueError("motion blur needs at least one sub-frame")
    middle = frames[len(frames) // 2]
    mean = np.mean([frame.image.astype(np.float32) for frame in frames], axis=0)
    image = np.clip(mean + 0.5, 0, 255).astype(np.uint8)
    return Frame(image, middle.labels, middle.person, middle.depth, middle.points, middle.visible)


def overlay(frame_image: np.ndarray, points: np.ndarray, visible: np.ndarray, scale: int = 3) -> np.ndarray:
    """Enlarge a picture and draw the points, green where visible and red where hidden, for visual checks."""
    large = cv2.resize(frame_image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
    for (x, y), shown in zip(points, visible, strict=True):
        place = (round((x + 0.5) * scale - 0.5), round((y + 0.5) * scale - 0.5))
        cv2.circle(large, place, 1, (0, 255, 0) if shown else (255, 40, 40), -1)
    return large
