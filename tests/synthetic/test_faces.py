"""Skin by pigments, hairs one by one, wet eyes, and highlights that follow the lamp."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.synthetic.lights import flat_light
from tvface.synthetic.atlas import LEFT_EYE, SKIN
from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.looks.frontal import Frontal
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.looks.strands_numba import curves, grow, spots, tint
from tvface.synthetic.people.pigments import DYES, NoiseBank, absorbed
from tvface.synthetic.people.population import Nature
from tvface.synthetic.people.traits import LIPSTICKS, Traits, draw_traits
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.render.gleam import gleam
from tvface.synthetic.render.light import SH_FACTORS, directional_light
from tvface.synthetic.render.scene import Camera, render_scene
from tvface.synthetic.render.surfaces import Posed

ONE = np.ones(3)
MAN = Nature(male=1.0, age=35.0, african=0.0, asian=0.0, caucasian=1.0)


@pytest.fixture(scope="module")
def man() -> Traits:
    plain = {"freckles": 0.0, "moles": 0, "blemishes": 0, "stubble": 0.0, "beard": 0.0, "moustache": 0.0}
    looks = dataclasses.replace(draw_traits(7, MAN), **plain)  # type: ignore[arg-type]
    return dataclasses.replace(
        looks, hair_style="bald", hat="", spectacles="", skin=(0.88, 0.69, 0.57), beard_style="full"
    )


def test_skins_have_the_hues_of_people_and_agree_with_the_origin() -> None:
    skins = {}
    for name in ("african", "asian", "caucasian"):
        nature = Nature(**{"male": 0.0, "age": 40.0, "african": 0.0, "asian": 0.0, "caucasian": 0.0, name: 1.0})
        skins[name] = np.array([draw_traits(seed, nature).skin for seed in range(80)])
    everyone = np.concatenate(list(skins.values()))
    green, blue = everyone[:, 1] / everyone[:, 0], everyone[:, 2] / everyone[:, 0]
    # Measured on photographs: .58 .. .85 and .35 .. .76.
    assert green.min() > 0.55 and green.max() < 0.86 and blue.min() > 0.35 and blue.max() < 0.78
    assert (everyone[:, 1] > everyone[:, 2]).all()
    assert (
        skins["african"].mean() < 0.6 * skins["caucasian"].mean() and skins["asian"].mean() < skins["caucasian"].mean()
    )


def test_bare_lips_are_redder_than_the_skin_and_only_women_wear_lipstick() -> None:
    everyone = [draw_traits(seed) for seed in range(120)]
    painted = [traits for traits in everyone if traits.lipstick]
    assert 0.1 < len(painted) / len(everyone) < 0.35 and not any(traits.nature.man for traits in painted)
    for traits in everyone:
        if not traits.lipstick:
            skin, lip = np.array(traits.skin), np.array(traits.lip_colour)
            assert (lip < skin).all() and lip[1] / lip[0] < 0.92 * skin[1] / skin[0]
    assert len(LIPSTICKS) > 2


def test_pigments_absorb_as_the_exponential_does() -> None:
    base = np.array([0.8, 0.6, 0.5], np.float32)
    amounts = np.zeros((4, 1, 50), np.float32)
    amounts[1, 0] = np.linspace(-0.3, 0.8, 50)
    noise = np.full((1, 1, 50), 0.5, np.float32)
    colour = np.empty((1, 50, 3), np.float32)
    tint(base, DYES, amounts, noise, np.full((1, 3), 0.2, np.float32), colour)
    expected = [absorbed(base, blood=float(amount)) * np.exp(-0.1) for amount in amounts[1, 0]]
    np.testing.assert_allclose(colour[0], expected, rtol=0.012)
    bank = NoiseBank(64, {"large": (3.0, 20.0), "small": (0.5, 2.0)})
    drawn = bank.draw(np.random.default_rng(0))
    assert drawn.shape == (2, 64, 64) and np.abs(drawn.mean((1, 2))).max() < 1e-3
    np.testing.assert_allclose(drawn.std((1, 2)), 1, atol=0.35)
    # It has no seam: the step from the last to the first row is like any other.
    seam = np.abs(drawn[0][0] - drawn[0][-1]).mean()
    assert seam < 1.6 * np.abs(np.diff(drawn[0], axis=0)).mean()


def test_a_hair_covers_its_length_times_its_width_and_follows_the_field() -> None:
    canvas = np.zeros((40, 40, 2), np.float32)
    hair = np.array([[(10, 5), (10, 15), (10, 25)]], np.float32)
    curves(canvas, hair, np.float32([0.1]), np.float32([0.7]))
    assert canvas[:, :, 0].sum() == pytest.approx(20 * 0.1 * 0.65, rel=0.05)  # it tapers by 70 %
    np.testing.assert_allclose(canvas[:, :, 1].sum() / canvas[:, :, 0].sum(), 0.7, rtol=1e-4)
    assert not canvas[:, :9].any() and not canvas[:, 12:].any() and not canvas[28:].any()
    field = np.zeros((40, 40, 2), np.float32)
    field[:20, :, 1] = 1.0
    grown = np.zeros((40, 40, 2), np.float32)
    one = np.ones(1, np.float32)
    grow(grown, np.float32([[30, 4]]), field, 0 * one, 30 * one, 0.3 * one, one)
    rows, columns = np.nonzero(grown[:, :, 0])
    assert set(columns) == {30} and rows.min() == 4 and rows.max() in (20, 21)  # it stops where the field ends
    dots = np.zeros((20, 20), np.float32)
    spots(dots, np.array([[10.0, 6.0]]), np.array([2.0]), np.array([0.5]))
    assert dots[6, 10] == pytest.approx(0.5) and dots[6, 15] == 0 and dots[14].max() == 0


def test_a_canvas_over_part_of_the_face_is_sampled_like_the_whole_one(stage: Stage) -> None:
    whole, part = Frontal(stage.atlas), Frontal(stage.atlas, (-50.0, 25.0, 100.0, 40.0))
    line = np.array([(-30.0, 10.0), (30.0, 4.0)])
    pictures = []
    for frontal, window in ((whole, None), (part, part.window())):
        canvas = frontal.empty()
        frontal.stroke(canvas, line, 3.0)
        texels = np.zeros((stage.atlas.size, stage.atlas.size), np.float32)
        texels[window or slice(None)] = frontal.to_texture(frontal.soften(canvas, 0.5), window)
        pictures.append(texels)
    assert pictures[0].max() > 0.9
    np.testing.assert_allclose(*pictures, atol=0.12)


def luminance(painter: SkinPainter, traits: Traits) -> np.ndarray:
    return painter.paint(traits)[0].mean(2)


def test_beards_grow_where_their_style_says_and_leave_the_lips_free(
    stage: Stage, painter: SkinPainter, man: Traits
) -> None:
    atlas, points = stage.atlas, stage.atlas.landmarks
    shaven = luminance(painter, man)

    def darkened(place: np.ndarray, **looks: object) -> float:
        near = (np.linalg.norm(atlas.position[:, :, :2] - place[:2], axis=2) < 4) & (atlas.part == SKIN)
        near &= np.abs(atlas.theta) < 80
        bearded = luminance(painter, dataclasses.replace(man, hair_colour=(0.1, 0.07, 0.05), **looks))  # type: ignore[arg-type]
        return float(1 - bearded[near].mean() / shaven[near].mean())

    chin, cheek = points[8] + (0, 6, 0), points[54] + (12, -9, 0)
    brow, lip = points[19] + (0, 25, 0), points[57] + (0, 4, 0)
    full: dict[str, object] = {"beard": 1.0, "moustache": 1.0}
    assert darkened(chin, **full) > 0.4 and darkened(cheek, **full) > 0.3
    assert abs(darkened(brow, **full)) < 0.05 and darkened(lip, **full) < 0.2
    assert darkened(chin, **full, beard_style="goatee") > 0.35 and darkened(cheek, **full, beard_style="goatee") < 0.2
    assert 0.03 < darkened(chin, stubble=0.7) < darkened(chin, **full)
    old = dataclasses.replace(man.nature, age=78.0)
    assert darkened(chin, **full, nature=old) < darkened(chin, **full) - 0.1


def test_brows_fade_at_their_ends_and_blond_ones_keep_their_class(painter: SkinPainter, man: Traits) -> None:
    dark, blond = (
        dataclasses.replace(man, brow_colour=colour, brow_density=0.8) for colour in ((0.1, 0.1, 0.1), (0.7, 0.5, 0.4))
    )
    labels = [painter.paint(traits)[1] for traits in (dark, blond)]
    np.testing.assert_array_equal(*labels)
    assert (labels[0] == 2).sum() > 100 and (labels[0] == 3).sum() > 100
    position, opacity = painter.atlas.position, painter.brows(dark, np.random.default_rng(0))
    along, points = position[:, :, 0], painter.atlas.landmarks
    inner, outer = points[22, 0], points[26, 0]
    thickness = [
        float(opacity[(along > inner + (outer - inner) * a) & (along < inner + (outer - inner) * b)].sum())
        for a, b in ((-0.05, 0.05), (0.3, 0.4), (0.95, 1.05))
    ]
    assert thickness[0] < 0.8 * thickness[1] and thickness[2] < 0.9 * thickness[1]


def test_eyes_have_a_shaded_white_a_dark_rim_and_a_pink_corner(stage: Stage, painter: SkinPainter, man: Traits) -> None:
    atlas = stage.atlas
    blue = dataclasses.replace(man, iris=(0.35, 0.42, 0.5))
    colour = painter.paint(blue)[0]
    ball = atlas.part == LEFT_EYE
    offset = atlas.position - atlas.eye_centres[1]
    away = np.where(ball & (offset[:, :, 2] > 0), np.hypot(offset[:, :, 0], offset[:, :, 1]), 99)
    middle = np.abs(offset[:, :, 1]) < 2.5

    def ring(low: float, high: float) -> float:
        return float(colour[(away > low) & (away < high) & middle].mean())

    pupil, iris, white = ring(0, 1.2), ring(2.8, 4.0), ring(7.0, 9.0)
    assert pupil < 0.3 * iris and ring(5.0, 5.6) < white and iris < white < 0.8
    lid = colour[(away > 5.5) & (away < 9) & (offset[:, :, 1] > 4.5)].mean()
    assert lid < 0.75 * white  # the lid's shadow
    corner = ball & (np.linalg.norm(atlas.position - atlas.landmarks[42], axis=2) < 3.5)
    if corner.any():
        assert colour[corner][:, 1].mean() / colour[corner][:, 0].mean() < 0.85


def posed(stage: Stage, painter: SkinPainter, traits: Traits) -> Posed:
    person = Person(stage, np.zeros(1), procedural_texture(painter, stage.head.faces, 2, traits))
    return person.place(np.zeros(50), np.zeros(15), np.array([0, 0, -1.0]))


def test_the_lamp_of_a_light_is_recovered() -> None:
    direction = np.array([0.3, 0.5, 0.8]) / np.linalg.norm([0.3, 0.5, 0.8])
    light = directional_light(direction, 0.4, 0.7, np.array([1.1, 1, 0.9]), ONE) * SH_FACTORS[:, None]
    lamp = gleam(light, np.array([0.0, 0.0, 2.0]))
    np.testing.assert_allclose(lamp.sun, direction, atol=1e-5)
    np.testing.assert_allclose(lamp.gain, 0.7 * np.array([1.1, 1, 0.9]), rtol=1e-5)
    np.testing.assert_allclose([lamp.side @ lamp.sun, lamp.top @ lamp.sun, lamp.side @ lamp.top], 0, atol=1e-6)
    assert np.isfinite(np.concatenate(gleam(flat_light() * 0, np.array([0, 0, 1.0])))).all()


def test_highlights_move_with_the_lamp_and_lie_on_skin_and_eyes_only(
    stage: Stage, painter: SkinPainter, man: Traits
) -> None:
    camera, background = Camera.central(700, 200, 200), np.zeros((200, 200, 3), np.uint8)
    oily, dry = (posed(stage, painter, dataclasses.replace(man, gloss=gloss)) for gloss in (1.4, 0.0))
    centres = []
    for side in (-1.0, 1.0):
        light = directional_light(np.array([0.8 * side, 0.3, 0.8]), 0.3, 0.6, ONE, ONE)
        shiny, plain = (render_scene([one], camera, light, background) for one in (oily, dry))
        np.testing.assert_array_equal(shiny.labels, plain.labels)
        gain = shiny.image.astype(float).sum(2) - plain.image.astype(float).sum(2)
        assert gain.min() >= -1 and gain.max() > 20 and gain[shiny.labels >= 15].mean() < 0.5
        centres.append((gain * np.arange(200)).sum() / gain.sum())
    assert centres[1] - centres[0] > 10


def test_red_light_spreads_into_the_shadow(stage: Stage, painter: SkinPainter, man: Traits) -> None:
    camera, background = Camera.central(700, 200, 200), np.zeros((200, 200, 3), np.uint8)
    light = directional_light(np.array([1.0, 0.2, 0.3]), 0.15, 0.8, ONE, ONE)
    person = posed(stage, painter, dataclasses.replace(man, gloss=0.0))
    hard = dataclasses.replace(
        person, surfaces=(dataclasses.replace(person.surfaces[0], sheen=None), *person.surfaces[1:])
    )
    living, dead = (render_scene([one], camera, light, background) for one in (person, hard))
    middle = int(living.points[0][30, 0])
    shadow = np.zeros((200, 200), bool)
    shadow[:, middle - 25 : middle - 8] = True
    shadow &= living.labels == 1

    def redness(picture: np.ndarray) -> float:
        return float(picture[shadow][:, 0].mean() / picture[shadow][:, 2].mean())

    assert redness(living.image) > 1.05 * redness(dead.image)
