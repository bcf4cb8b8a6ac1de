"""The landmarks stage, with a landmarker that knows the answer: the brightest pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from tests.stages.labelled import CROP, make_episode
from tvface import landmarkers
from tvface.landmarkers.base import Landmarker
from tvface.manifests import ManifestError, Provenance, read, write
from tvface.manifests.frames import FRAMES
from tvface.manifests.landmarks import LANDMARKS
from tvface.settings import Settings, parse_settings
from tvface.stages import landmarks


class _Brightest(Landmarker):
    """All 68 points at the brightest place; confidence falls with the number of the crop. Records what it was given."""

    def __init__(self) -> None:
        self.weights = {"none": "0"}
        self.sizes: list[tuple[int, ...]] = []
        self.boxes: list[np.ndarray] = []
        self.scores = iter(np.linspace(0.9, 0.1, 100))
        self.follow = 0.0  # how far the points go with the box

    def find(self, crops: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.sizes.append(crops.shape)
        self.boxes.extend(boxes)
        weight = np.maximum(crops[..., 0].astype(float) - 200, 0)
        y, x = np.mgrid[: crops.shape[1], : crops.shape[2]]
        total = weight.sum((1, 2))
        centre = np.stack([(weight * x).sum((1, 2)) / total, (weight * y).sum((1, 2)) / total], 1)
        scores = np.array([next(self.scores) for _ in crops], np.float32)
        # A face of 20 px: two points lie at its corners.
        points = np.repeat(centre[:, None], 68, 1)
        points[:, 0] -= 10
        points[:, 1] += 10
        points += self.follow * boxes[:, None, :2]
        return points, np.repeat(scores[:, None], 68, 1)


@pytest.fixture
def landmarker(monkeypatch: pytest.MonkeyPatch) -> _Brightest:
    landmarker = _Brightest()
    monkeypatch.setattr(landmarkers, "create", lambda name, settings, device: landmarker)
    return landmarker


def _settings(**overrides: object) -> Settings:
    return parse_settings({"device": "cpu", "landmarks": {"batch": 4, "check_shift": None, **overrides}})


@pytest.mark.parametrize("context", [1.0, 1.8])
def test_points_are_in_crop_pixels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landmarker: _Brightest, context: float
) -> None:
    monkeypatch.chdir(tmp_path)
    episode = make_episode(tmp_path)
    inputs = {"sequences": episode.sequences, "frames": episode.frames}
    landmarks.run(_settings(context=context), inputs, {"manifest": tmp_path / "l.parquet"}, shard="e")
    manifest = read(tmp_path / "l.parquet", LANDMARKS)
    points = np.stack(manifest.rows["points68"].to_list()).reshape(-1, 68, 2)
    assert np.abs(points[:, 2:] - episode.dots[:, None]).max() < 0.3
    side = CROP + 2 * round(CROP * (context - 1) / 2)
    assert landmarker.sizes == [(4, side, side, 3), (2, side, side, 3)]
    np.testing.assert_allclose(landmarker.boxes[0], np.array([8, 4, 56, 58]) + (side - CROP) // 2)
    assert manifest.provenance["backend"] == "compact" and manifest.provenance["weights"] == {"none": "0"}
    assert manifest.provenance["notes"] == {"precision": "float32"}
    assert manifest.dropped == {}


def test_points_that_go_with_the_box_are_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landmarker: _Brightest
) -> None:
    monkeypatch.chdir(tmp_path)
    episode = make_episode(tmp_path)
    inputs = {"sequences": episode.sequences, "frames": episode.frames}

    def run(follow: float, **overrides: object) -> pd.DataFrame:
        landmarker.follow, landmarker.scores = follow, iter(np.full(100, 0.9))
        landmarks.run(_settings(**overrides), inputs, {"manifest": tmp_path / "l.parquet"}, shard="e")
        return read(tmp_path / "l.parquet", LANDMARKS).rows

    assert run(1.0)["instability"].isna().all(), "nobody looked"
    assert run(0.0, check_shift=0.05)["instability"].max() < 1e-6
    before = len(landmarker.boxes)
    rows = run(0.5, check_shift=0.05)
    # The box of 48 x 54 px was moved by 2.4 and 2.7 px, the points by half of that; theirs has sides of 20 px.
    moved = landmarker.boxes[before + 4] - landmarker.boxes[before]
    np.testing.assert_allclose(moved, [2.4, 2.7, 2.4, 2.7], rtol=1e-6)
    np.testing.assert_allclose(rows["instability"], 0.5 * np.hypot(2.4, 2.7) / 20, rtol=1e-4)


def test_no_sequences_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landmarker: _Brightest) -> None:
    monkeypatch.chdir(tmp_path)
    episode = make_episode(tmp_path, sequences=0)
    inputs = {"sequences": episode.sequences, "frames": episode.frames}
    landmarks.run(_settings(), inputs, {"manifest": tmp_path / "l.parquet"}, shard="e")
    assert len(read(tmp_path / "l.parquet", LANDMARKS).rows) == 0
    assert landmarker.sizes == []


def test_a_frame_that_is_gone_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landmarker: _Brightest) -> None:
    monkeypatch.chdir(tmp_path)
    episode = make_episode(tmp_path)
    manifest = read(episode.frames, FRAMES)
    write(episode.frames, FRAMES, manifest.rows[manifest.rows["frame"] != 2], Provenance("frames", {}))
    inputs = {"sequences": episode.sequences, "frames": episode.frames}
    with pytest.raises(ManifestError, match=r"sequence e\.0000 position 2: .* no frame 2 of e"):
        landmarks.run(_settings(), inputs, {"manifest": tmp_path / "l.parquet"}, shard="e")
    with pytest.raises(KeyError, match="needs the input 'frames'"):
        landmarks.run(_settings(), {"sequences": episode.sequences}, {"manifest": tmp_path / "l.parquet"}, shard="e")


def test_auto_is_the_best_device() -> None:
    from tvface.mining.surroundings import device

    assert device(parse_settings({"device": "cpu"})) == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert device(parse_settings({"device": "auto"})).type == expected
