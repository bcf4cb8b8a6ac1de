"""The landmarks stage, with a landmarker that knows the answer: the brightest pixel."""

from __future__ import annotations

from pathlib import Path

import numpy as np
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

    def locate(self, crops: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.sizes.append(crops.shape)
        self.boxes.extend(boxes)
        weight = np.maximum(crops[..., 0].astype(float) - 200, 0)
        y, x = np.mgrid[: crops.shape[1], : crops.shape[2]]
        total = weight.sum((1, 2))
        centre = np.stack([(weight * x).sum((1, 2)) / total, (weight * y).sum((1, 2)) / total], 1)
        scores = np.array([next(self.scores) for _ in crops], np.float32)
        return np.repeat(centre[:, None], 68, 1).astype(np.float32), np.repeat(scores[:, None], 68, 1)


@pytest.fixture
def landmarker(monkeypatch: pytest.MonkeyPatch) -> _Brightest:
    made = _Brightest()
    monkeypatch.setattr(landmarkers, "create", lambda name, settings, device: made)
    return made


def _settings(**own: object) -> Settings:
    return parse_settings({"device": "cpu", "landmarks": {"batch": 4, **own}})


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
    assert np.abs(points - episode.dots[:, None]).max() < 0.3
    side = CROP + 2 * round(CROP * (context - 1) / 2)
    assert landmarker.sizes == [(4, side, side, 3), (2, side, side, 3)]
    np.testing.assert_allclose(landmarker.boxes[0], np.array([8, 4, 56, 58]) + (side - CROP) // 2)
    assert manifest.provenance["backend"] == "compact" and manifest.provenance["weights"] == {"none": "0"}
    assert manifest.provenance["notes"] == {"precision": "float32"}
    assert manifest.dropped == {}


def test_a_crop_of_low_confidence_takes_its_sequence_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, landmarker: _Brightest
) -> None:
    monkeypatch.chdir(tmp_path)
    landmarker.scores = iter([0.9, 0.8, 0.7, 0.9, 0.3, 0.9])
    episode = make_episode(tmp_path)
    inputs = {"sequences": episode.sequences, "frames": episode.frames}
    landmarks.run(_settings(min_score=0.5), inputs, {"manifest": tmp_path / "l.parquet"}, shard="e")
    manifest = read(tmp_path / "l.parquet", LANDMARKS)
    assert set(manifest.rows["sequence"]) == {"e.0000"}
    assert manifest.dropped == {"low confidence": 3}
    np.testing.assert_allclose(manifest.rows["score"], [0.9, 0.8, 0.7], rtol=1e-6)


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
    from tvface.stages.context import device

    assert device(parse_settings({"device": "cpu"})) == torch.device("cpu")
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert device(parse_settings({"device": "auto"})).type == expected
