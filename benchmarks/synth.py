"""Time the rendering of crops with full ground truth.

    python benchmarks/synth.py [--size 128] [--crops 96] [--runs 3]

Prints crops per second of ``tvface synth-crops`` (files written), for one and two processes, with all layers and with
picture, points and classes only, each beside ``CropMaker`` on one core, which renders the bundled networks' pictures:
median of interleaved runs. Starting the workers (building head and atlas) is not counted. One thread per process.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import tempfile
from collections.abc import Callable
from multiprocessing.pool import Pool
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, the project root is not on the path

import numpy as np

from benchmarks.timing import interleaved
from tvface.head import human
from tvface.head.data import HeadData
from tvface.settings.model import Head
from tvface.synthetic.crops.maker import CropMaker
from tvface.synthetic.crops.shard_files import HEAD
from tvface.synthetic.crops.shards import Recipe, Task, write_shard
from tvface.synthetic.crops.truth import LAYERS

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


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--crops", type=int, default=96, help=f"per run, in whole shards of {PER_SHARD}")
    parser.add_argument("--runs", type=int, default=3)
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


def _peers(pool: Pool, folder: Path, size: int, shards: int) -> object:
    return pool.starmap(peer, [(str(folder / HEAD), size, seed) for seed in range(shards)], 1)


if __name__ == "__main__":
    main()
