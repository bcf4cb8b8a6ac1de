"""A training that is killed and goes on from its checkpoint, beside one that nobody disturbed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pandas as pd

from benchmarks.gpu_parts import ROOT
from benchmarks.gpu_parts.job import Job
from benchmarks.gpu_parts.people import demo, footage
from benchmarks.gpu_parts.training import losses, trained
from tvface.settings import Settings
from tvface.training.phases import PhaseTask

SHARD = "temporal/coarse"
STEPS, EVERY, KILLED_AT = 12, 4, 6
QUICK_STEPS, QUICK_EVERY, QUICK_KILLED_AT = 6, 2, 3
ROUNDING = 1e-2
"""Tolerance of a loss. A GPU adds in another order in every run, and Adam's first steps have the size of the rate
however small a gradient is: noise of 2e-6 in the pictures becomes 5e-3 of a loss within twelve steps. The difference of
two undisturbed runs is printed for comparison."""


def run(job: Job) -> None:
    """Train twice undisturbed, once killed; compare the losses after the checkpoint.

    Raises:
        AssertionError: the killed run left no checkpoint, or goes on with other losses: on a CPU with one other bit,
            on a GPU further away than rounding explains.
    """
    folder, _ = footage(job)
    settings, every, killed_at = _settings(job)
    curves = {}
    for name in ("undisturbed", "again"):
        out, _ = trained(settings, folder, job.work / name, SHARD, [])
        curves[name] = losses(out["manifest"], "train")
    killed = job.work / "killed"
    words = ["--device", job.device, "--work", str(job.work), "--found", str(job.found), *["--quick"] * job.quick]
    command = [sys.executable, "-m", "benchmarks.gpu_parts", f"{__name__}:die", *words, "--limit", "600"]
    status = subprocess.run(command, check=False, cwd=ROOT).returncode
    assert status == -signal.SIGKILL, f"the run that should be killed ended with status {status}"
    left = sorted(path.name for path in (killed / "checkpoints").glob("step_*.pt"))
    newest = killed_at // every * every
    assert left and left[-1] == f"step_{newest:08d}.pt", f"the killed run left {left}"
    assert not (killed / "weights.safetensors").exists()
    out, _ = trained(settings, folder, killed, SHARD, [])
    curves["killed, went on"] = losses(out["manifest"], "train")
    job.note(f"{SHARD}: {len(curves['again'])} steps, killed by SIGKILL in step {killed_at + 1}, {left[-1]} was there")
    undisturbed = curves["undisturbed"]
    for name, curve in curves.items():
        job.row(
            run=name, **{"last loss": float(curve.iloc[-1]), "off the undisturbed run by": _apart(curve, undisturbed)}
        )
    off, noise = _apart(curves["killed, went on"], undisturbed), _apart(curves["again"], undisturbed)
    allowed = max(ROUNDING, 3 * noise) if job.cuda else 0.0
    assert off <= allowed, f"the losses are off by {off:.2g}, {allowed:.2g} is allowed"


def die(job: Job) -> None:
    """Train, and be killed inside a step; runs in its own process."""
    folder, _ = footage(job)
    settings, _, killed_at = _settings(job)
    forward = PhaseTask.forward

    def killed(self: PhaseTask, window, step):  # type: ignore[no-untyped-def]
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return forward(self, window, step)

    PhaseTask.forward = killed  # type: ignore[method-assign]
    trained(settings, folder, job.work / "killed", SHARD, [])


def _settings(job: Job) -> tuple[Settings, int, int]:
    steps, every, killed_at = (QUICK_STEPS, QUICK_EVERY, QUICK_KILLED_AT) if job.quick else (STEPS, EVERY, KILLED_AT)
    phase = {"steps": steps}
    often = {"log_every": 1, "checkpoint_every": every, "validate_every": 10_000}
    return demo(job, coarse=phase, **often), every, killed_at


def _apart(curve: pd.Series, undisturbed: pd.Series) -> float:
    return float(((curve - undisturbed).abs() / undisturbed.abs()).max())
