"""Footage in TVQA's form made of the embedded show's frames, and what each data stage needs for an episode of it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq

from tvface.assets.registry import ROOT
from tvface.dag.layout import outputs
from tvface.episodes import parse_clip
from tvface.manifests import read
from tvface.manifests.frames import FRAMES
from tvface.media.tarstore import read_bytes
from tvface.settings import Settings, load

SHOW = "castle"
CLIP_FRAMES = 240  # 80 s at 3 frames/s, as TVQA's clips
STAGES = ("frames", "faces", "identities", "sequences", "landmarks", "masks", "dataset")
_CONFIG = ROOT / "config.yaml"


@dataclass(frozen=True)
class Measured:
    """One run of a stage: wall and processor seconds, peak memory of the process, and how much work it was."""

    stage: str
    frames: int
    items: int
    wall_s: float
    cpu_s: float
    peak_mb: float


def show_pictures(folder: Path, results: Path | None) -> list[Path]:
    """Write frames of the embedded show into a folder, in their order; return the files.

    Args:
        folder: new folder.
        results: an earlier run of the demo whose frame stores serve; without one a short show is rendered.
    """
    folder.mkdir(parents=True)
    if results is None:
        run = ["--set", "synth.episodes=2", "--set", "synth.seconds=24"]
        for name in ("demo_s01e01", "demo_s01e02"):
            for stage in ("synth", "frames"):
                tvface(folder, stage, "--episode", name, *run)
        results = folder / "results"
    stores = sorted((results / "frames").glob("*.parquet"))
    if not stores:
        raise SystemExit(f"{results}/frames holds no manifest; run the demo there, or leave --results away")
    made = []
    for path in stores:
        # The manifest names its store relative to the project of that run.
        for row in read(path, FRAMES).rows.itertuples():
            picture = folder / f"{len(made):05d}.jpg"
            picture.write_bytes(read_bytes(path.with_suffix(".tar"), row.image_offset, row.image_length))
            made.append(picture)
    return made


def link_clip(folder: Path, pictures: Sequence[Path], first: int, count: int) -> None:
    """Make a clip of ``count`` frames: hard links to the pictures from number ``first`` on, over and over."""
    folder.mkdir(parents=True)
    for number in range(count):
        os.link(pictures[(first + number) % len(pictures)], folder / f"{number + 1:05d}.jpg")


def tvface(folder: Path, *arguments: str) -> tuple[float, float, float]:
    """Run ``tvface`` in a folder on one thread; return wall seconds, processor seconds and peak memory [MB]."""
    command = [sys.executable, "-m", "tvface", *arguments, "--config", str(_CONFIG)]
    return measured(command, folder, folder / "output.log")


def measured(command: Sequence[str], folder: Path, output: Path) -> tuple[float, float, float]:
    """Run a command in a folder, its output in a file.

    Returns:
        wall seconds, processor seconds and peak memory [MB] of it and its children.

    Raises:
        SystemExit: it failed; the message holds the end of its output.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    start = time.perf_counter()
    with open(output, "w+", encoding="utf-8") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.perf_counter() - start
        if process.returncode != 0:
            log.seek(0)
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{log.read()[-3000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure_episode(
    folder: Path, pictures: Sequence[Path], frames: int, extra: Mapping[str, object]
) -> Iterator[Measured]:
    """Make an episode of ``frames`` frames below ``folder`` and yield what every data stage needs for it."""
    tree = folder / "frames_hq" / f"{SHOW}_frames"
    for clip, first in enumerate(range(0, frames, CLIP_FRAMES)):
        name = f"{SHOW}_s01e01_seg01_clip_{clip:02d}"
        assert parse_clip(name) is not None
        link_clip(tree / name, pictures, first, min(CLIP_FRAMES, frames - first))
    values = {"synth.enabled": "false", "tvqa": "frames_hq", "shows": f"[{SHOW}]", **extra}
    settings_options = [word for name, value in values.items() for word in ("--set", f"{name}={value}")]
    settings = load([_CONFIG])
    for stage in STAGES:
        shard = SHOW if stage == "identities" else f"{SHOW}_s01e01"
        wall, cpu, peak = tvface(
            folder, stage, "--show" if stage == "identities" else "--episode", shard, *settings_options
        )
        yield Measured(stage, frames, _rows(folder, settings, stage, shard), wall, cpu, peak)


def _rows(folder: Path, settings: Settings, stage: str, shard: str) -> int:
    return int(pq.read_metadata(folder / str(outputs(stage, settings, shard)["manifest"])).num_rows)


def table(rows: Sequence[Measured]) -> pd.DataFrame:
    """Return the measurements as a table."""
    return pd.DataFrame([asdict(row) for row in rows], columns=[field.name for field in fields(Measured)])
