"""The stage's sequences as parameter files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.exports.conftest import untrained
from tests.training.conftest import TINY, bumpy_head
from tests.training.footage import sliding, write_episode
from tvface.exports.neutral import ExportError
from tvface.exports.sequences import export_sequences
from tvface.head.camera import project
from tvface.head.model import HeadModel
from tvface.manifests import read
from tvface.manifests.reconstruct import RECONSTRUCT
from tvface.settings import merge, parse_settings
from tvface.stages import dataset, reconstruct


@pytest.fixture
def run(tmp_path, monkeypatch):
    """A run of one episode with two sequences, reconstructed with a shared identity; settings are returned."""
    monkeypatch.chdir(tmp_path)
    settings = parse_settings(merge(TINY, {"reconstruct": {"split": "all", "shared_identity": True}}))
    results = Path("results")
    items = [sliding("s", "e1", "p0", frames=5, seed=seed) for seed in (0, 1)]
    paths = write_episode(results, "e1", items)
    shard = {"manifest": results / "dataset/e1.parquet", "flow": results / "dataset/e1.tar"}
    dataset.run(settings, paths, shard, shard="e1")
    whole = {"manifest": results / "dataset.parquet", "statistics": results / "dataset.json"}
    dataset.run(settings, {"manifests": [shard["manifest"]]}, whole)
    bumpy_head().save(results / "head/head.npz")
    inputs = {
        "dataset": whole["manifest"],
        "head": results / "head/head.npz",
        "weights": untrained(tmp_path / "weights.safetensors", settings),
    }
    out = {"manifest": results / "reconstruct/temporal.parquet", "meshes": results / "reconstruct/temporal.tar"}
    reconstruct.run(settings, inputs, out, shard="temporal")
    return settings


def test_a_file_per_sequence_gives_the_reconstruction_again(run, tmp_path):
    paths = export_sequences(run, "temporal", tmp_path / "out")
    assert [path.name for path in paths] == ["e1.0000.npz", "e1.0001.npz"]
    rows = read("results/reconstruct/temporal.parquet", RECONSTRUCT).rows
    model = HeadModel(bumpy_head(), 4, 3)
    for number, path in enumerate(paths):
        with np.load(path, allow_pickle=False) as archive:
            held = dict(archive)
        assert str(held["model_type"]) == "formulas" and str(held["model"]) == "temporal"
        assert bool(held["shared_identity"]) and int(held["track"]) == number and int(held["crop_size"]) == 64
        assert float(held["fps"]) == float(held["mocap_frame_rate"]) == run.frames.fps
        np.testing.assert_array_equal(held["frame"], 20 * number + np.arange(5))
        np.testing.assert_allclose(held["time_s"], np.arange(5) / 3)
        assert (held["betas"] == held["betas"][0]).all()
        for name in ("neck_pose", "leye_pose", "reye_pose", "transl"):
            assert held[name].shape == (5, 3) and not held[name].any()
        # Betas, pose and camera alone give the landmarks that the stage stored (here crop and picture are one).
        pose = np.concatenate([held["global_orient"], held["jaw_pose"]], 1)
        output = model(*(torch.from_numpy(x) for x in (held["betas"], held["expression"], pose)))
        points = project(output.landmarks2d, torch.from_numpy(held["camera"]))[..., :2]
        np.testing.assert_allclose(held["landmarks2d"], (points + 1) / 2 * 64, atol=1e-3)
        own = rows[(rows["sequence"] == path.stem) & (rows["weights"] == "trained")].sort_values("position")
        np.testing.assert_array_equal(held["betas"], np.stack(own["shape"]))
        np.testing.assert_array_equal(held["light"].reshape(5, 27), np.stack(own["light"]))


def test_the_place_of_the_crop_in_the_picture_counts(run, tmp_path, monkeypatch):
    from tvface.exports import sequences

    plain = dict(np.load(export_sequences(run, "temporal", tmp_path / "a")[0]))
    original = sequences.read

    def moved(path, schema):
        manifest = original(path, schema)
        if "transform" in manifest.rows:
            manifest.rows["transform"] = [np.array([0.5, 0, -10, 0, 0.5, -20], np.float32)] * len(manifest.rows)
        return manifest

    monkeypatch.setattr(sequences, "read", moved)
    placed = dict(np.load(export_sequences(run, "temporal", tmp_path / "b")[0]))
    np.testing.assert_allclose(placed["landmarks2d"], plain["landmarks2d"] * 2 + [20, 40], rtol=1e-5, atol=1e-3)


def test_a_run_without_results_names_the_command_to_run(run, tmp_path):
    with pytest.raises(ExportError, match=r"deca\.parquet is missing; run snakemake --cores all reconstruct"):
        export_sequences(run, "deca", tmp_path / "out")
