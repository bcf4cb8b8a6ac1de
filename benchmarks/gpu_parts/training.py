"""The demo's training on the device, through the real ``train`` stage: three phases, and whether the loss falls."""

from __future__ import annotations

import math
import time
from pathlib import Path

import pandas as pd

from benchmarks.gpu_parts.job import Job
from benchmarks.gpu_parts.people import DATASET, demo, footage
from tvface.manifests import read
from tvface.manifests.train import TRAIN
from tvface.settings import Settings
from tvface.stages import train
from tvface.synthetic.crops.shard_files import HEAD

MODEL = "temporal"
STEPS = {"pretrain": 90, "coarse": 70, "detail": 40}
QUICK_STEPS = {"pretrain": 8, "coarse": 4, "detail": 3}
BFLOAT16_STEPS = 40  # of pretrain, anew


def run(job: Job) -> None:
    """Train, in the demo's arithmetic and once more in bfloat16.

    Raises:
        AssertionError: a loss is not finite, or does not fall.
    """
    folder, text = footage(job)
    job.note(f"{text}; model, losses, batch and rates of config.yaml, from its bundled features; stage `train` itself")
    steps = QUICK_STEPS if job.quick else STEPS
    settings = demo(job, **{phase: {"steps": count} for phase, count in steps.items()}, validate_every=10_000)
    weights: list[Path] = []
    poor = []
    for phase in steps:
        out, seconds = trained(settings, folder, job.work / "demo" / phase, f"{MODEL}/{phase}", weights)
        weights = [out["weights"]]
        poor += _told(job, out["manifest"], phase, settings.train.precision, seconds)
    half = {"steps": QUICK_STEPS["pretrain"] if job.quick else BFLOAT16_STEPS}
    settings = demo(job, precision="bf16-mixed", pretrain=half, validate_every=10_000)
    out, seconds = trained(settings, folder, job.work / "demo-bf16", f"{MODEL}/pretrain", [])
    poor += _told(job, out["manifest"], "pretrain", settings.train.precision, seconds)
    if poor:
        raise AssertionError("; ".join(poor))


def trained(
    settings: Settings, folder: Path, out: Path, shard: str, initial: list[Path]
) -> tuple[dict[str, Path], float]:
    """Run the stage on the data of a folder; return its outputs and the seconds it took."""
    inputs = {"dataset": folder / DATASET, "head": folder / HEAD, "initial": initial}
    outputs = {"manifest": out / "curve.parquet", "weights": out / "weights.safetensors"}
    start = time.perf_counter()
    train.run(settings, inputs, outputs, shard=shard, threads=settings.train.threads)
    return outputs, time.perf_counter() - start


def losses(curve: Path, part: str) -> pd.Series:
    """Return the total loss of ``train`` or ``validation`` by step."""
    rows = read(curve, TRAIN).rows
    curve_rows = rows[(rows["part"] == part) & (rows["term"] == "total")]
    return curve_rows.set_index("step")["value"].sort_index()


def _told(job: Job, curve: Path, phase: str, precision: str, seconds: float) -> list[str]:
    """Tell one phase; return what is wrong with it."""
    seen, held_out = losses(curve, "train"), losses(curve, "validation")
    job.row(
        phase=phase,
        precision=precision,
        steps=int(seen.index[-1]),
        **{
            "s": seconds,
            "first loss": float(seen.iloc[0]),
            "last loss": float(seen.iloc[-1]),
            "held out, before": float(held_out.iloc[0]),
            "held out, after": float(held_out.iloc[-1]),
        },
    )
    if not all(map(math.isfinite, [*seen, *held_out])):
        return [f"{phase}, {precision}: a loss is not finite"]
    # Step 1 stands alone, later rows are means of ten. A few steps teach the points, and nothing else yet.
    first, last = seen.iloc[min(1, len(seen) - 2)], seen.iloc[-1]
    if not last < first and (phase == "pretrain" or not job.quick):
        return [f"{phase}, {precision}: the loss goes from {first:.4g} to {last:.4g}"]
    return []
