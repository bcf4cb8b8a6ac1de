"""Soft shadows of the head on itself, and wrinkles that come with the expression."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.synthetic.lights import flat_light
from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.people.face_units import code_of, strengths
from tvface.synthetic.people.traits import draw_traits
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.render.light import PointLight, directional_light
from tvface.synthetic.render.occlusion import Occlusion, radiance, spread_directions
from tvface.synthetic.render.scene import Camera, render_scene
from tvface.synthetic.render.surfaces import Posed

ONE = np.ones(3)


def test_directions_are_even_and_radiance_integrates_to_the_irradiance() -> None:
    directions = spread_directions(400)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(directions.mean(0), 0, atol=5e-3)
    np.testing.assert_allclose(directions.T @ directions / 400, np.eye(3) / 3, atol=5e-3)
    # A light without negative radiance: Lambert's integral must give back the polynomial that the renderer evaluates.
    light = directional_light(np.array([0.2, 0.5, 0.8]), 0.8, 0.2, ONE, ONE)
    normal = np.array([0.6, 0.0, 0.8])
    cosine = np.maximum(directions @ normal, 0)
    integral = (cosine[:, None] * radiance(light, directions)).mean(0) * 4
    d = np.array([0.2, 0.5, 0.8]) / np.linalg.norm([0.2, 0.5, 0.8])
    expected = 0.8 + 0.2 * (0.25 + 0.5 * d @ normal + 5 / 32 * (3 * (d @ normal) ** 2 - 1))
    np.testing.assert_allclose(integral, expected, rtol=0.01)


def test_a_plate_over_a_plate_shadows_it_from_its_side_only() -> None:
    corners = np.array([(-1, 0, -1), (1, 0, -1), (1, 0, 1), (-1, 0, 1)], np.float32) * 0.1
    below, above = corners, corners * 0.6 + np.float32([0, 0.05, 0])
    centre = np.zeros((1, 3), np.float32)
    vertices = np.concatenate([below, centre, above]).astype(np.float32)
    ground = [(0, 1, 4), (1, 2, 4), (2, 3, 4), (3, 0, 4)]
    faces = np.array([*ground, (5, 6, 7), (5, 7, 8)], np.int32)
    normals = np.tile(np.float32([0, 1, 0]), (9, 1))
    occlusion = Occlusion.of(vertices, normals, faces, np.zeros(9))
    above_light = directional_light(np.array([0, 1.0, 0]), 0.05, 1.0, ONE, ONE)
    reach = occlusion.reach(above_light, np.eye(3))
    assert reach[4] < 0.35  # under the roof
    assert (reach[5:] > 0.99).all()  # on the roof
    # The head turned over: the same lamp now shines from where no roof is, and nothing faces it.
    turned = np.diag([1.0, -1, -1])
    level = occlusion.reach(flat_light(), turned)
    assert level.shape == (9,) and (level > 0).all() and (level <= 1).all()


def test_the_mouths_inside_gets_light_and_sockets_are_darker_than_cheeks(stage: Stage) -> None:
    reach = stage.occlusion.reach(flat_light(), np.eye(3))
    atlas = stage.atlas
    assert (reach[atlas.vertex_part == 4] > 0.5).all()
    skin = atlas.vertex_part == 1

    def near(place: np.ndarray, radius: float) -> float:
        return float(reach[skin & (np.linalg.norm(atlas.vertices - place, axis=1) < radius)].mean())

    points = atlas.landmarks
    nose, chin = points[33], points[8]
    assert near(nose - (0, 5, 3), 7) < near(points[30], 7) - 0.03  # below the nose, against its tip
    assert near(points[39] + (3, 8, 2), 9) < near(points[19], 9) - 0.02  # above the inner eye corner, against the brow
    eyes = np.isin(atlas.vertex_part, (2, 3))
    assert (reach[eyes] > 0.8).all()
    assert near(chin - (0, 12, 25), 12) < near(chin, 10)  # under the chin


def person_with(stage: Stage, painter: SkinPainter, age: float, expression: np.ndarray) -> Posed:
    traits = dataclasses.replace(
        draw_traits(2), age=age, hair_style="bald", spectacles="", hat="", freckles=0.0, beard=0.0, moustache=0.0
    )
    person = Person(stage, np.zeros(1), procedural_texture(painter, stage.head.faces, 2, traits))
    return person.place(expression, np.zeros(15), np.array([0, 0, -1.0]))


def code(name: str) -> np.ndarray:
    return code_of({name: 1.0})


def test_lifted_brows_crease_the_forehead_of_the_old_more_than_of_the_young(stage: Stage) -> None:
    height = {}
    for age in (0.0, 1.0):
        for name, expression in (("rest", np.zeros(50)), ("lifted", code("brow_up"))):
            relief = stage.relief.of(age, strengths(expression), 1.0)
            height[age, name] = -1000 * float(relief.at(0).min())
    assert height[1.0, "lifted"] == pytest.approx(0.75, abs=0.2)
    assert height[0.0, "rest"] < height[0.0, "lifted"] < 0.5 * height[1.0, "lifted"]
    assert stage.relief.of(1.0, strengths(np.zeros(50)), 1.0).at(1).shape == (256, 256)


def test_folds_are_seen_where_they_lie_and_move_no_label(stage: Stage, painter: SkinPainter) -> None:
    light = directional_light(np.array([0, 1.0, 0.5]), 0.4, 0.6, ONE, ONE)
    camera, background = Camera.central(1500, 420, 420), np.zeros((420, 420, 3), np.uint8)
    posed = person_with(stage, painter, 1.0, code("brow_up"))
    flat = dataclasses.replace(
        posed, surfaces=(dataclasses.replace(posed.surfaces[0], relief=None), *posed.surfaces[1:])
    )
    with_folds, without = (render_scene([one], camera, light, background) for one in (posed, flat))
    np.testing.assert_array_equal(with_folds.labels, without.labels)
    change = np.abs(with_folds.image.astype(int) - without.image).max(2)
    brows = with_folds.points[0][17:27]
    forehead = np.zeros(change.shape, bool)
    high = int(brows[:, 1].min())
    forehead[high - 70 : high - 8, int(brows[2, 0]) : int(brows[7, 0])] = True
    assert change.max() > 25 and change[forehead].mean() > 5 * change[~forehead & (with_folds.labels == 1)].mean()


def test_both_sides_of_a_movement_share_its_folds(stage: Stage) -> None:
    half, whole = (stage.relief.of(0.5, strengths(code(name)), 1.0).amounts[2] for name in ("smile_L", "smile"))
    assert half == pytest.approx(0.5 * whole)


def test_a_lamp_falls_off_with_the_square_and_lights_the_side_it_stands_on(stage: Stage, painter: SkinPainter) -> None:
    lamp = PointLight(np.array([0.0, 0.0, 1.0]), np.array([1.0, 0.5, 0.25]))
    places = np.array([(0, 0, 0), (0, 0, -1.0), (0, 0, 2.0)])
    normals = np.tile([0, 0, 1.0], (3, 1))
    np.testing.assert_allclose(
        lamp.irradiance(places, normals), [(1, 0.5, 0.25), (0.25, 0.125, 0.0625), (0, 0, 0)], rtol=3e-3
    )
    posed = person_with(stage, painter, 0.3, np.zeros(50))
    camera, background = Camera.central(700, 200, 200), np.zeros((200, 200, 3), np.uint8)
    dark = directional_light(np.array([0, 1.0, 0.5]), 0.05, 0.0, ONE, ONE)
    side = PointLight(np.array([1.0, 0.0, -0.9]), ONE)
    plain, lit = (render_scene([posed], camera, dark, background, lamps=lamps) for lamps in ((), (side,)))
    gain = lit.image.astype(float).mean(2) - plain.image.astype(float).mean(2)
    middle = int(lit.points[0][27:31, 0].mean())
    skin = lit.labels == 1
    right, left = gain[:, middle + 8 :][skin[:, middle + 8 :]], gain[:, : middle - 8][skin[:, : middle - 8]]
    assert right.mean() > 4 * left.mean() and right.mean() > 20
