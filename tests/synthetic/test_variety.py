"""People of the training crops: drawn brows, lids, proportions; jaw points evenly spaced."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from tvface.conventions.annotation import CORNERS, INSET, as_annotated
from tvface.synthetic.atlas import SKIN
from tvface.synthetic.hair.texture import procedural_texture
from tvface.synthetic.looks.skin import SkinPainter
from tvface.synthetic.people.traits import Traits, draw_traits
from tvface.synthetic.people.variety import draw_brows, vary
from tvface.synthetic.person import Person, Stage


@pytest.fixture(scope="module")
def traits() -> Traits:
    return dataclasses.replace(
        vary(draw_traits(3)), brow_density=1.0, brow_width=3.2, hair_style="bald", spectacles="", hat=""
    )


def test_jaw_points_are_even_on_both_sides_and_corners_lie_within_the_lids() -> None:
    rng = np.random.default_rng(0)
    angle = np.sort(rng.uniform(0, np.pi, 17))
    points = rng.normal(50, 20, (2, 68, 2)).astype(np.float32)
    points[:, :17] = 60 * np.stack([-np.cos(angle), np.sin(angle)], 1)
    annotated = as_annotated(points)
    corners = [near for near, _ in CORNERS]
    same = np.setdiff1d(np.arange(68), [*range(1, 8), *range(9, 16), *corners])
    np.testing.assert_array_equal(annotated[:, same], points[:, same])
    for first, last in ((0, 8), (8, 16)):
        steps = np.linalg.norm(np.diff(annotated[:, first : last + 1], axis=1), axis=2)
        assert steps.std() < 0.1 * steps.mean()  # straight steps between even arcs of a bent line
    assert np.linalg.norm(points[0, 1:8] - annotated[0, 1:8], axis=1).max() > 5
    for near, far in CORNERS:
        expected = (1 - INSET) * points[:, near] + INSET * points[:, far]
        np.testing.assert_allclose(annotated[:, near], expected, rtol=1e-5)


def test_brows_bind_to_the_skin_where_they_are_drawn(stage: Stage, painter: SkinPainter) -> None:
    places = draw_brows(np.random.default_rng(4))
    faces, weights = painter.bind(stage.head.faces, places)
    on_skin = np.einsum("nij,ni->nj", stage.atlas.vertices[stage.head.faces[faces]], weights)
    np.testing.assert_allclose(on_skin[:, :2], places, atol=1e-3)
    assert weights.min() > -0.5 and (on_skin[:, 2] > 50).all()


def test_painted_brows_lie_around_their_points(stage: Stage, painter: SkinPainter, traits: Traits) -> None:
    atlas = stage.atlas
    opacity = painter.brows(traits, np.random.default_rng(1))
    points = np.array(traits.brows)
    for side, line in ((-1, points[:5]), (1, points[5:])):
        shown = (opacity > 0.4) & (atlas.part == SKIN) & (np.sign(atlas.position[:, :, 0]) == side)
        x, y = atlas.position[shown][:, 0], atlas.position[shown][:, 1]
        assert x.min() == pytest.approx(line[:, 0].min(), abs=3) and x.max() == pytest.approx(line[:, 0].max(), abs=3)
        for px, py in line[1:4]:
            assert y[np.abs(x - px) < 2].mean() == pytest.approx(py, abs=1.2)


def test_points_of_drawn_brows_follow_the_posed_person(stage: Stage, painter: SkinPainter, traits: Traits) -> None:
    texture = procedural_texture(painter, stage.head.faces, 3, traits)
    bare = dataclasses.replace(texture, brows=None)
    arguments = np.zeros(50), np.zeros(15), np.array([0, 0, -1.0])
    drawn, common = (Person(stage, np.zeros(1), t).place(*arguments).landmarks for t in (texture, bare))
    moved = np.linalg.norm(drawn - common, axis=1)
    assert moved[17:27].max() > 1e-3 and not moved[:17].any() and not moved[27:].any()
    millimetres = (drawn[17:27] - (0, 0, -1.0)) * 1000 - stage.atlas.origin
    np.testing.assert_allclose(millimetres[:, :2], np.array(traits.brows), atol=0.01)


def test_lids_and_make_up_change_the_eyes_surroundings_only(stage: Stage, painter: SkinPainter, traits: Traits) -> None:
    loud = dataclasses.replace(traits, crease=0.5, liner=2.0, wing=5.0, lash_length=4.0, smoke=0.5, liner_below=1.0)
    quiet = dataclasses.replace(loud, crease=0.0, liner=0.0, lash_length=0.0, smoke=0.0, liner_below=0.0)
    difference = np.abs(painter.paint(loud)[0] - painter.paint(quiet)[0]).max(2)
    changed = difference > 0.05
    assert changed.sum() > 500
    place = np.abs(stage.atlas.position[changed])
    eye = stage.atlas.landmarks[42:48].mean(0)
    assert np.abs(place[:, 0] - eye[0]).max() < 32 and np.abs(place[:, 1] - eye[1]).max() < 22
    assert (stage.atlas.part[changed] == SKIN).all()


def test_equal_looks_are_varied_equally() -> None:
    plain = draw_traits(3)
    assert not plain.brows and not plain.crease and not plain.liner and not plain.lash_length
    assert vary(plain) == vary(plain) != vary(draw_traits(4))


def test_drawn_brows_have_the_proportions_of_300w() -> None:
    """Its mean shape: inner ends .26, outer ends 1.33 outer eye distances apart (86 mm as annotated)."""
    rng = np.random.default_rng(0)
    brows = np.stack([draw_brows(rng) for _ in range(2000)])
    apart = [float((brows[:, right, 0] - brows[:, left, 0]).mean()) / 86 for left, right in ((4, 5), (0, 9))]
    assert apart == pytest.approx([0.27, 1.31], abs=0.03)
