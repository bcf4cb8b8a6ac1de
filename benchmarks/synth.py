"""Time the rendering of crops with full ground truth, and of the show.

    python benchmarks/synth.py [--size 128] [--crops 96] [--runs 3]

Prints crops per second of ``tvface synth-crops`` (files written), for one and two processes, with all layers and with
picture, points and classes only, each beside ``CropMaker`` on one core, which renders the bundled networks' pictures:
median of interleaved runs. Starting the workers (building head and atlas) is not counted. One thread per process.

Also prints frames per second of the embedded show (640 x 360 px, without video and label files) on one core, by the
processor's clock, so that other work on the machine hardly counts: each shot's first frames.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from multiprocessing.pool import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, the project root is not on the path

import numpy as np

from benchmarks.timing import interleaved
from tvface.head import human
from tvface.head.data import HeadData
from tvface.settings import Settings
from tvface.settings.model import Head
from tvface.synthetic.crops.maker import CropMaker
from tvface.synthetic.crops.shard_files import HEAD
from tvface.synthetic.crops.shards import Recipe, Task, write_shard
from tvface.synthetic.crops.truth import LAYERS
from tvface.synthetic.show.casting import cast_people
from tvface.synthetic.show.film import film
from tvface.synthetic.show.script import write_script

PER_SHARD = 16
PEER = "CropMaker, 1 process"
FEW = ("image", "points", "labels")

_makers: dict[tuple[str, int], CropMaker] = {}


def peer(head: str, size: int, seed: int) -> int:
    """Render a shard's number of crops as the bundled networks' are; returns how many."""
    if (head, size) not in _makers:
        _makers[head, size] = CropMaker(HeadData.load(head), size)
    generator = np.random.default_rng([seed, 0xC209])
    return sum(1 for _ in _makers[head, size].crops(PER_SHARD, generator))


def show(frames: int, runs: int) -> dict[str, float]:
    """Return the frames per second of CPU time in the first ``frames`` frames of each shot, by what the shot shows."""
    settings = Settings()
    shots = write_script(settings.synth, 0, settings.seed)
    people = cast_people({actor.person for shot in shots for actor in shot.actors}, human.build(Head()), settings.seed)
    rates: dict[str, float] = {}
    for shot in shots:
        taken = []
        for _ in range(runs + 1):
            filmed = film(settings.synth, [shot], people)
            next(filmed)  # builds the set
            start = time.process_time()
            count = sum(1 for _ in islice(filmed, frames))
            taken.append((time.process_time() - start) / count)
        # The first run may compile.
        rates[f"shot {shot.index}, {shot.kind}{', blurred' if shot.blur else ''}"] = 1 / statistics.median(taken[1:])
    return rates


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--crops", type=int, default=96, help=f"per run, in whole shards of {PER_SHARD}")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--frames", type=int, default=8, help="of each shot of the show")
    options = parser.parse_args(arguments)
    shards = max(1, options.crops // PER_SHARD)
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name, context.Pool(1) as one, context.Pool(2) as two:
        folder = Path(name)
        human.build(Head()).save(folder / HEAD)
        functions: dict[str, Callable[[], object]] = {}
        for layers, text in ((FEW, " ".join(FEW)), (LAYERS, "all layers")):
            recipe = Recipe(size=options.size, layers=layers, per_shard=PER_SHARD)
            tasks = [Task(folder, index, PER_SHARD // recipe.frames, recipe, "{}") for index in range(shards)]
            for pool, count in ((one, "1 process"), (two, "2 processes")):
                functions[f"{text}, {count}"] = lambda pool=pool, tasks=tasks: pool.map(write_shard, tasks, 1)  # type: ignore[misc]
        functions[PEER] = lambda: _peers(one, folder, options.size, shards)
        times = interleaved(functions, options.runs)
        weight = sum(path.stat().st_size for path in folder.glob("*.npz") if path.name != HEAD) / shards / PER_SHARD
    total = shards * PER_SHARD
    print(f"{options.size} x {options.size} px, {total} crops per run, median of {options.runs} interleaved runs")
    for label, seconds in times.items():
        print(f"  {label:<36} {total / seconds:7.1f} crops/s   {times[PEER] / seconds:5.2f} x CropMaker")
    print(f"  {weight / 1e6:.2f} MB per crop with all layers")
    print(f"The show, {options.frames} frames a shot, median of {options.runs} runs")
    for label, rate in show(options.frames, options.runs).items():
        print(f"  {label:<36} {rate:7.1f} frames/s of CPU")


def _peers(pool: Pool, folder: Path, size: int, shards: int) -> object:
    return pool.starmap(peer, [(str(folder / HEAD), size, seed) for seed in range(shards)], 1)


if __name__ == "__main__":
    main()
