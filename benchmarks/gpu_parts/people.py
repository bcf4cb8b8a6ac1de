"""A small data set for training, made on the spot: short shots of the people that tvface renders, in the manifests that
the stages write, through the real ``dataset`` stage.

The embedded show itself needs PyAV for its videos, MTCNN for its faces, and minutes; these are people of the same
generator with their exact points and classes.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from benchmarks.gpu_parts import ROOT
from benchmarks.gpu_parts.job import Job
from tests.training.footage import Sequence_, write_episode
from tvface.files.atomic import atomic
from tvface.settings import Settings, load
from tvface.stages import dataset
from tvface.synthetic.crops.maker import PERSON_EVERY
from tvface.synthetic.crops.shards import Recipe, write_crops

SIDE = 96  # px of the crops; the demo trains at 64
SHOTS, QUICK_SHOTS = 32, 6
DATASET = "dataset.parquet"
CONFIG = ROOT / "config.yaml"


def demo(job: Job, **train: object) -> Settings:
    """Return the demo's settings for this job's device, with some of ``train`` changed."""
    # Exact points, all on a face; no two shots are copies of each other.
    changes = {
        "device": job.device,
        "results": str(job.work),
        "dataset": {"split": {"disjoint": "identity", "validation": 0.2, "test": 0.0}, "recap_distance": None},
        "train": {"warm_start": {"features": str(ROOT / "resources/weights/features_{model}.safetensors")}, **train},
    }
    return load([CONFIG], changes)


def footage(job: Job) -> tuple[Path, str]:
    """Return a folder with ``head.npz`` and ``dataset.parquet``, and what they hold; who asks first makes it."""
    folder, settings = job.work / "people", demo(job)
    shots, frames = QUICK_SHOTS if job.quick else SHOTS, settings.train.frames
    text = f"{shots} shots of {frames} frames of people that tvface renders ({SIDE} px), with exact points and classes"
    if (folder / DATASET).is_file():
        return folder, text
    recipe = Recipe(size=SIDE, frames=frames, layers=("image", "points", "labels"), per_shard=2 * frames)
    processes = min(os.cpu_count() or 1, 8)
    shards = [path for path in write_crops(folder, shots * frames, recipe, processes) if path.suffix == ".npz"]
    manifests = [_episode(settings, folder, number, shard, frames) for number, shard in enumerate(shards)]
    dataset.run(
        settings,
        {"manifests": manifests},
        {"manifest": folder / "all.parquet", "statistics": folder / "dataset.json"},
    )
    with atomic(folder / DATASET) as whole:  # there only when all is
        whole.write_bytes((folder / "all.parquet").read_bytes())
    return folder, text


def _episode(settings: Settings, folder: Path, number: int, shard: Path, frames: int) -> Path:
    """Write one shard as an episode; return its manifest of the ``dataset`` stage."""
    assert PERSON_EVERY == 2, "a shard holds the two shots of one person"
    name = f"people_s01e{number + 1:02d}"
    with np.load(shard) as arrays:
        stacks = [arrays[key] for key in ("image", "labels", "points")]
    sequences = [
        Sequence_("people", name, f"person {number}", *(stack[first : first + frames] for stack in stacks))
        for first in range(0, len(stacks[0]), frames)
    ]
    paths = write_episode(folder, name, sequences)
    out = {"manifest": folder / "dataset" / f"{name}.parquet", "flow": folder / "dataset" / f"{name}.tar"}
    dataset.run(settings, paths, out, shard=name)
    return out["manifest"]
