"""Depth, normals and flow of the rasterised surface, against rays, gradients and projected vertices."""

from __future__ import annotations

import dataclasses

import cv2
import numpy as np
import pytest

from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.people.face_units import code_of
from tvface.synthetic.people.traits import draw_traits
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.render import geometry
from tvface.synthetic.render.geometry import View
from tvface.synthetic.render.scene import Camera
from tvface.synthetic.render.surfaces import Posed

SIZE = 128
CAMERA = Camera(430.0, SIZE, SIZE, (66.3, 61.8))


@pytest.fixture(scope="module")
def frames(stage: Stage, painter: SkinPainter) -> tuple[Posed, Posed]:
    """A person with spectacles and a hat, without transparent meshes or folds, who turns and opens the mouth."""
    looks = dataclasses.replace(draw_traits(5), hair_style="buzz", spectacles="round", hat="wide")
    shape = np.random.default_rng(2).normal(0, 0.8, 100)
    person = Person(stage, shape, procedural_texture(painter, stage.head.faces, 5, looks))
    joints = np.zeros((2, 15))
    joints[:, 1], joints[:, 0], joints[:, 6] = (0.3, 0.42), (0.05, 0.1), (0.02, 0.2)
    places = ((0.01, -0.02, -0.95), (0.025, -0.03, -0.93))
    expression = np.random.default_rng(3).normal(0, 0.3, (2, 50))
    moments = zip(expression, joints, map(np.array, places), strict=True)
    first, second = (without_folds(person.place(*moment)) for moment in moments)
    return first, second


def without_folds(posed: Posed) -> Posed:
    head, *others = posed.surfaces
    return dataclasses.replace(posed, surfaces=(dataclasses.replace(head, relief=None), *others))


@pytest.fixture(scope="module")
def views(frames: tuple[Posed, Posed]) -> tuple[View, View]:
    return geometry.look(frames[0], CAMERA), geometry.look(frames[1], CAMERA)


def rays(view: View, pixels: np.ndarray) -> np.ndarray:
    """Depth of the nearest triangle on the ray through each pixel (N, 2), by Moeller and Trumbore: (N,), inf none."""
    corners = view.vertices.astype(np.float64)[view.faces]
    origin, first, second = corners[:, 0], corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    distances = []
    for x, y in pixels:
        towards = np.array([(x - CAMERA.centre[0]) / CAMERA.focal, (CAMERA.centre[1] - y) / CAMERA.focal, -1.0])
        side = np.cross(towards, second)
        scale = (first * side).sum(1)
        scale[np.abs(scale) < 1e-18] = np.nan
        u = -(origin * side).sum(1) / scale
        other = np.cross(-origin, first)
        v = (other @ towards) / scale
        along = (second * other).sum(1) / scale
        hit = (u >= 0) & (v >= 0) & (u + v <= 1) & (along > 0)
        distances.append(along[hit].min() if hit.any() else np.inf)
    return np.array(distances)


def test_depth_is_that_of_the_nearest_triangle_on_the_pixels_ray(views: tuple[View, View]) -> None:
    depth = geometry.depth(views[0])
    assert depth.shape == (SIZE, SIZE) and depth.dtype == np.float32
    pixels = np.random.default_rng(0).integers(0, SIZE, (160, 2))
    expected, rendered = rays(views[0], pixels), depth[pixels[:, 1], pixels[:, 0]]
    assert 0.35 < np.isfinite(expected).mean() < 0.98
    same = np.isclose(rendered, expected, rtol=2e-6)  # inf equals inf
    assert same.sum() >= 159  # a ray through an edge may go either way


