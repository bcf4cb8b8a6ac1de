"""Tracks on hand-made face tables."""

import numpy as np

from tvface.conventions.boxes import centre_shift, iou
from tvface.mining.tracks import link
from tvface.settings.data import Tracks

A, B = np.eye(4)[0], np.eye(4)[1]


def track(rows: list[tuple[int, int, float, float, np.ndarray]], distance: float = 0.9, **options: float) -> list[int]:
    """Rows are (frame, shot, x, side, embedding)."""
    boxes = np.array([(x, 100, x + side, 100 + side) for _, _, x, side, _ in rows])
    return link(
        np.array([row[0] for row in rows]),
        np.array([row[1] for row in rows]),
        boxes,
        np.stack([row[4] for row in rows]),
        Tracks(**options),
        distance,
    ).tolist()


def test_a_moving_face_is_one_track_over_missed_frames() -> None:
    assert track([(k, 0, 100 + 30 * k, 80, A) for k in (0, 1, 2, 4, 8)]) == [0] * 5
    assert track([(0, 0, 100, 80, A), (5, 0, 100, 80, A)]) == [0, 1]  # longer than max_gap


def test_a_cut_ends_every_track() -> None:
    assert track([(k, int(k >= 3), 100, 80, A) for k in range(6)]) == [0, 0, 0, 1, 1, 1]


def test_two_faces_of_a_frame_never_share_a_track() -> None:
    rows = [(k, 0, 100 + 10 * i, 80, A) for k in range(4) for i in range(2)]
    tracks = track(rows)
    assert all(tracks[2 * k] != tracks[2 * k + 1] for k in range(4)) and len(set(tracks)) == 2


def test_looks_decide_when_two_people_swap_places() -> None:
    rows = []
    for k in range(6):
        left, right = (A, B) if k < 3 else (B, A)
        rows += [(k, 0, 100, 80, left), (k, 0, 150, 80, right)]
    assert track(rows) == [0, 1] * 3 + [1, 0] * 3


def test_another_person_at_the_same_place_is_a_new_track() -> None:
    assert track([(k, 0, 100, 80, A if k < 3 else B) for k in range(6)]) == [0, 0, 0, 1, 1, 1]


def test_fast_motion_without_overlap_needs_the_same_looks() -> None:
    assert track([(0, 0, 100, 80, A), (1, 0, 220, 80, A)]) == [0, 0]
    alike = (A + 0.85 * B) / np.linalg.norm(A + 0.85 * B)  # 0.69 from A: near enough only in place
    assert track([(0, 0, 100, 80, A), (1, 0, 220, 80, alike)]) == [0, 1]
    assert track([(0, 0, 100, 80, A), (1, 0, 110, 80, alike)]) == [0, 0]
    assert track([(0, 0, 100, 80, A), (1, 0, 400, 80, A)]) == [0, 1]


def test_a_box_four_times_as_large_is_another_face() -> None:
    assert track([(0, 0, 100, 40, A), (1, 0, 100, 120, A)]) == [0, 1]


def test_no_faces() -> None:
    assert link(np.zeros(0, int), np.zeros(0, int), np.zeros((0, 4)), np.zeros((0, 3)), Tracks(), 1.0).shape == (0,)


def test_overlap_and_shift() -> None:
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [20, 20, 30, 30]], float)
    assert np.allclose(iou(boxes[:1], boxes), [[1, 1 / 3, 0]])
    assert np.allclose(centre_shift(boxes[:1], boxes)[0, :2], [0, 0.5])
