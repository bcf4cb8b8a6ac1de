"""Stage head."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.head import synthetic_flame
from tvface.assets import registry as assets
from tvface.dag.needs import needs
from tvface.head.data import HeadData, HeadError
from tvface.settings import parse_settings
from tvface.stages import head


def test_human_head_with_provenance(tmp_path: Path) -> None:
    settings = parse_settings({})
    head.run(settings, {}, {"head": tmp_path / "head.npz"})
    record = HeadData.load(tmp_path / "head.npz").notes["provenance"]
    assert record["stage"] == "head" and record["backend"] == "human"
    assert list(record["parents"]) == ["resources/heads/human.npz"]
    assert record["settings"]["head"]["model"] == "human" and len(record["code"]) == 16
    head.run(settings, {}, {"head": tmp_path / "again.npz"})
    assert (tmp_path / "head.npz").read_bytes() == (tmp_path / "again.npz").read_bytes()


def test_human_head_with_the_digest_of_its_file(tmp_path: Path) -> None:
    settings = parse_settings({"head": {"model": "human", "n_expression": 52, "uv_size": 32}})
    head.run(settings, {}, {"head": tmp_path / "head.npz"})
    loaded = HeadData.load(tmp_path / "head.npz")
    record = loaded.notes["provenance"]
    assert record["backend"] == "human" and loaded.notes["source"] == "human"
    assert list(record["parents"].values()) == [assets.asset("human_head").sha256]
    assert [need.asset.name for need in needs(settings, "head")] == ["human_head"]


def test_flame_with_digests_of_its_files(tmp_path: Path) -> None:
    files, _ = synthetic_flame.write_all(tmp_path)
    settings = parse_settings({"head": {**files, "uv_size": 32}})
    head.run(settings, {}, {"head": tmp_path / "head.npz"})
    record = HeadData.load(tmp_path / "head.npz").notes["provenance"]
    assert record["backend"] == "flame"
    assert sorted(Path(path).name for path in record["parents"]) == [
        "fixed.npy",
        "generic_model.pkl",
        "head_template.obj",
        "landmark_embedding.npy",
        "uv_face_eye_mask.png",
        "uv_face_mask.png",
    ]
    assert all(len(digest) == 64 for digest in record["parents"].values())


def test_missing_flame_writes_nothing(tmp_path: Path) -> None:
    settings = parse_settings({"head": {"model": "flame", "flame": str(tmp_path / "generic_model.pkl")}})
    with pytest.raises(HeadError, match=r"generic_model\.pkl: FLAME's model .* is missing"):
        head.run(settings, {}, {"head": tmp_path / "head.npz"})
    assert not (tmp_path / "head.npz").exists()
