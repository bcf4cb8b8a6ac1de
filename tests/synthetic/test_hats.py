"""Hats: where they lie, what they are labelled, that the brim stands before the forehead."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.synthetic.lights import flat_light
from tvface.synthetic.body import hats
from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.looks.skin import EARS, SkinPainter
from tvface.synthetic.people.traits import Traits, draw_traits
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.render.scene import Camera, Frame, render_scene


def wearing(hat: str) -> Traits:
    return dataclasses.replace(draw_traits(4), hat=hat, hair_style="short", spectacles="")


def picture(stage: Stage, painter: SkinPainter, hat: str, yaw: float = 0.0) -> Frame:
    texture = procedural_texture(painter, stage.head.faces, 4, wearing(hat))
    joints = np.zeros(15)
    joints[1] = np.radians(yaw)
    posed = Person(stage, np.zeros(1), texture).place(np.zeros(1), joints, np.array([0, 0, -1.0]))
    return render_scene([posed], Camera.central(500, 200, 200), flat_light(), np.zeros((200, 200, 3), np.uint8))


@pytest.mark.parametrize("hat", ["cap", "beanie"])
def test_a_hat_covers_the_crown_and_leaves_ears_and_face_free(stage: Stage, painter: SkinPainter, hat: str) -> None:
    cloth = hats.cover(stage.atlas, wearing(hat))
    y = stage.atlas.position[:, :, 1]
    skin = stage.atlas.part == 1
    assert (cloth[skin & (y > 70)] == 1).all()
    assert not cloth[np.isin(stage.atlas.labels, EARS)].any()
    assert not cloth[skin & (np.abs(stage.atlas.theta) < 60) & (y < 15)].any()
    frame = picture(stage, painter, hat)
    bare = picture(stage, painter, "")
    shown = frame.labels == hats.HAT
    assert shown.sum() > 1500 and not (bare.labels == hats.HAT).any()
    np.testing.assert_array_equal(frame.points, bare.points)
    assert np.nonzero(shown)[0].max() < frame.points[0][36:48, 1].min()  # above the eyes


def test_a_caps_brim_stands_out_in_front(stage: Stage, painter: SkinPainter) -> None:
    surface = hats.brim_surface(stage.atlas, wearing("cap"))
    middle = surface[:, surface.shape[1] // 2]
    assert 40 < middle[-1, 2] - middle[0, 2] < 80 and middle[-1, 1] < middle[0, 1]
    np.testing.assert_allclose(surface[0, 0], surface[-1, 0], atol=20)  # it runs out at its ends
    with_brim, without = (
        np.nonzero(picture(stage, painter, hat, 90).labels == hats.HAT)[1] for hat in ("cap", "beanie")
    )
    assert with_brim.max() > without.max() + 15


def test_a_wide_brim_goes_all_around_and_lies_over_the_eyes(stage: Stage, painter: SkinPainter) -> None:
    surface = hats.brim_surface(stage.atlas, wearing("wide"))
    reach = np.hypot(surface[:, :, 0], surface[:, :, 2])
    assert (reach[-1] - reach[0] > 40).all()
    np.testing.assert_allclose(surface[:, 0], surface[:, -1], atol=1e-6)
    frame = picture(stage, painter, "wide")
    columns = np.nonzero(frame.labels == hats.HAT)[1]
    assert np.ptp(columns) > 1.4 * np.ptp(np.nonzero(picture(stage, painter, "beanie").labels == hats.HAT)[1])
    assert frame.visible[0, 36:].mean() > 0.9


def test_a_headscarf_leaves_only_the_face(stage: Stage, painter: SkinPainter) -> None:
    for yaw in (0.0, 50.0):
        frame = picture(stage, painter, "scarf", yaw)
        assert not np.isin(frame.labels, (7, 8, 17)).any() and (frame.labels == hats.HAT).sum() > 1500
    frame = picture(stage, painter, "scarf")
    assert frame.visible[0, 17:].all() and (frame.labels == 14).sum() < 30
    bare = picture(stage, painter, "")
    np.testing.assert_array_equal(frame.points, bare.points)
    offset = hats.flattened_ears(stage.atlas.vertices, stage.ears)
    assert np.abs(offset).max() > 3 and not offset[~stage.ears].any()


def test_equal_seeds_give_equal_hats(stage: Stage) -> None:
    one, other = (hats.paint(stage.atlas, wearing("beanie"), np.random.default_rng(1)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    different = dataclasses.replace(wearing("beanie"), seed=5)
    assert hats.hat_colour(different) != hats.hat_colour(wearing("beanie"))
