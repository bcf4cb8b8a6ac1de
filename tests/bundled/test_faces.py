"""The training faces: cut as the pipeline cuts them, people apart from the show's, the same bytes for the same seed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.bundled.test_people import plain
from tvface.bundled import faces
from tvface.bundled.faces import FACES, SIZE, TAKES, FaceMaker, detected, draw_person, five_points, make
from tvface.conventions.similarity import similarity
from tvface.embedders.crops import TEMPLATE
from tvface.head import human
from tvface.head.data import HeadData
from tvface.settings.model import Head
from tvface.synthetic.people.traits import HAIR_COLOURS


@pytest.fixture(scope="module")
def head() -> HeadData:
    return human.build(Head())


@pytest.fixture(scope="module")
def maker(head: HeadData) -> FaceMaker:
    return FaceMaker(head)


def test_a_shard_is_a_function_of_its_seed(head: HeadData) -> None:
    first, second = make(head, 2, 5), make(head, 2, 5)
    assert first.images.shape == (2 * TAKES * FACES, SIZE, SIZE, 3) and first.images.dtype == np.uint8
    assert np.array_equal(first.images, second.images)
    assert first.person.tolist() == [0] * (TAKES * FACES) + [1] * (TAKES * FACES)
    assert first.take.tolist() == np.repeat(np.arange(TAKES), FACES).tolist() * 2
    assert first.images.reshape(len(first), -1).std(1).min() > 2, "every crop shows something"
    assert not np.array_equal(first.images[0], first.images[1])


def test_the_face_lies_where_the_embedders_expect_it(maker: FaceMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the detector's and the camera's errors off, the five points fall on the template."""
    seen = []
    monkeypatch.setattr(faces, "detected", lambda five, rng: seen.append(five) or five)
    rng = np.random.default_rng(2)
    person, _ = maker.people(draw_person(maker.population, None, rng))
    maker.take(person, rng)
    sides = []
    for five in seen:
        transform = similarity(five, TEMPLATE)
        landed = five @ transform[:, :2].T + transform[:, 2]
        assert np.linalg.norm(landed - TEMPLATE, axis=1).mean() < 14, "a turned face fits less well, not worse"
        sides.append(np.sqrt(np.linalg.det(transform[:, :2])))
    assert len(seen) == FACES and min(sides) > 0.6 and max(sides) < 4


def test_a_detectors_errors_are_small_and_centred() -> None:
    rng = np.random.default_rng(0)
    five = TEMPLATE.astype(float) * 0.5 + 30
    eyes = five[1, 0] - five[0, 0]
    errors = (np.stack([detected(five, rng) for _ in range(800)]) - five) / eyes
    assert np.abs(errors.mean(0)).max() < 0.01
    assert 0.035 < errors.std(0).mean() < 0.07, "as MTCNN's on the embedded show"


def test_five_points_are_those_of_the_detector() -> None:
    points = np.zeros((68, 2))
    points[36:42], points[42:48], points[30], points[48], points[54] = (1, 2), (3, 4), (5, 6), (7, 8), (9, 10)
    assert five_points(points).ravel().tolist() == list(range(1, 11))


def test_looks_change_clothes_but_not_the_face(maker: FaceMaker) -> None:
    rng = np.random.default_rng(1)
    changed = set()
    for _ in range(30):
        identity = draw_person(maker.population, None, rng)
        first, second = (dataclasses.asdict(look) for look in identity.looks)
        different = {name for name in first if first[name] != second[name]}
        assert not different & {"seed", "skin", "hair_colour", "hair_style", "brows", "brow_colour", "beard", "iris"}
        assert "cloth" in different and second["spectacles"] != "sun" and second["hat"] == ""
        changed |= different
    assert {"spectacles", "stubble"} <= changed


def test_a_double_shares_hair_and_skin_only(maker: FaceMaker) -> None:
    rng = np.random.default_rng(3)
    one = draw_person(maker.population, None, rng)
    double = draw_person(maker.population, one, rng)
    mine, theirs = one.looks[0], double.looks[0]
    assert (mine.skin, mine.hair_colour, mine.hair_style) == (theirs.skin, theirs.hair_colour, theirs.hair_style)
    assert mine.seed != theirs.seed and np.abs(one.shape - double.shape).max() > 0.5
    assert HAIR_COLOURS.shape[1] == len(theirs.hair_colour)


def test_a_stopped_run_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Existing shards are kept; the missing ones are written."""
    monkeypatch.setattr(faces, "write_head", lambda folder: None)
    monkeypatch.setattr(faces.HeadData, "load", lambda path: None)
    monkeypatch.setattr(faces, "make", lambda head, count, seed, per_take: plain(count, size=seed % 7 + 1))
    written = list(faces.write(tmp_path, people=3, seed=0, processes=1, per_shard=2))
    assert [path.name for path in written] == ["people_0000.npz", "people_0001.npz"]
    first = written[0].stat().st_mtime_ns
    whole = np.load(written[1])["images"]
    written[1].unlink()
    assert list(faces.write(tmp_path, people=3, seed=0, processes=1, per_shard=2)) == written
    assert written[0].stat().st_mtime_ns == first
    assert np.array_equal(np.load(written[1])["images"], whole) and len(whole) == 4, "the last person alone"
    assert np.load(written[0])["images"].shape[1] != whole.shape[1], "every shard has its own seed"
