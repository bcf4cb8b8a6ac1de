"""``benchmarks/fits.py``: what it says about fits whose truth is known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks.fit_scores import point_errors, point_rows, score
from benchmarks.fit_tracks import Track
from benchmarks.fits import ALONE, RIGID, Fits
from tests.fitting.conftest import talking
from tvface.head import human
from tvface.head.model import HeadModel
from tvface.settings import parse_settings
from tvface.settings.model import Head

FRAMES, SIZE, FOCAL, DISTANCE = 15, 224, 1800.0, 3.0
PICTURE = (640, 360)


@pytest.fixture(scope="module")
def fits() -> Fits:
    """Two people, seen without any error by a camera in some distance."""
    data = human.build(Head(uv_size=64))
    head = HeadModel(data, 100, 52)
    settings = parse_settings({"fit": {"steps": 40}})
    names = list(data.notes["expression_names"])
    tracks = [track_of(number, head, names) for number in range(2)]
    return Fits(data, settings, tracks)


def track_of(number: int, head: HeadModel, names: list[str]) -> Track:
    codes = talking(head, names, FRAMES, seed=number).codes
    joints = np.zeros((FRAMES, 15), np.float32)
    joints[:, :3], joints[:, 6:9] = codes.rotation, codes.jaw
    shape = torch.from_numpy(codes.shape).expand(FRAMES, -1)
    with torch.no_grad():
        local = head(shape, torch.from_numpy(codes.expression), torch.from_numpy(codes.pose)).landmarks2d.numpy()
    depth = DISTANCE - local[..., 2:]
    middle = (np.array(PICTURE) - 1) / 2
    points = middle + FOCAL * local[..., :2] / depth * (1, -1)
    truth = pd.DataFrame(
        {
            "episode": f"{number}/one",
            "source_frame": np.arange(FRAMES),
            "time_s": np.arange(FRAMES) / 30,
            "person": "somebody",
            "points68": list(points.reshape(FRAMES, -1)),
            "visible": list(np.ones((FRAMES, 68))),
            "yaw": 0.0,
            "shape": [codes.shape] * FRAMES,
            "expression": list(codes.expression),
            "joints": list(joints),
            "translation": [np.array([0, 0, -DISTANCE], np.float32)] * FRAMES,
            "focal": FOCAL,
            "size": [PICTURE] * FRAMES,
        }
    )
    track = Track(f"{number}", f"{number}/somebody", 0, Path(), 0, truth)
    zoom = 1.2
    track.transform = np.tile([[zoom, 0, -zoom * 220], [0, zoom, -zoom * 80]], (FRAMES, 1, 1))
    track.points = track.true_points.astype(np.float32)
    track.confidence = np.ones((FRAMES, 68), np.float32)
    track.opening = np.full((FRAMES, 2), np.nan, np.float32)
    return track


def scored(fits: Fits, points: list[np.ndarray]) -> dict[str, object]:
    rows = [point_rows(track, each, np.arange(FRAMES)) for track, each in zip(fits.tracks, points, strict=True)]
    return score(pd.concat(rows, ignore_index=True), fits.truth, fits.data, SIZE, "points")


def test_the_truth_has_no_error(fits):
    line = scored(fits, [track.true_points for track in fits.tracks])
    assert (line["people"], line["frames"]) == (2, 2 * FRAMES)
    assert line["reproj %"] == pytest.approx(0, abs=1e-3) and line["jitter %"] == pytest.approx(0, abs=1e-3)
    assert line["lips slope"] == pytest.approx(1) and line["lips r"] == pytest.approx(1)
    assert "jaw r" not in line and np.isnan(line["posed %"])


def test_half_a_mouth_is_half_a_slope(fits):
    points = []
    for track in fits.tracks:
        half = track.true_points
        for upper, lower in ((61, 67), (62, 66), (63, 65)):
            half[:, lower] = half[:, upper] + (half[:, lower] - half[:, upper]) / 2
        points.append(half)
    line = scored(fits, points)
    assert line["lips slope"] == pytest.approx(0.5, abs=0.01) and line["lips r"] == pytest.approx(1, abs=1e-6)


def test_a_fit_beats_the_mean_head_and_frames_alone_have_no_jitter(fits):
    rigid, fitted, alone = (fits.way(name) for name in (RIGID, "45 frames", ALONE))
    assert fitted["reproj %"] < 0.6 * rigid["reproj %"] and fitted["neutral mm"] < rigid["neutral mm"]
    assert fitted["posed %"] < rigid["posed %"] and fitted["jaw r"] > 0.5
    assert alone["frames"] == 6 and fitted["frames"] == 2 * FRAMES and fitted["CPU s"] > 0
    assert np.isnan(alone["jitter %"])


def test_errors_of_points_are_split_into_what_stays_and_what_changes(fits):
    rng = np.random.default_rng(0)
    for number, track in enumerate(fits.tracks):
        eye = np.linalg.norm(track.true_points[:, 36] - track.true_points[:, 45], axis=-1).mean()
        wrong = np.zeros((FRAMES, 68, 2))
        wrong[:, :17, 0] += 0.03 if number else 0.01
        wrong[:, 48:] += rng.normal(0, 0.01, (FRAMES, 20, 2))
        track.points = (track.true_points + eye * wrong).astype(np.float32)
    errors = point_errors(fits.tracks).set_index("part")
    jaw, mouth = errors.loc["jaw"], errors.loc["mouth"]
    expected = {"stays": 2, "common": 2, "of the person": 1, "in all shots": 1, "changes": 0}
    assert {name: jaw[name] for name in expected} == pytest.approx(expected, abs=0.01)
    assert mouth["changes"] == pytest.approx(1.4, abs=0.15) and mouth["stays"] < 0.6
