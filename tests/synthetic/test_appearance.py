"""Procedural skins, light and backgrounds."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.synthetic.lights import flat_light
from tvface.synthetic.atlas import LEFT_EYE, MOUTH, RIGHT_EYE, SKIN
from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.people.traits import HAIR_STYLES, draw_traits
from tvface.synthetic.person import Stage
from tvface.synthetic.places.backgrounds import PICTURES, picture, random_background
from tvface.synthetic.render.light import SH_FACTORS, directional_light, expose, sh_light


def shade(light: np.ndarray, normal: np.ndarray) -> np.ndarray:
    x, y, z = normal
    basis = np.array([1, x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]) * SH_FACTORS
    return np.asarray(basis @ light)


def test_atlas_places_texels_on_the_head(stage: Stage) -> None:
    atlas = stage.atlas
    skin = atlas.position[atlas.part == SKIN]
    assert 70 < np.abs(skin[:, 0]).max() < 110
    assert skin[:, 2].max() == pytest.approx(110.7, abs=2.0)  # the tip of the nose
    for part, side in ((RIGHT_EYE, -1), (LEFT_EYE, 1)):
        assert (np.sign(atlas.position[atlas.part == part][:, 0]) == side).all()
    assert set(np.unique(atlas.labels[atlas.part == MOUTH])) == {11}
    # neighbouring texels of the face lie close together
    filled = (atlas.part[:, 1:] == SKIN) & (atlas.part[:, :-1] == SKIN) & (np.abs(atlas.theta[:, 1:]) < 60)
    step = np.linalg.norm(np.diff(atlas.position, axis=1), axis=2)[filled]
    assert np.percentile(step, 99) < 2.5


def test_equal_seeds_give_equal_people_and_others_differ(stage: Stage, painter: SkinPainter) -> None:
    first = procedural_texture(painter, stage.head.faces, 5)
    again = procedural_texture(painter, stage.head.faces, 5)
    other = procedural_texture(painter, stage.head.faces, 6)
    np.testing.assert_array_equal(first.colour, again.colour)
    np.testing.assert_array_equal(first.labels, again.labels)
    assert first.traits == again.traits
    assert np.abs(first.colour.astype(int) - other.colour).mean() > 5


def test_skin_paints_the_features_where_they_are(stage: Stage, painter: SkinPainter) -> None:
    atlas = stage.atlas
    plain = dataclasses.replace(
        draw_traits(1),
        skin=(0.8, 0.6, 0.5),
        darkness=0.2,
        brow_colour=(0.05, 0.05, 0.05),
        brow_density=1.0,
        lip_colour=(0.7, 0.1, 0.1),
        lip_mix=0.9,
        beard=0.0,
        stubble=0.0,
        moustache=0.0,
        freckles=0.0,
    )
    colour, labels = painter.paint(plain)

    def at(point: np.ndarray, radius: float = 1.8) -> np.ndarray:
        near = (np.linalg.norm(atlas.position[:, :, :2] - point[:2], axis=2) < radius) & (atlas.part == SKIN)
        return np.asarray(colour[near & (np.abs(atlas.theta) < 80)].mean(0))

    points = atlas.landmarks
    cheek = at(np.array([40.0, -45.0]))
    assert at(points[19]).mean() < 0.6 * cheek.mean()  # a brow is dark
    lip = at(points[57] + np.array([0, 3.0, 0]))
    assert lip[0] - lip[1] > 2 * (cheek[0] - cheek[1])  # a lip is red
    assert set(np.unique(labels)) <= set(range(19))
    brow = (labels == 2) | (labels == 3)
    assert np.abs(atlas.position[brow][:, 1] - points[17:27, 1].mean()).max() < 15


def test_hair_styles_cover_what_they_should(stage: Stage, painter: SkinPainter) -> None:
    covered = {}
    for seed in range(40):
        traits = draw_traits(seed)
        if traits.hair_style not in covered:
            texture = procedural_texture(painter, stage.head.faces, seed)
            covered[traits.hair_style] = float((texture.labels == 17).mean())
            assert (texture.scalp >= 0).all()
    assert len(covered) >= 4 and set(covered) <= set(HAIR_STYLES)
    assert covered.pop("bald", 0.0) == 0.0
    assert min(covered.values()) > 0.1


def test_lamp_is_brightest_where_it_shines() -> None:
    light = directional_light(np.array([1.0, 0.0, 0.0]), 0.2, 0.8, np.ones(3), np.ones(3))
    lit, edge, away = (shade(light, np.array(n))[0] for n in ((1.0, 0, 0), (0, 0, 1.0), (-1.0, 0, 0)))
    assert lit == pytest.approx(0.2 + 0.8 * (0.25 + 0.5 + 5 / 32 * 2), rel=1e-5)
    assert lit > edge > 0.2 - 0.8 / 16 - 1e-6 and away == pytest.approx(0.2 + 0.8 * (0.25 - 0.5 + 5 / 16), rel=1e-4)
    turned = directional_light(np.array([1.0, 2.0, 2.0]), 0.0, 1.0, np.ones(3), np.ones(3))
    assert shade(turned, np.array([1, 2, 2]) / 3)[1] == pytest.approx(0.25 + 0.5 + 5 / 16, rel=1e-5)


def test_exposure_brings_skin_to_the_target_within_its_limits() -> None:
    skin = np.array([0.8, 0.6, 0.5])
    exposed = expose(flat_light(), skin, 0.5)
    normals = ((0, 0, 1), (0.6, 0, 0.8), (-0.6, 0, 0.8), (0, 0.6, 0.8), (0, -0.6, 0.8))
    mean = np.mean([shade(exposed, np.array(n)) @ skin / 3 for n in normals])
    assert mean == pytest.approx(0.5, rel=1e-4)
    np.testing.assert_allclose(expose(flat_light(), skin * 0.01, 0.5), flat_light() * 2.4, rtol=1e-5)
    assert sh_light(np.ones(9)).shape == (9, 3)


def test_backgrounds_are_deterministic_and_licensed() -> None:
    assert all(licence in ("CC0", "public domain") for _, licence, _ in PICTURES)
    names = [name for name, _, _ in PICTURES]
    assert not {"astronaut", "camera", "chelsea", "coins", "cat"} & set(names)
    for name in names:
        assert picture(name).dtype == np.uint8 and picture(name).shape[2] == 3
    with pytest.raises(KeyError, match="valid: coffee"):
        picture("astronaut")
    for seed in range(6):
        one, two = (random_background(40, 24, np.random.default_rng(seed)) for _ in range(2))
        assert one.shape == (24, 40, 3) and one.dtype == np.uint8
        np.testing.assert_array_equal(one, two)
