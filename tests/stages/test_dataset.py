"""The dataset stage: which sequences survive the join, where their flow points, who is in which part."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.footage import sliding, write_episode
from tvface.assets.registry import MissingAsset
from tvface.manifests import ManifestError, read
from tvface.manifests.dataset import DATASET, DATASET_SHARD
from tvface.media.tarstore import read_bytes
from tvface.settings import SettingsError, parse_settings
from tvface.stages import dataset

SETTINGS = parse_settings({"device": "cpu", "dataset": {"flow": {"size": 32}}})


def shard(folder: Path, episode: str, sequences: list, settings=SETTINGS) -> Path:
    paths = write_episode(folder, episode, sequences)
    out = {"manifest": folder / "dataset" / f"{episode}.parquet", "flow": folder / "dataset" / f"{episode}.tar"}
    dataset.run(settings, paths, out, shard=episode)
    return out["manifest"]


def whole(folder: Path, manifests: list[Path], settings=SETTINGS):
    out = {"manifest": folder / "dataset.parquet", "statistics": folder / "dataset.json"}
    dataset.run(settings, {"manifests": manifests}, out)
    return read(out["manifest"], DATASET), json.loads(out["statistics"].read_text())


def test_incomplete_sequences_are_dropped_and_counted(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sequences = [
        sliding("s", "e", "a"),
        sliding("s", "e", "b", without={"landmarks": (0, 1, 2, 3)}),
        sliding("s", "e", "c", without={"landmarks": (2,)}),
        sliding("s", "e", "d", without={"masks": (0, 3)}),
    ]
    manifest = read(shard(tmp_path, "e", sequences), DATASET_SHARD)
    assert set(manifest.rows["person"]) == {"a"}
    assert manifest.dropped == {
        "sequence without landmarks": 4,
        "sequence with landmarks at some frames only": 4,
        "sequence with masks at some frames only": 4,
    }
    np.testing.assert_allclose(manifest.rows["points68"][2], sequences[0].points[2].reshape(-1), rtol=1e-6)
    # The inputs' own drops reach the statistics, so that a reader sees where sequences were lost.
    _, statistics = whole(tmp_path, [manifest.path])
    assert statistics["dropped"]["masks"] == {"made up": 1}
    assert sum(statistics["dropped"]["dataset"].values()) == 12


def test_a_crop_whose_fit_failed_takes_its_sequence_along(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    good = ("fitted",) * 4
    sequences = [
        sliding("s", "e", "a", verdicts=good),
        sliding("s", "e", "b", verdicts=("fitted", "fitted", "jump", "residual")),
        sliding("s", "e", "c", verdicts=("jump", *good[1:])),
    ]
    manifest = read(shard(tmp_path, "e", sequences), DATASET_SHARD)
    assert set(manifest.rows["person"]) == {"a"}
    assert manifest.dropped == {"failed fit: residual": 4, "failed fit: jump": 4}


def test_a_poor_crop_takes_its_sequence_along_and_thresholds_need_no_second_look(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    bare = sliding("s", "e", "d")
    bare.labels[3] = 0
    sequences = [
        sliding("s", "e", "a"),
        sliding("s", "e", "b", scores={2: {"score": 0.2, "instability": 0.5}}),
        sliding("s", "e", "c", scores={0: {"score": 0.9, "instability": 0.08}}),
        bare,
    ]

    def people(**overrides):
        settings = parse_settings({"device": "cpu", "dataset": {"flow": {"size": 32}, **overrides}})
        manifest = read(shard(tmp_path, "e", sequences, settings), DATASET_SHARD)
        return set(manifest.rows["person"]), manifest.dropped

    assert people() == ({"a", "b", "c"}, {"little face": 4})
    assert people(min_face=0.0) == ({"a", "b", "c", "d"}, {})
    assert people(min_confidence=0.3) == ({"a", "c"}, {"low confidence": 4, "little face": 4})
    strict = {"low confidence": 4, "unstable landmarks": 4, "little face": 4}
    assert people(min_confidence=0.3, max_instability=0.05) == ({"a"}, strict)
    sequences[0].scores[1] = {"score": 1.0, "instability": None}
    with pytest.raises(SettingsError, match=r"landmarks\.check_shift"):
        people(max_instability=0.05)


def test_flow_warps_the_next_frame_onto_the_frame(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    moving = sliding("s", "e", "a", frames=4, size=64, crossing=(2,))
    row = read(shard(tmp_path, "e", [moving]), DATASET_SHARD).rows.iloc[0]
    data = read_bytes(row["flow_file"], row["flow_offset"], row["flow_length"])
    flow = np.frombuffer(data, "<f2").reshape(2, 3, 2, 32, 32).astype(np.float32)
    # The picture slides 2 px right and 1 px down of 64, so frame i+1 shows at x + 1 (of 32) what frame i shows at x.
    inner = flow[:, :, :, 8:-8, 8:-8].mean((-1, -2))
    np.testing.assert_allclose(inner[0, [0, 2]], [[1.0, 0.5]] * 2, atol=0.1)
    np.testing.assert_allclose(inner[1, [0, 2]], [[-1.0, -0.5]] * 2, atol=0.1)
    assert (flow[:, 1] == 0).all(), "there is no motion across a shot boundary"
    small = torch.from_numpy(np.stack([image[::2, ::2] for image in moving.images])).permute(0, 3, 1, 2).float()
    y, x = torch.meshgrid(torch.arange(32.0), torch.arange(32.0), indexing="ij")
    grid = (torch.stack([x, y], -1) + torch.from_numpy(flow[0, 0]).permute(1, 2, 0)) / 15.5 - 1
    warped = torch.nn.functional.grid_sample(small[1:2], grid[None], align_corners=True)
    inside = (slice(None), slice(None), slice(6, -6), slice(6, -6))
    before = (small[1:2] - small[:1])[inside].abs().mean()
    assert (warped - small[:1])[inside].abs().mean() < 0.35 * before


def test_an_empty_episode_gives_an_empty_manifest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = shard(tmp_path, "e", [])
    rows, statistics = whole(tmp_path, [path])
    assert len(rows.rows) == 0 and statistics["sequences"] == 0
    assert statistics["remarks"] == ["no sequence is complete: nothing to train on"]


def test_parts_share_neither_person_nor_episode(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = [
        shard(tmp_path, e, [sliding("s", e, p, frames=2) for p in "abcdef" for _ in range(1 + (p == "a"))])
        for e in ("e1", "e2", "e3")
    ]
    manifest, statistics = whole(tmp_path, paths)
    rows = manifest.rows
    assert set(rows["split"]) == {"train", "validation", "test"}
    for column in ("person", "episode"):
        assert (rows.groupby(column)["split"].nunique() == 1).all()
    counts = statistics["sequences_per_split"]
    assert counts["train"] > counts["test"] >= counts["validation"] >= 1
    assert sum(counts.values()) == statistics["sequences"]
    (reason,) = manifest.dropped
    assert "identity+episode" in reason and manifest.dropped[reason] == 2 * (21 - statistics["sequences"])


def test_what_another_episode_shows_again_is_left_out(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    first, other = (tuple(rng.integers(-(2**62), 2**62, 4).tolist()) for _ in range(2))
    again = (first[2] ^ 0b1011, first[3], *other[:2])  # half of its frames, three bits away
    paths = [
        shard(tmp_path, "e1", [sliding("s", "e1", "a", hashes=first), sliding("s", "e1", "b")]),
        shard(tmp_path, "e2", [sliding("s", "e2", "a", hashes=again), sliding("s", "e2", "a", hashes=again)]),
        shard(tmp_path, "f1", [sliding("t", "f1", "a", hashes=first)]),
    ]
    split = {"validation": 0.0, "test": 0.0}
    manifest, statistics = whole(tmp_path, paths, parse_settings({"dataset": {"split": split}}))
    assert manifest.rows["sequence"].unique().tolist() == ["e1.0000", "e1.0001", "f1.0000"], "shows are kept apart"
    assert manifest.dropped == {"recap of another episode": 8}
    assert statistics["dropped"]["dataset"] == {"recap of another episode": 8}
    assert statistics["sequences_before_recaps"] == 5 and statistics["sequences_before_split"] == 3
    for distance, kept in ((3, 5), (None, 5), (4, 3)):
        settings = parse_settings({"dataset": {"split": split, "recap_distance": distance}})
        assert whole(tmp_path, paths, settings)[1]["sequences"] == kept


def test_one_person_in_one_episode_is_all_training_and_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = shard(tmp_path, "e", [sliding("s", "e", "a", frames=2, seed=i) for i in range(3)])
    manifest, statistics = whole(tmp_path, [path])
    assert statistics["sequences_per_split"] == {"train": 3, "validation": 0, "test": 0}
    assert "validation and test empty" in statistics["remarks"][0]
    assert manifest.provenance["notes"]["remarks"] == statistics["remarks"]


def test_the_same_input_gives_the_same_bytes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    first = shard(tmp_path, "e", [sliding("s", "e", "a")])
    flow = first.with_suffix(".tar").read_bytes()
    manifest = first.read_bytes()
    assert shard(tmp_path, "e", [sliding("s", "e", "a")]).read_bytes() == manifest
    assert first.with_suffix(".tar").read_bytes() == flow


def test_labels_of_another_run_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    other = write_episode(tmp_path / "other", "f", [sliding("s", "f", "a")])
    paths = write_episode(tmp_path, "e", [sliding("s", "e", "a")])
    out = {"manifest": tmp_path / "d.parquet", "flow": tmp_path / "d.tar"}
    with pytest.raises(ManifestError, match="different runs: run masks again"):
        dataset.run(SETTINGS, {**paths, "masks": other["masks"]}, out, shard="e")


def test_spynet_without_weights_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = parse_settings(
        {"device": "cpu", "dataset": {"flow": {"backend": "spynet", "weights_file": "absent.st"}}}
    )
    with pytest.raises(MissingAsset, match=r"absent\.st is missing\n    licence: "):
        shard(tmp_path, "e", [sliding("s", "e", "a")], settings)


def test_a_split_without_training_part_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = parse_settings({"dataset": {"split": {"validation": 0.5, "test": 0.5}}})
    with pytest.raises(SettingsError, match="leave nothing to train on"):
        whole(tmp_path, [], settings)
