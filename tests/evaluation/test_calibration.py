"""Thresholds of identity from footage that labels itself."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tvface.embedders.base import unit
from tvface.evaluation.calibration import Calibration, Known, choose, stays
from tvface.mining.decisions import read_decisions

SIZE = 64


def box(x: float, side: float = 80) -> list[float]:
    return [x, 40, x + side, 40 + side]


def faces_of(person: int, count: int, spread: float = 0.02) -> np.ndarray:
    """Unit vectors about the person's axis, so that two people are about 1.41 apart."""
    rng = np.random.default_rng(person)
    return unit(np.eye(SIZE)[person] + spread * rng.normal(size=(count, SIZE)))


def test_a_stay_ends_with_shot_hole_jump_and_doubt() -> None:
    frame = np.array([0, 1, 1, 2, 2, 3, 5, 6, 7])
    shot = np.array([0, 0, 0, 0, 0, 0, 0, 1, 1])
    boxes = np.array(
        [box(0), box(8), box(300), box(16), box(290), box(24), box(24), box(24), box(200)],
    )
    #                 0  1  other  2  other  3  hole  shot  jump
    assert stays(frame, shot, boxes).tolist() == [0, 0, 1, 0, 1, 0, 2, 3, 4]
    # Somebody walks through: while two boxes touch one, nobody is followed.
    crossing = np.array([box(0), box(0), box(30), box(5)])
    assert stays(np.array([0, 1, 1, 2]), np.zeros(4, int), crossing).tolist() == [0, 1, 2, 3]
    assert stays(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4))).tolist() == []


def test_a_threshold_lies_between_kinds_that_lie_apart_and_keeps_two_people_apart_where_they_overlap() -> None:
    apart = Known([np.linspace(0.1, 0.3, 50)], [np.linspace(0.9, 1.3, 200)])
    choice = choose(apart, now=0.35, false_accepts=0.01)
    assert 0.55 < choice.suggested < 0.65 and choice.accepted == (1, 1) and choice.false == (0, 0)
    assert choice.figures.area == 1
    overlapping = Known([np.linspace(0, 1, 101)], [np.linspace(0.5, 1.5, 1001)])
    choice = choose(overlapping, now=1.0, false_accepts=0.1)
    assert choice.suggested == pytest.approx(0.6, abs=0.002)
    assert choice.false == pytest.approx((0.5, 0.1), abs=0.002)
    assert choice.accepted == pytest.approx((1, 0.6), abs=0.011)


def test_few_pairs_of_two_people_let_none_of_them_pass() -> None:
    choice = choose(Known([np.array([0.2, 0.9])], [np.array([0.5, 0.8, 1.0])]), now=0.5, false_accepts=0.01)
    assert choice.suggested < 0.5 and choice.false[1] == 0 and choice.false[0] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="both are needed"):
        choose(Known([np.array([0.2])], []), now=0.5, false_accepts=0.01)


def two_beside_each_other(frames: int = 8) -> tuple[np.ndarray, ...]:
    frame = np.repeat(np.arange(frames), 2)
    boxes = np.array([place for k in range(frames) for place in (box(2 * k), box(300 - 2 * k))])
    embeddings = np.stack([faces_of(0, frames), faces_of(1, frames)], 1).reshape(-1, SIZE)
    return frame, np.zeros(2 * frames, int), boxes, embeddings


def test_people_of_one_frame_are_two_and_who_stays_is_one() -> None:
    calibration = Calibration(min_faces=3, seed=0)
    calibration.add("show", *two_beside_each_other())
    counts = {name: tuple(map(len, getattr(calibration, name).arrays())) for name in ("tracks", "people", "pairs")}
    # 7 faces after the first of each stay, 2 halves, 28 pairs of which 28 are drawn; and 8 frames with two faces.
    assert counts == {"tracks": (14, 14), "people": (2, 1), "pairs": (56, 8)}
    for name in counts:
        same, different = getattr(calibration, name).arrays()
        assert same.max() < 0.6 and different.min() > 1.2
    # The threshold of a track judges a face against the mean of the faces before it.
    embeddings = two_beside_each_other()[3][::2]
    expected = [np.linalg.norm(embeddings[k] - unit(embeddings[:k].mean(0))) for k in range(1, 8)]
    assert np.allclose(calibration.tracks.arrays()[0][:7], expected, atol=1e-6)


def test_shows_share_nobody() -> None:
    calibration = Calibration(min_faces=3, seed=0)
    for show, person in (("a", 2), ("b", 3), ("c", 4)):
        frame = np.arange(4)
        calibration.add(show, frame, np.zeros(4, int), np.array([box(0)] * 4), faces_of(person, 4))
    assert not len(calibration.people.arrays()[1])
    calibration.add_shows()
    different = calibration.people.arrays()[1]
    assert len(different) == 3 and different.min() > 1.2


def test_decisions_label_tracks_and_chain(tmp_path: Path) -> None:
    path = tmp_path / "show.tsv"
    path.write_text(
        "same\te1:0\te2:0\nsame\te2:0\te3:0\nname\te1:0\tAda\nname\te2:5\tBob\nname\te3:5\tBob\n"
        "apart\te3:0\te3:7\ndrop\te3:9\n",
        encoding="utf-8",
    )
    decided = read_decisions(path)
    who = {("e1", 0): 0, ("e2", 0): 0, ("e3", 0): 0, ("e2", 5): 1, ("e3", 5): 1, ("e3", 7): 2}
    assert decided.tracks() == set(who), "dropped tracks tell nothing"
    calibration = Calibration(min_faces=3, seed=0)
    calibration.add_decisions(decided, {track: faces_of(person, 1)[0] for track, person in who.items()})
    same, different = calibration.people.arrays()
    # Ada thrice and Bob twice: 3 + 1 pairs. Ada and Bob: 3 x 2; Ada and the stranger: 3. Bob and he: nobody knows.
    assert len(same) == 4 and len(different) == 9
    assert same.max() < 1e-6 and different.min() > 1.2
    calibration.add_decisions(read_decisions(_empty(tmp_path)), {})
    assert len(calibration.people.arrays()[0]) == 4


def _empty(folder: Path) -> Path:
    path = folder / "empty.tsv"
    path.write_text("# nothing yet\n", encoding="utf-8")
    return path
