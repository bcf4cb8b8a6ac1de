"""Trunk and clothes: they begin where the head ends, and show skin where the clothes leave it bare."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.synthetic.lights import flat_light
from tvface.synthetic.body.clothes import KINDS, SHARES_OF_MEN, SHARES_OF_WOMEN, dressed
from tvface.synthetic.body.trunk import trunk
from tvface.synthetic.hair.texture import Texture, procedural_texture
from tvface.synthetic.looks.skin import CLOTH, SkinPainter
from tvface.synthetic.looks.zones import NECK
from tvface.synthetic.people.traits import draw_traits
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.render.scene import Camera, Frame, render_scene


@pytest.fixture(scope="module")
def texture(stage: Stage, painter: SkinPainter) -> Texture:
    looks = dataclasses.replace(draw_traits(4), hair_style="buzz", hat="", spectacles="")
    return procedural_texture(painter, stage.head.faces, 4, looks)


def person(stage: Stage, texture: Texture, kind: str) -> Person:
    looks = dataclasses.replace(texture.traits, clothes=kind)
    return Person(stage, np.zeros(1), dataclasses.replace(texture, traits=looks))


def picture(someone: Person, pitch: float = 0.0) -> Frame:
    joints = np.zeros(15)
    joints[0], joints[3] = np.radians(pitch), np.radians(pitch)
    posed = someone.place(np.zeros(1), joints, np.array([0, 0.1, -1.0]))
    return render_scene([posed], Camera.central(260, 180, 180), flat_light(), np.full((180, 180, 3), 255, np.uint8))


def test_shares_are_probabilities() -> None:
    for shares in (SHARES_OF_MEN, SHARES_OF_WOMEN):
        assert len(shares) == len(KINDS) and sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_trunk_begins_on_the_heads_lowest_ring_in_every_pose(stage: Stage, texture: Texture, kind: str) -> None:
    someone = person(stage, texture, kind)
    joints = np.random.default_rng(1).normal(0, 0.2, 15)
    posed = someone.place(np.zeros(1), joints, np.array([0.1, 0.0, -1.0]))
    first = posed.surfaces[1].vertices[: len(stage.seam)]
    np.testing.assert_allclose(first, posed.surfaces[0].vertices[stage.seam], atol=1e-5)
    assert set(np.unique(someone.parts[0].labels)) <= {NECK, CLOTH}


@pytest.mark.parametrize("kind", KINDS)
def test_no_gap_shows_between_head_and_clothes(stage: Stage, texture: Texture, kind: str) -> None:
    for pitch in (-15.0, 0.0, 15.0):
        frame = picture(person(stage, texture, kind), pitch)
        middle = frame.labels[60:, 90]
        assert (middle[np.flatnonzero(middle)[0] : 100] > 0).all()
        assert (frame.labels == CLOTH).sum() > 2000


def test_a_dress_leaves_the_shoulders_bare_and_a_turtleneck_covers_the_neck(stage: Stage, texture: Texture) -> None:
    bare = {kind: int((picture(person(stage, texture, kind)).labels == NECK).sum()) for kind in KINDS}
    assert bare["dress"] > 1.5 * bare["crew"] and bare["turtleneck"] < bare["crew"] < bare["scoop"]


def test_skin_below_the_neck_has_the_necks_colour(stage: Stage, texture: Texture) -> None:
    someone = person(stage, texture, "dress")
    skin = someone.texture.colour[stage.seam_texels[:, 1], stage.seam_texels[:, 0]].astype(float)
    body = someone.parts[0]
    shown = body.colour[3:30][body.labels[3:30] == NECK].astype(float)
    np.testing.assert_allclose(np.median(shown, 0), np.median(skin, 0), rtol=0.15)


def test_clothes_differ_by_seed_and_repeat(stage: Stage) -> None:
    one, other = (dataclasses.replace(draw_traits(seed), clothes="jacket") for seed in (4, 5))
    skin = np.full((len(stage.seam), 3), 0.5, np.float32)

    def coat(seed_traits: object) -> np.ndarray:
        body = trunk(stage.atlas.vertices, stage.seam, seed_traits)  # type: ignore[arg-type]
        return dressed(body, seed_traits, skin)[0].colour  # type: ignore[arg-type]

    np.testing.assert_array_equal(coat(one), coat(one))
    assert np.abs(coat(one).astype(int) - coat(other)).mean() > 3
