"""Ribbons of hair: where they lie, what they are labelled, who wears which cut; transparent texels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tests.synthetic.lights import flat_light
from tvface.synthetic.hair import cards
from tvface.synthetic.hair.growth import CENTRE, Growth, grow
from tvface.synthetic.hair.texture import hair_colour, procedural_texture, scalp_opacity
from tvface.synthetic.looks.skin import HAIR, SkinPainter
from tvface.synthetic.people.haircuts import CUTS, wearer_shares
from tvface.synthetic.people.population import Nature
from tvface.synthetic.people.traits import HAIR_STYLES, Traits, draw_traits
from tvface.synthetic.person import Person, Stage
from tvface.synthetic.render import kernels
from tvface.synthetic.render.scene import Camera, Frame, render_scene


def with_cut(style: str, **changes: object) -> Traits:
    looks = dataclasses.replace(draw_traits(4), hair_style=style, hat="", spectacles="", hair_line=62.0)
    return dataclasses.replace(looks, **changes)  # type: ignore[arg-type]


def picture(stage: Stage, painter: SkinPainter, traits: Traits, yaw: float = 0.0) -> Frame:
    person = Person(stage, np.zeros(1), procedural_texture(painter, stage.head.faces, 4, traits))
    joints = np.zeros(15)
    joints[1] = np.radians(yaw)
    posed = person.place(np.zeros(1), joints, np.array([0, 0, -1.0]))
    return render_scene([posed], Camera.central(430, 180, 180), flat_light(), np.zeros((180, 180, 3), np.uint8))


@pytest.fixture(scope="module")
def growth(stage: Stage) -> Growth:
    return Growth(stage.scalp, stage.head.faces, stage.atlas.vertices, stage.normals(stage.template))


def test_samples_stay_with_the_probability_of_their_opacity() -> None:
    points = np.array([[-1, -1, 1], [900, -1, 1], [-1, 900, 1]], np.float32)
    faces, corners = np.array([[0, 1, 2]], np.int32), np.zeros((1, 3, 2), np.float32)
    for opacity in (0, 64, 128, 192, 255):
        face, near = np.full((400, 400), -1, np.int32), np.zeros((400, 400), np.float32)
        kernels.fill(points, faces, 7, face, near, corners, np.full((2, 2), opacity, np.uint8))
        assert (face >= 0).mean() == pytest.approx(opacity / 255, abs=0.01)
        assert ((near > 0) == (face == 7)).all()


def test_fill_covers_the_samples_that_lie_in_a_triangle() -> None:
    rng = np.random.default_rng(3)
    y, x = np.mgrid[:40, :60]
    for _ in range(300):
        corner = rng.uniform(-10, 60, (3, 2))
        if rng.random() < 0.3:
            corner = np.round(corner)  # samples on edges, level edges
        if rng.random() < 0.3:
            corner[1] = corner[0] + rng.normal(0, 2, 2)  # slivers
        points = np.concatenate([corner, np.ones((3, 1))], 1).astype(np.float32)
        face = np.full((40, 60), -1, np.int32)
        kernels.fill(points, np.array([[0, 1, 2]], np.int32), 0, face, np.zeros((40, 60), np.float32))
        (ax, ay), (bx, by), (cx, cy) = points[:, :2].astype(float)
        area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
        if abs(area) < 1e-6:
            continue
        first = ((bx - x) * (cy - y) - (by - y) * (cx - x)) / area
        second = ((cx - x) * (ay - y) - (cy - y) * (ax - x)) / area
        least = np.minimum(np.minimum(first, second), 1 - first - second)
        assert (face[least > 1e-4] == 0).all() and (face[least < -1e-4] == -1).all()


@pytest.mark.parametrize("style", [style for style, cut in CUTS.items() if cut.cards])
def test_ribbons_lie_outside_the_head_and_leave_the_eyes_free(
    stage: Stage, painter: SkinPainter, growth: Growth, style: str
) -> None:
    traits, cut = with_cut(style), CUTS[style]
    opacity = scalp_opacity(stage.atlas, traits, np.random.default_rng(1))
    labels = np.where(opacity > 0.5, HAIR, stage.atlas.labels).astype(np.uint8)
    part = grow(growth, cut, traits, labels)
    assert 300 < len(part.faces) <= 3000 and part.vertices.dtype == np.float32
    again = grow(growth, cut, traits, labels)
    np.testing.assert_array_equal(part.vertices, again.vertices)
    np.testing.assert_array_equal(part.colour, again.colour)
    middle = part.vertices.reshape(-1, 2, 3).mean(1)
    high = middle[middle[:, 1] > -40] - CENTRE
    far = np.linalg.norm(high, axis=1)
    assert (far > growth.surface(high / far[:, None]) - 2.0).mean() > 0.98  # beside the ears it is coarse
    assert set(np.unique(part.labels)) == {HAIR} and part.normals is not None
    np.testing.assert_allclose(np.linalg.norm(part.normals, axis=1), 1, atol=1e-3)
    face = (np.abs(middle[:, 0]) < 38) & (np.abs(middle[:, 1]) < 12) & (middle[:, 2] > 50)
    assert face.mean() < 0.01


def test_long_hair_hangs_to_the_shoulders_and_follows_them(stage: Stage, growth: Growth) -> None:
    traits = with_cut("long")
    opacity = scalp_opacity(stage.atlas, traits, np.random.default_rng(1))
    labels = np.where(opacity > 0.5, HAIR, 1).astype(np.uint8)
    long, short = (grow(growth, CUTS[style], traits, labels) for style in ("long", "short"))
    assert np.percentile(long.vertices[:, 1], 5) < -130 and np.percentile(short.vertices[:, 1], 5) > -120
    assert long.trunk[long.vertices[:, 1] < -175].min() > 0.5 and not long.trunk[long.vertices[:, 1] > -95].any()
    assert not short.trunk.any() or short.trunk.max() < 0.1


def test_hair_breaks_the_outline_and_covers_ears_as_the_cut_says(stage: Stage, painter: SkinPainter) -> None:
    area, ears = {}, {}
    for style in ("bald", "buzz", "short", "long", "afro"):
        frame = picture(stage, painter, with_cut(style), 40)
        area[style], ears[style] = (frame.labels == HAIR).sum(), np.isin(frame.labels, (7, 8)).sum()
    assert area["bald"] == 0 < area["buzz"] < area["short"] < area["long"] and area["afro"] > 1.2 * area["buzz"]
    assert ears["buzz"] > 20 and ears["long"] < 0.5 * ears["buzz"]


def test_points_of_the_face_stay_visible_below_the_hair(stage: Stage, painter: SkinPainter) -> None:
    for style in ("short", "side", "bob", "long", "bun"):
        frame = picture(stage, painter, with_cut(style))
        assert frame.visible[0, 17:].mean() > 0.9


def test_grey_hair_is_a_mix_of_white_and_dark_strands() -> None:
    traits = with_cut("short", hair_natural=(0.1, 0.07, 0.05), grey=0.5, highlights=0.0)
    colours = cards.strand_colours(traits, 400, np.random.default_rng(0)).mean(1)
    assert 0.4 < (colours > 0.45).mean() < 0.6 and (colours < 0.3).mean() > 0.35
    dark = cards.strand_colours(dataclasses.replace(traits, grey=0.0), 400, np.random.default_rng(0))
    assert dark.max() < 0.3 and dark.std(0).min() > 0.003


def test_scalp_is_grey_where_the_hair_is(stage: Stage) -> None:
    dark = with_cut("buzz", hair_natural=(0.1, 0.07, 0.05), grey=0.0)
    white = dataclasses.replace(dark, grey=1.0)
    one, other = (hair_colour(stage.atlas, t, np.random.default_rng(1)).mean() for t in (dark, white))
    assert other > 3 * one


def test_cuts_fit_sex_age_and_origin() -> None:
    names = list(CUTS)
    assert names == list(HAIR_STYLES)

    def shares(male: float, age: float, african: float) -> dict[str, float]:
        values = wearer_shares(Nature(male, age, african, 0.0, 1 - african))
        assert values.sum() == pytest.approx(1) and (values >= 0).all()
        return dict(zip(names, values, strict=True))

    young, old, woman = shares(1.0, 30, 0.0), shares(1.0, 75, 0.0), shares(0.0, 75, 0.0)
    assert old["rim"] > 0.15 and old["bald"] > young["bald"] and young["rim"] == woman["rim"] == 0
    assert woman["long"] > 5 * old["long"]
    for male in (0.0, 1.0):
        assert shares(male, 30, 1.0)["afro"] > 0.15 and shares(male, 30, 0.0)["afro"] == 0