def test_normals_are_unit_face_the_camera_and_follow_the_depth(views: tuple[View, View]) -> None:
    view = views[0]
    normals, depth = geometry.normals(view).astype(np.float64), geometry.depth(view).astype(np.float64)
    shown = view.face >= 0
    assert not normals[~shown].any()
    np.testing.assert_allclose(np.linalg.norm(normals[shown], axis=1), 1, atol=1e-5)
    y, x = np.mgrid[:SIZE, :SIZE]
    ray = np.stack([(x - CAMERA.centre[0]) / CAMERA.focal, (CAMERA.centre[1] - y) / CAMERA.focal, -np.ones(x.shape)], 2)
    assert (normals * ray).sum(2)[shown].max() < 1e-5
    points = np.where(shown, depth, 9.0)[:, :, None] * ray
    across, down = points[1:-1, 2:] - points[1:-1, :-2], points[2:, 1:-1] - points[:-2, 1:-1]
    slope = np.cross(down, across)
    slope /= np.linalg.norm(slope, axis=2, keepdims=True)
    smooth = (np.abs(across[..., 2]) < 0.01) & (np.abs(down[..., 2]) < 0.01) & shown[1:-1, 1:-1]
    smooth = cv2.erode(smooth.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    angle = np.degrees(np.arccos(np.clip((slope * normals[1:-1, 1:-1]).sum(2), -1, 1)))[smooth]
    assert smooth.sum() > 3000
    assert np.median(angle) < 3 and np.percentile(angle, 75) < 9  # the scalp's triangles are coarse


def test_surfaces_seen_from_behind_turn_their_normals(views: tuple[View, View]) -> None:
    turned = dataclasses.replace(
        views[0], faces=np.ascontiguousarray(views[0].faces[:, ::-1]), normals=-views[0].normals
    )
    np.testing.assert_allclose(geometry.normals(turned), geometry.normals(views[0]), atol=1e-5)


def test_flow_carries_visible_vertices_to_their_next_place(views: tuple[View, View]) -> None:
    first, second = views
    flow, valid = geometry.flow(first, second)
    place, then = first.points[:, :2], second.points[:, :2]
    row, column = np.clip(np.round(place[:, ::-1]).astype(int), 0, SIZE - 1).T
    depth = geometry.depth(first)
    # On the surface that the picture shows (teeth lie 4 mm behind the lips), away from outlines: all pixels around have
    # about the vertex's depth.
    spread = cv2.dilate(np.where(np.isfinite(depth), depth, 9), np.ones((3, 3))) - cv2.erode(depth, np.ones((3, 3)))
    inside = ((place > 1) & (place < SIZE - 2)).all(1)
    shown = inside & (np.abs(depth[row, column] + first.vertices[:, 2]) < 0.001) & (spread[row, column] < 0.008)
    shown &= valid[row, column]
    assert shown.sum() > 700
    sampled = cv2.remap(flow, place[:, 0].copy(), place[:, 1].copy(), cv2.INTER_LINEAR).reshape(-1, 2)
    error = np.linalg.norm(place + sampled - then, axis=1)[shown]
    assert np.linalg.norm(then - place, axis=1)[shown].mean() > 3
    # Lids and lips fold back within a millimetre of what the picture shows.
    assert np.median(error) < 0.05 and np.percentile(error, 90) < 0.5


def test_what_the_next_frame_hides_is_not_valid(views: tuple[View, View]) -> None:
    first, second = views
    flow, valid = geometry.flow(first, second)
    assert 0.5 < valid.mean() < 0.99
    background = first.face < 0
    assert not flow[background].any()
    np.testing.assert_array_equal(valid[background], (second.face < 0)[background])
    # Rays decide, for points well inside the picture: does anything lie before the moved point?
    y, x = np.nonzero(~background)
    target = np.stack([x, y], 1) + flow[y, x]
    sample = np.random.default_rng(1).permutation(np.flatnonzero(((target > 1) & (target < SIZE - 2)).all(1)))[:300]
    nearest = rays(second, target[sample])
    corners = second.vertices[second.faces[first.face[y, x][sample]]]
    depths = -corners[:, :, 2]
    hidden = nearest < depths.min(1) - 0.003
    shown = np.abs(nearest - depths.mean(1)) < 0.001
    reported = valid[y, x][sample]
    assert hidden.sum() > 5 and shown.sum() > 100
    assert reported[shown].mean() > 0.98 and (~reported[hidden]).mean() > 0.55  # accurate to a pixel at outlines
    outside = ((target < -0.5) | (target > SIZE - 0.5)).any(1)
    assert outside.any() and not valid[y, x][outside].any()


def test_standing_still_is_no_flow_and_everything_stays_visible(views: tuple[View, View]) -> None:
    flow, valid = geometry.flow(views[0], views[0])
    assert np.abs(flow).max() < 1e-3 and valid.all()


def test_flow_between_different_meshes_or_cameras_is_refused(
    frames: tuple[Posed, Posed], views: tuple[View, View]
) -> None:
    moved = geometry.look(frames[1], dataclasses.replace(CAMERA, focal=400.0))
    with pytest.raises(ValueError, match="same person by the same camera"):
        geometry.flow(views[0], moved)


def test_folds_tilt_the_normals_and_move_the_depth_of_the_skin(stage: Stage, painter: SkinPainter) -> None:
    looks = dataclasses.replace(draw_traits(2), age=1.0, hair_style="bald", spectacles="", hat="")
    person = Person(stage, np.zeros(1), procedural_texture(painter, stage.head.faces, 2, looks))
    folded = person.place(code_of({"brow_up": 1.0}), np.zeros(15), np.array([0, 0, -1.0]))
    camera = Camera.central(1500, 400, 400)
    old, smooth = (geometry.look(posed, camera) for posed in (folded, without_folds(folded)))
    lifted = 1000 * (geometry.depth(smooth) - geometry.depth(old))
    lifted[np.isinf(geometry.depth(smooth))] = 0
    assert 0.3 < np.abs(lifted).max() < 2.0  # mm
    angle = np.degrees(np.arccos(np.clip((geometry.normals(old) * geometry.normals(smooth)).sum(2), -1, 1)))
    brows = stage.atlas.landmarks[17:27, :2].mean(0)
    y = int(camera.project(folded.landmarks)[17:27, 1].min()) - 30
    assert np.percentile(angle[y - 25 : y + 5, 160:240], 90) > 8 and brows[1] > 0
    cloth = old.face >= len(stage.head.faces)
    assert cloth.any() and not lifted[cloth].any()
    np.testing.assert_array_equal(geometry.normals(old)[cloth], geometry.normals(smooth)[cloth])
    # Depth and normals tell the same slopes: along a column of the forehead they agree.
    dy = np.gradient(lifted, axis=0)[y - 25 : y + 5, 190:210]
    tilt = (geometry.normals(old) - geometry.normals(smooth))[y - 25 : y + 5, 190:210, 1]
    assert np.corrcoef(dy.ravel(), tilt.ravel())[0, 1] > 0.7
