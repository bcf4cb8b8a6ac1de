"""The train stage: curves, resuming, refusals, processes."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from tests.training.conftest import TINY
from tvface.losses.table import TERMS
from tvface.manifests import read, write
from tvface.manifests.base import Provenance
from tvface.manifests.dataset import DATASET
from tvface.manifests.train import TRAIN
from tvface.model.clips import DataError
from tvface.model.weights_files import WeightsError
from tvface.networks import deformable
from tvface.settings import Settings, SettingsError, merge, parse_settings
from tvface.stages import train
from tvface.training.loop import TrainingDiverged
from tvface.training.phases import PhaseTask

# The project and tiny fixtures live with the training tests.
from tests.training.conftest import project, tiny  # noqa: F401  isort: skip


def settings_with(**train_settings) -> Settings:
    return parse_settings(merge(TINY, {"train": train_settings}))


def fit(settings: Settings, folder: str, shard: str = "deca/pretrain", initial: list[Path] | None = None):
    """Run the stage; return the curve manifest and the weights."""
    out = {"manifest": Path(folder, "curve.parquet"), "weights": Path(folder, "weights.safetensors")}
    inputs = {"dataset": Path("dataset.parquet"), "head": Path("head.npz"), "initial": initial or []}
    train.run(settings, inputs, out, shard=shard)
    return read(out["manifest"], TRAIN), load_file(out["weights"])


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_three_phases_follow_each_other(project, tiny):  # noqa: F811
    weights: dict[str, dict[str, torch.Tensor]] = {}
    initial: list[Path] = []
    for phase, part in (("pretrain", "coarse_encoder"), ("coarse", "coarse_encoder"), ("detail", "detail_encoder")):
        manifest, weights[phase] = fit(tiny, phase, f"temporal/{phase}", initial)
        if initial:
            before = load_file(initial[0])
            moved = {name.split(".")[0] for name in before if not torch.equal(before[name], weights[phase][name])}
            assert part in moved and ("coarse_encoder" in moved) == (phase != "detail")
        initial = [Path(phase, "weights.safetensors")]
        rows = manifest.rows
        assert set(rows["part"]) == {"train", "validation"}
        totals = rows[rows["term"] == "total"].set_index(["part", "step"])["value"]
        sums = rows[rows["term"] != "total"].groupby(["part", "step"])["value"].sum()
        pd.testing.assert_series_equal(totals.sort_index(), sums.sort_index(), check_names=False, rtol=1e-5)
        assert manifest.provenance["notes"]["terms"] == sorted(set(rows["term"]) - {"total"}, key=manifest_order(rows))
        recorded = set(manifest.provenance["settings"]["train"])
        assert recorded >= {phase, "temporal", "frames"} and not recorded & {"deca", "threads", "models"}
        assert ("warm_start" in recorded) == (phase == "pretrain")
    steps = read("pretrain/curve.parquet", TRAIN).rows
    assert sorted(set(steps.loc[steps["part"] == "train", "step"])) == [1, 2, 4, 6]
    assert sorted(set(steps.loc[steps["part"] == "validation", "step"])) == [0, 4, 6]


def manifest_order(rows):
    return [term.name for term in TERMS].index


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("shard", ["deca/coarse", "temporal/detail"])
def test_a_resumed_run_equals_an_uninterrupted_one_bit_for_bit(project, shard, monkeypatch):  # noqa: F811
    phase = shard.split("/")[1]
    settings = settings_with(**{phase: {"steps": 5}, "checkpoint_every": 2, "log_every": 3})
    whole, expected = fit(settings, "whole", shard)
    forward, calls = PhaseTask.forward, []

    def interrupted(self, window, step):
        calls.append(step)
        if step == 3:
            raise Interrupted
        return forward(self, window, step)

    monkeypatch.setattr(PhaseTask, "forward", interrupted)
    with pytest.raises(Interrupted):
        fit(settings, "parts", shard)
    assert not Path("parts/weights.safetensors").exists()
    monkeypatch.setattr(PhaseTask, "forward", lambda self, w, step: calls.append(step) or forward(self, w, step))
    calls.clear()
    resumed, got = fit(settings, "parts", shard)
    assert [step for step in calls if step is not None] == [2, 3, 4], "it went on after the checkpoint of step 2"
    assert same(expected, got)
    pd.testing.assert_frame_equal(whole.rows, resumed.rows, check_exact=True)
    assert Path("whole/weights.safetensors").read_bytes() == Path("parts/weights.safetensors").read_bytes()


def test_a_killed_run_goes_on_bit_for_bit(project, caplog):  # noqa: F811
    """SIGKILL at a moment of chance, checkpoints being written all the time; the kill may hit one of them."""
    values = merge(TINY, {"train": {"coarse": {"steps": 40}, "checkpoint_every": 1, "keep_checkpoints": 3}})
    settings = parse_settings(values)
    _, expected = fit(settings, "whole", "temporal/coarse")
    Path("settings.json").write_text(json.dumps(values))
    root = Path(__file__).parents[2]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
    command = [sys.executable, "-m", "tests.stages.killed", "settings.json", "35"]
    process = subprocess.Popen(command, env=environment)
    checkpoints = Path("killed/checkpoints")
    try:
        # Killed whenever this process gets to see step 5 or a later one: the other waits before its last steps.
        while not any(int(path.stem.removeprefix("step_")) >= 5 for path in checkpoints.glob("step_*.pt")):
            assert process.poll() is None, "it ended by itself"
            time.sleep(0.001)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == -signal.SIGKILL and not Path("killed/weights.safetensors").exists()
    # As if the kill had hit a checkpoint that was being written.
    (checkpoints / ".step_00000099.pt.abc.pt").write_bytes(b"half")
    left = sorted(path.name for path in checkpoints.glob("step_*.pt"))
    assert 1 <= len(left) <= 4, "the newest three, and one more if the kill came before the oldest went"
    with caplog.at_level("INFO", "tvface.train"):
        _, got = fit(settings, "killed", "temporal/coarse")
    assert f"{left[-1]}: resuming after" in caplog.text
    assert same(expected, got)
    assert len(list(checkpoints.iterdir())) == 3, "what the killed run left half-written is gone too"


def test_only_the_newest_checkpoints_stay(project):  # noqa: F811
    fit(settings_with(pretrain={"steps": 6}, checkpoint_every=1, keep_checkpoints=2), "run")
    assert sorted(p.name for p in Path("run/checkpoints").iterdir()) == ["step_00000005.pt", "step_00000006.pt"]


def test_a_half_written_checkpoint_is_passed_over(project, caplog):  # noqa: F811
    settings = settings_with(pretrain={"steps": 4}, checkpoint_every=2)
    _, expected = fit(settings, "run")
    newest = Path("run/checkpoints/step_00000004.pt")
    newest.write_bytes(newest.read_bytes()[:1000])
    with caplog.at_level("INFO", "tvface.train"):
        _, got = fit(settings, "run")
    assert "step_00000004.pt: not a whole checkpoint" in caplog.text
    assert "step_00000002.pt: resuming after 2 steps" in caplog.text
    assert same(expected, got)


def test_checkpoints_of_other_settings_are_not_resumed(project, caplog):  # noqa: F811
    fit(settings_with(pretrain={"steps": 2, "learning_rate": 1e-4}), "run")
    with caplog.at_level("INFO", "tvface.train"):
        _, got = fit(settings_with(pretrain={"steps": 2, "learning_rate": 1e-2}), "run")
    assert "of other settings, data or code, not resumed" in caplog.text
    _, fresh = fit(settings_with(pretrain={"steps": 2, "learning_rate": 1e-2}), "fresh")
    assert same(got, fresh)


def test_more_steps_go_on_from_fewer(project, caplog):  # noqa: F811
    fit(settings_with(pretrain={"steps": 2}), "run")
    with caplog.at_level("INFO", "tvface.train"):
        fit(settings_with(pretrain={"steps": 4}), "run")
    assert "resuming after 2 steps" in caplog.text


def test_a_loss_that_is_not_finite_stops_and_names_the_windows(project, monkeypatch):  # noqa: F811
    forward = PhaseTask.forward

    def poisoned(self, window, step):
        terms = forward(self, window, step)
        return {**terms, "landmark": terms["landmark"] * float("nan")} if step == 3 else terms

    monkeypatch.setattr(PhaseTask, "forward", poisoned)
    with pytest.raises(TrainingDiverged, match=r"at step 4 on e1\.000\d\[\d\], e1\.000\d\[\d\].*landmark nan"):
        fit(settings_with(pretrain={"steps": 6}, checkpoint_every=2), "run")
    assert [p.name for p in Path("run/checkpoints").iterdir()] == ["step_00000002.pt"]
    state = torch.load("run/checkpoints/step_00000002.pt", weights_only=True)
    assert all(torch.isfinite(tensor).all() for tensor in state["weights"].values())


def test_training_lowers_the_loss(project):  # noqa: F811
    # The points of the made-up sequences are random: what can be learnt is where they are on average.
    manifest, _ = fit(settings_with(pretrain={"steps": 40, "learning_rate": 5e-3}, log_every=5), "run")
    totals = manifest.rows.query("part == 'train' and term == 'total'").sort_values("step")["value"].to_numpy()
    assert totals[-1] < 0.75 * totals[0]


def test_no_training_sequence_is_refused(project, tiny):  # noqa: F811
    write("dataset.parquet", DATASET, DATASET.empty(), Provenance("dataset", {}))
    with pytest.raises(DataError, match="no training sequence"):
        fit(tiny, "run")


def test_steps_and_epochs_exclude_each_other(project):  # noqa: F811
    with pytest.raises(SettingsError, match="either steps or epochs"):
        fit(settings_with(pretrain={"steps": 2, "epochs": 2}), "run")
    manifest, _ = fit(settings_with(pretrain={"steps": None, "epochs": 2}), "run")
    assert manifest.provenance["notes"]["steps"] == 4  # 4 sequences, 2 per step


def test_weights_of_another_model_are_refused(project, tiny):  # noqa: F811
    fit(tiny, "first")
    with pytest.raises(WeightsError, match="another model: model"):
        fit(tiny, "second", "temporal/coarse", [Path("first/weights.safetensors")])


def test_an_unknown_phase_is_refused(project, tiny):  # noqa: F811
    with pytest.raises(SettingsError, match="is not <model>/<phase>"):
        fit(tiny, "run", "deca/finetune")


@pytest.mark.slow
def test_two_processes_train_through_the_stage(project):  # noqa: F811
    # Batch statistics are per process, so the curve's first step (same windows) agrees roughly; that gradients are
    # those of the doubled batch is shown in tests/training/test_distributed.py.
    base = {"pretrain": {"steps": 1, "batch": 2}, "validate_every": 10}
    one, _ = fit(settings_with(**merge(base, {"pretrain": {"batch": 4}})), "one")
    two, weights = fit(settings_with(**base, devices=2), "two")

    def step_one(manifest):
        return manifest.rows.query("part == 'train' and step == 1").set_index("term")["value"]

    a, b = step_one(one), step_one(two)
    assert list(a.index) == list(b.index)
    np.testing.assert_allclose(a["landmark"], b["landmark"], rtol=0.1)
    assert dataclasses.asdict(settings_with(devices=2).train)["devices"] == 2 and weights


def test_frozen_statistics_need_a_start(project):  # noqa: F811
    with pytest.raises(SettingsError, match=r"train\.batch_norm: frozen keeps the statistics of a start"):
        fit(settings_with(batch_norm="frozen"), "none")
    fit(settings_with(), "before")
    _, ours = fit(settings_with(batch_norm="frozen", warm_start={"features": "before/weights.safetensors"}), "started")
    theirs = load_file("before/weights.safetensors")
    kept = [name for name in theirs if name.startswith("coarse_encoder.") and "running_" in name]
    assert kept and all(torch.equal(ours[name], theirs[name]) for name in kept)


def test_the_manifest_says_which_deformable_convolution_was_used(project, monkeypatch):  # noqa: F811
    monkeypatch.delenv(deformable.VARIABLE, raising=False)
    settings = settings_with(pretrain={"steps": 1})
    notes = {model: fit(settings, model, f"{model}/pretrain")[0].provenance["notes"] for model in ("deca", "temporal")}
    assert "deformable_convolution" not in notes["deca"], "it has none"
    assert notes["temporal"]["deformable_convolution"] == "numba"


@pytest.mark.skipif(not deformable.has_triton(), reason="the package triton is not installed")
def test_fused_kernels_that_fail_are_told_once_and_in_the_manifest(project, monkeypatch, caplog):  # noqa: F811
    """The CPU passes for a GPU whose kernels do not compile; torchvision's operator runs on it all the same."""
    from tvface.networks import deformable_triton

    def broken(*_):
        raise RuntimeError("Loop-carried variable address has initial type <[64, 64], int64>")

    monkeypatch.delenv(deformable.VARIABLE, raising=False)
    monkeypatch.setattr(deformable, "_kind", lambda device: "cuda")
    monkeypatch.setattr(deformable, "_FAULTS", {})
    monkeypatch.setattr(deformable, "_WARNED", set())
    monkeypatch.setattr(deformable_triton, "deform_conv2d", broken)
    with caplog.at_level("WARNING"):
        manifest, _ = fit(settings_with(pretrain={"steps": 2}), "run", "temporal/pretrain")
    noted = manifest.provenance["notes"]["deformable_convolution"]
    assert noted.startswith("torchvision: it does not run (36 to 18 channels") and "Loop-carried variable" in noted
    (warning,) = [record for record in caplog.records if record.name == "tvface.networks.deformable"]
    assert warning.levelname == "WARNING" and noted.removeprefix("torchvision: ") in warning.getMessage()
