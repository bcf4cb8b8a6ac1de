"""The masks stage, with a parser that knows the answer: grey is skin, white is nose."""

from __future__ import annotations

import tarfile
from pathlib import Path

import numpy as np
import pytest

from tests.stages.labelled import CROP, make_episode
from tvface import parsers
from tvface.manifests import read
from tvface.manifests.masks import MASKS
from tvface.manifests.sequences import SEQUENCES
from tvface.media.images import decode_labels, read_image
from tvface.media.tarstore import read_bytes
from tvface.parsers.base import Parser
from tvface.settings import Settings, parse_settings
from tvface.stages import masks


class _Grey(Parser):
    weights: dict[str, str] = {"none": "0"}  # noqa: RUF012

    def __init__(self) -> None:
        self.sizes: list[tuple[int, ...]] = []

    def parse(self, crops: np.ndarray) -> np.ndarray:
        self.sizes.append(crops.shape)
        return _classes(crops)


def _classes(crops: np.ndarray) -> np.ndarray:
    grey = crops[..., 0]
    return np.select([grey > 180, grey > 60], [10, 1], 0).astype(np.uint8)


@pytest.fixture
def parser(monkeypatch: pytest.MonkeyPatch) -> _Grey:
    parser = _Grey()
    monkeypatch.setattr(parsers, "create", lambda name, settings, device: parser)
    return parser


def _settings(**overrides: object) -> Settings:
    return parse_settings({"device": "cpu", "masks": {"batch": 4, **overrides}})


def _run(folder: Path, settings: Settings, **episode: object) -> tuple[Path, Path]:
    episode_files = make_episode(folder, **episode)  # type: ignore[arg-type]
    out = {"manifest": folder / "m.parquet", "labels": folder / "m.tar"}
    masks.run(settings, {"sequences": episode_files.sequences, "frames": episode_files.frames}, out, shard="e")
    return out["manifest"], out["labels"]


@pytest.mark.parametrize("context", [1.0, 1.6])
def test_labels_fit_the_crop_pixel_by_pixel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: _Grey, context: float
) -> None:
    monkeypatch.chdir(tmp_path)
    path, _ = _run(tmp_path, _settings(context=context))
    manifest = read(path, MASKS)
    crops = read(tmp_path / "s.parquet", SEQUENCES).rows
    assert len(manifest.rows) == len(crops) == 6
    for row, crop in zip(manifest.rows.itertuples(), crops.itertuples(), strict=True):
        labels = decode_labels(read_bytes(row.labels_file, row.labels_offset, row.labels_length))
        image = read_image(crop.image_file, crop.image_offset, crop.image_length)
        assert labels.shape == (CROP, CROP)
        # Warping to a shifted grid rounds sub-pixel weights differently, at edges only.
        assert (labels != _classes(image)).mean() < 0.005
        np.testing.assert_array_equal(row.pixels, np.bincount(labels.ravel(), minlength=19))
        assert row.face == pytest.approx((labels > 0).mean())
    side = CROP + 2 * round(CROP * (context - 1) / 2)
    assert parser.sizes == [(4, side, side, 3), (2, side, side, 3)]
    assert manifest.provenance["backend"] == "compact" and manifest.provenance["weights"] == {"none": "0"}
    assert manifest.provenance["notes"] == {"precision": "float32"}


def test_the_classes_of_the_face_are_a_setting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: _Grey) -> None:
    monkeypatch.chdir(tmp_path)
    path, _ = _run(tmp_path, _settings(classes=[10]))
    rows = read(path, MASKS).rows
    expected = np.stack(rows["pixels"].to_list())[:, 10] / CROP**2
    np.testing.assert_allclose(rows["face"], expected, rtol=1e-6)
    assert (expected < 0.05).all()


def test_the_same_inputs_give_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: _Grey) -> None:
    contents = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / name)
        contents.append([path.read_bytes() for path in _run(tmp_path / name, _settings())])
    assert contents[0] == contents[1]


def test_no_sequences_no_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parser: _Grey) -> None:
    monkeypatch.chdir(tmp_path)
    path, tar = _run(tmp_path, _settings(), sequences=0)
    assert len(read(path, MASKS).rows) == 0 and parser.sizes == []
    with tarfile.open(tar) as archive:
        assert archive.getnames() == []
