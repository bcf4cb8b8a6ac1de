"""Cuts, flashes, dissolves, states and scenes on made-up footage, and the cuts of real clips."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from tvface.media.video import VideoReader
from tvface.mining.shots import ShotTable, find_shots, structure_change, thumbnail, without_bars
from tvface.settings.data import Frames, Shots

CLIPS = Path(__file__).resolve().parents[3] / "shared" / "media" / "video"


def scenery(seed: int, hue: int | None = None) -> np.ndarray:
    """A wide textured picture, 180 x 640, of one colour mood."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 40)).astype(np.uint8)
    value = cv2.resize(coarse, (640, 180), interpolation=cv2.INTER_CUBIC)
    hsv = np.stack(
        [np.full_like(value, (seed * 37) % 180 if hue is None else hue), np.full_like(value, 150), value], -1
    )
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def view(place: np.ndarray, left: float = 100) -> np.ndarray:
    return place[:, round(left) : round(left) + 320]


def shots_of(frames: list[np.ndarray], settings: Shots | None = None) -> ShotTable:
    thumbnails = np.stack([thumbnail(frame) for frame in frames])
    times = np.arange(len(frames)) / 3
    return find_shots(thumbnails, times, settings or Shots(), Frames().black_luma, Frames().duplicate)


def starts(table: ShotTable) -> list[int]:
    return (np.flatnonzero(np.diff(table.shot)) + 1).tolist()


@pytest.mark.parametrize("place", [1, 4, 9, 13])
def test_a_hard_cut_is_found_where_it_is(place: int) -> None:
    frames = [view(scenery(1), 100 + 4 * k) for k in range(place)] + [
        view(scenery(2), 50 + 4 * k) for k in range(14 - place)
    ]
    assert starts(shots_of(frames)) == [place]


def test_motion_is_no_cut() -> None:
    pan = [view(scenery(3), 20 * k) for k in range(15)]
    assert starts(shots_of(pan)) == []
    # A large bright thing crosses the picture: colours and luma change as much as at a cut.
    crossing = []
    for k in range(8):
        frame = view(scenery(3) // 3).copy()
        left = 55 * k - 60
        cv2.rectangle(frame, (left, 30), (left + 100, 180), (240, 200, 170), -1)
        crossing.append(frame)
    table = shots_of(crossing)
    assert (table.luma[1:] > 0.1).any() and table.structure.max() > 0.5 and starts(table) == []


def test_a_light_change_is_no_cut() -> None:
    frames = [view(scenery(4)) // (1 if k < 5 else 3) for k in range(10)]
    table = shots_of(frames)
    assert table.luma.max() > 0.15 and starts(table) == []


def test_a_flash_is_marked_and_is_no_cut() -> None:
    frames = [view(scenery(5), 100 + k) for k in range(11)]
    frames[5] = np.full_like(frames[5], 252)
    table = shots_of(frames)
    assert starts(table) == [] and table.state[5] == "flash" and table.state.count("flash") == 1


def test_a_dissolve_splits_in_the_middle() -> None:
    before, after = view(scenery(1)), view(scenery(2))
    mixes = [np.rint(before * (1 - a) + after * a).astype(np.uint8) for a in (0.33, 0.67)]
    table = shots_of([before] * 5 + mixes + [after] * 5)
    assert len(starts(table)) == 1 and starts(table)[0] in (5, 6, 7)
    assert table.state[5] == table.state[6] == "dissolve" and table.state.count("dissolve") == 2


def test_black_and_repeated_frames_are_marked_but_a_moving_mouth_is_no_repeat() -> None:
    frames = [view(scenery(6), 100 + 3 * k) for k in range(6)]
    frames[3] = frames[2].copy()
    talking = frames[5].copy()
    talking[80:100, 150:170] //= 2
    table = shots_of([*frames, talking, np.full_like(talking, 3)])
    assert table.state == ["valid"] * 3 + ["duplicate"] + ["valid"] * 3 + ["black"]


def test_letterbox_bars_are_cut_off_and_cuts_found_inside() -> None:
    bars = np.zeros((60, 320, 3), np.uint8)
    frames = [np.vstack([bars, view(scenery(1 + (k >= 5)), 100 + 4 * k), bars]) for k in range(10)]
    thumbnails = np.stack([thumbnail(frame) for frame in frames])
    assert thumbnails[:, :6].max() == 0 and without_bars(thumbnails)[:, :4].mean() > 30
    assert starts(shots_of(frames)) == [5]
    dark = np.zeros((4, 36, 64, 3), np.uint8)
    assert np.array_equal(without_bars(dark), dark)


def test_short_shots_join_only_where_asked() -> None:
    frames = [view(scenery(1), 100 + k) for k in range(6)] + [view(scenery(2), k) for k in range(2)]
    assert starts(shots_of(frames)) == [6]
    assert starts(shots_of(frames, Shots(min_frames=3))) == []


def test_shot_and_reverse_shot_are_one_scene() -> None:
    a, b, elsewhere = scenery(1, hue=20), scenery(2, hue=20), scenery(3, hue=120)
    other = scenery(8, hue=60)
    parts = [(a, 6), (other, 6), (a, 6), (elsewhere, 6)]
    table = shots_of([view(place, 60 + 2 * k) for place, count in parts for k in range(count)])
    assert starts(table) == [6, 12, 18]
    assert table.scene.tolist() == [0] * 18 + [1] * 6
    late = shots_of([view(place, 60 + k) for place, count in [(a, 4), (other, 30), (a, 4)] for k in range(count)])
    assert late.scene.tolist() == [0] * 4 + [1] * 30 + [2] * 4
    assert b.shape == a.shape


def test_a_cut_between_two_heads_in_one_place_is_found() -> None:
    def portrait(seed: int, k: int) -> np.ndarray:
        frame = view(scenery(seed), 100 + k).copy()
        cv2.ellipse(frame, (160, 90), (50, 65), 0, 0, 360, (200 - 60 * seed, 150, 120), -1)
        cv2.ellipse(frame, (160, 40), (50, 30), 0, 0, 360, (30, 30, 30), -1)
        return frame

    table = shots_of([portrait(1, k) for k in range(5)] + [portrait(2, k) for k in range(5)])
    assert table.structure[5] < 0.95 and starts(table) == [5]


def test_structure_of_flat_pictures() -> None:
    flat, textured = np.full((36, 64), 80, np.uint8), thumbnail(view(scenery(1)))[..., 0]
    assert structure_change(flat, flat) == 0 and structure_change(flat, textured) == 1
    assert structure_change(textured, textured) == 0
    assert shots_of([view(scenery(1))]).shot.tolist() == [0]


@pytest.mark.parametrize(
    ("name", "cuts"),
    [
        ("fr_short_hamilton", [20, 82, 211]),
        ("movienet_test1", [58, 211]),
        ("smirk_dafoe", []),
        ("lp_d12", []),
        ("lp_d3", []),
    ],
)
def test_cuts_of_real_clips(name: str, cuts: list[int]) -> None:
    path = CLIPS / f"{name}.mp4"
    if not path.is_file():
        pytest.skip(f"needs the clip {path}, which is not part of the project")
    frames = [(frame.source_frame, thumbnail(frame.image)) for frame in VideoReader(path).sample(3)]
    numbers = [number for number, _ in frames]
    table = find_shots(np.stack([t for _, t in frames]), np.arange(len(frames)) / 3, Shots(), 8.0, 2.0)
    assert [numbers[k] for k in starts(table)] == [min(n for n in numbers if n >= cut) for cut in cuts]
