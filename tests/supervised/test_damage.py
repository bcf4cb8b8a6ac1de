"""Damage of frames: each kind does what it says, training has all patterns."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from tvface.supervised.damage import KINDS, damaged, grained, plan, recoloured, spoilt
from tvface.supervised.shots import Shots


@pytest.fixture(scope="module")
def picture(some: Shots) -> np.ndarray:
    return np.asarray(some.take(0, 0, 1)["clean"][0])


@pytest.fixture(scope="module")
def points(some: Shots) -> np.ndarray:
    return np.asarray(some.take(0, 0, 1)["points"][0])


def sharpness(image: np.ndarray) -> float:
    return float(cv2.Laplacian(image, cv2.CV_64F).var())


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind(kind: str, picture: np.ndarray, points: np.ndarray) -> None:
    for seed in range(5):
        image = damaged(picture, points, kind, np.random.default_rng(seed))  # type: ignore[arg-type]
        assert image.shape == picture.shape and image.dtype == np.uint8
        if kind in ("blur", "coarse"):
            assert sharpness(image) < 0.5 * sharpness(picture)
            assert image.mean() == pytest.approx(picture.mean(), rel=0.15)
        elif kind == "dark":
            assert image.mean() < 0.25 * picture.mean() + 5
        else:
            place = np.clip(np.round(points), 0, 63).astype(int)
            changed = np.abs(image.astype(int) - picture).max(-1)[place[:, 1], place[:, 0]] > 2
            assert 0.2 < changed.mean() < 0.9
        weaker = spoilt(picture, points, picture[::-1], kind, np.random.default_rng(seed))  # type: ignore[arg-type]
        assert weaker.shape == picture.shape and (weaker != picture).any()


def test_the_same_seed_gives_the_same_damage(picture: np.ndarray, points: np.ndarray) -> None:
    first, again, other = (damaged(picture, points, "occluder", np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_plans_have_single_frames_runs_whole_windows_and_none() -> None:
    rng = np.random.default_rng(0)
    drawn = [plan(5, rng) for _ in range(400)]
    counts = np.array([sum(kind is not None for kind in kinds) for kinds in drawn])
    assert (counts == 0).mean() == pytest.approx(0.165, abs=0.05)
    whole = [kinds for kinds in drawn if None not in kinds]
    assert any(len(set(kinds)) == 1 for kinds in whole) and any(len(set(kinds)) > 1 for kinds in whole)
    assert {kind for kinds in drawn for kind in kinds} == {None, *KINDS}
    assert all(len(plan(length, rng)) == length for length in (1, 2, 10))


def test_a_cast_is_the_windows_and_grain_the_frames(picture: np.ndarray) -> None:
    first, second = recoloured([picture, picture], np.random.default_rng(3))
    assert np.array_equal(first, second) and (first != picture).any()
    rng = np.random.default_rng(4)
    noisy = [grained(picture, 0.02, None, rng) for _ in range(2)]
    assert not np.array_equal(*noisy)
    assert np.abs(noisy[0].astype(float) - picture).std() == pytest.approx(0.02 * 255 * 0.6, rel=0.2)
    assert np.abs(grained(picture, 0.0, 30, rng).astype(float) - picture).mean() > 1
