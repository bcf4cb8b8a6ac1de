"""The rules of sequence mining on hand-made tables."""

from dataclasses import replace

import numpy as np
import pytest

from tvface.mining.chains import Chain, capped, choose, contiguity
from tvface.mining.motion import lively, movement
from tvface.settings.data import Sequences

NEUTRAL = np.array([(-20, 0), (20, 0), (0, 22), (-15, 42), (15, 42)], float)


def talking(frames: list[int], move: float = 0.2, side: float = 90.0) -> Chain:
    """A face at the given frames whose mouth opens by ``move`` eye distances in every second one."""
    points = np.stack([NEUTRAL.copy() for _ in frames])
    points[1::2, 3:, 1] += move * 40
    count = len(frames)
    return Chain(
        np.array(frames), np.zeros(count, int), points, np.full(count, side), np.tile(np.eye(4)[0], (count, 1))
    )


def frames_of(chain: Chain, settings: Sequences | None = None, pair_distance: float = 1.0) -> list[list[int]]:
    return [chain.frame[taken].tolist() for taken in choose(chain, settings or Sequences(), pair_distance)[0]]


def test_ten_valid_frames_are_too_few_and_eleven_enough() -> None:
    assert choose(talking(list(range(10))), Sequences(), 1.0) == ([], ["short_track"] * 10)
    assert frames_of(talking(list(range(11)))) == [list(range(10))]
    assert frames_of(talking(list(range(10))), replace(Sequences(), min_frames=10)) == [list(range(10))]


def test_twenty_five_frames_make_two_disjoint_sequences() -> None:
    taken, reasons = choose(talking(list(range(25))), Sequences(), 1.0)
    assert [t.tolist() for t in taken] == [list(range(10)), list(range(10, 20))]
    assert reasons == ["used"] * 20 + ["remainder"] * 5


def test_a_gap_of_four_is_bridged_and_of_five_is_not() -> None:
    bridged = [*range(6), *range(9, 15)]
    assert frames_of(talking(bridged)) == [bridged[:10]]
    broken = [*range(6), *range(10, 16)]
    taken, reasons = choose(talking(broken), Sequences(), 1.0)
    assert taken == [] and reasons[:6] == ["gap"] * 6 and reasons[6:] == ["remainder"] * 6
    behind = [*range(6), *range(10, 21)]
    assert frames_of(talking(behind)) == [list(range(10, 20))]


def test_a_photograph_is_rejected_and_a_twitch_does_not_save_it() -> None:
    still = talking(list(range(20)), move=0)
    taken, reasons = choose(still, Sequences(), 1.0)
    assert taken == [] and reasons.count("still") == 11
    still.points[10:, 3:, 1] += 8  # one movement only
    assert frames_of(still) == []


def test_a_photograph_moved_by_the_camera_stays_still() -> None:
    panned = talking(list(range(12)), move=0)
    panned.points[:] += np.arange(12)[:, None, None] * 7.0
    assert frames_of(panned) == []


def test_an_identity_swap_is_not_joined() -> None:
    chain = talking(list(range(24)))
    chain.embedding[12:] = np.eye(4)[1]
    taken, _ = choose(chain, Sequences(), 1.0)
    assert [t.tolist() for t in taken] == [list(range(10)), list(range(12, 22))]
    middle = talking(list(range(12)))
    middle.embedding[5] = np.eye(4)[1]
    sequences, reasons = choose(middle, Sequences(), 1.0)
    assert sequences[0].tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10] and reasons[5] == "pair_distance"


def test_a_fast_zoom_and_a_jump_are_passed_over() -> None:
    zoom = talking(list(range(12)))
    zoom.side[4] *= 1.6
    assert choose(zoom, Sequences(), 1.0)[1][4] == "zoom"
    jump = talking(list(range(12)))
    jump.points[4] = NEUTRAL @ np.array([[-1, 0], [0, -1]])  # upside down
    sequences, reasons = choose(jump, Sequences(), 1.0)
    assert reasons[4] == "too_fast" and 4 not in sequences[0]


def test_shots_are_crossed_only_in_relaxed_mode_and_at_most_twice() -> None:
    chain = talking([*range(4), *range(20, 24), *range(40, 44)])
    chain.shot[4:8], chain.shot[8:] = 1, 2
    relaxed = replace(Sequences(), cross_shots=True)
    assert frames_of(chain) == []
    assert len(frames_of(chain, relaxed)[0]) == 10
    assert frames_of(chain, replace(relaxed, max_crossings=1)) == []
    assert frames_of(chain, replace(relaxed, cross_gap=16)) == []


def test_classes_of_contiguity() -> None:
    assert contiguity(np.arange(4), np.zeros(4)) == "continuous"
    assert contiguity(np.array([0, 1, 3]), np.zeros(3)) == "gapped"
    assert contiguity(np.arange(3), np.array([0, 0, 1])) == "cross-shot"


def test_movement_measures_in_eye_distances_and_splits_off_the_similarity() -> None:
    shifted = movement(NEUTRAL, NEUTRAL + np.array([30, -8]))
    assert shifted == pytest.approx((0, 0), abs=1e-9)
    angle = np.deg2rad(10)
    turned = NEUTRAL @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shift, deformation = movement(NEUTRAL, turned)
    assert shift > 0.05 and deformation == pytest.approx(0, abs=1e-9)
    open_mouth = NEUTRAL.copy()
    open_mouth[3:, 1] += 8
    assert movement(NEUTRAL, open_mouth)[1] > 0.04
    assert movement(NEUTRAL * 3, open_mouth * 3) == pytest.approx(movement(NEUTRAL, open_mouth))


def test_liveliness() -> None:
    settings = Sequences()
    assert lively(np.full(9, 0.1), np.zeros(9), settings) is None
    assert lively(np.zeros(9), np.full(9, 0.02), settings) is None
    assert lively(np.array([0.1] * 5 + [0.0] * 4), np.zeros(9), settings) == "still"
    assert lively(np.full(9, 0.6), np.zeros(9), settings) == "restless"
    assert lively(np.zeros(0), np.zeros(0), settings) == "still"


def test_caps() -> None:
    settings = replace(Sequences(), per_track=2, per_person=3)
    caps = capped([0, 0, 0, 1, 2, 3], ["a", "a", "a", "a", "a", "b"], settings)
    assert caps == [None, None, "cap_track", None, "cap_person", None]
    assert capped([0] * 5, ["a"] * 5, replace(settings, per_track=None, per_person=None)) == [None] * 5
