"""Make the training crops of the bundled networks.

    python -m tvface.bundled.crops --out .cache/crops --count 12000 --processes 2

People, light, poses and damage are those of :mod:`tvface.synthetic.crops`; only the framing is wider, so that both
networks cut their windows from the same crops.
"""

from __future__ import annotations

import argparse
import logging
import multiprocessing
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from tvface.bundled.samples import Samples, SamplesError
from tvface.files.atomic import atomic
from tvface.head import generic
from tvface.head.data import HeadData
from tvface.runtime.threads import one_thread
from tvface.settings.model import Head
from tvface.synthetic.crops import CropMaker
from tvface.synthetic.hair import Texture
from tvface.synthetic.person import Posed
from tvface.synthetic.portrait import load_portraits
from tvface.synthetic.scene_render import Camera

log = logging.getLogger("tvface.bundled")

SIZE = 208
HEAD = "head.npz"
PORTRAITS = "portraits"
# Side of a crop in mean sides of the box of its 68 points: room for the parser's window, turned and shifted.
WIDE = (2.2, 3.2)


class WideCrops(CropMaker):
    """Crops around the points' box, wide enough for every window that training cuts from them."""

    def camera(self, posed: Posed, rng: np.random.Generator) -> Camera:
        plain = Camera(1.0, 1, 1, (0.0, 0.0)).project(posed.landmarks)[:, :2]
        low, high = plain.min(0), plain.max(0)
        side = (high - low).mean() * np.exp(rng.uniform(*np.log(WIDE)))
        centre = (low + high) / 2 + rng.normal(0, 0.03, 2) * side
        focal = self.size / side
        middle = (self.size - 1) / 2 - centre * focal
        return Camera(float(focal), self.size, self.size, (float(middle[0]), float(middle[1])))


def make(head: HeadData, count: int, seed: int, size: int = SIZE, portraits: Sequence[Texture] = ()) -> Samples:
    """Return ``count`` crops; equal arguments give equal crops. A new skin every four, a new person every two."""
    maker = WideCrops(head, size, portraits)
    rng = np.random.default_rng([seed, 0x1A4D])
    crops = list(maker.crops(count, rng))
    return Samples(
        np.stack([crop.image for crop in crops]),
        np.stack([crop.points for crop in crops]).astype(np.float32),
        np.stack([crop.labels for crop in crops]),
    )


def _shard(task: tuple[Path, int, int]) -> Path:
    path, count, seed = task
    if not path.is_file():  # a stopped run goes on where it was
        head = HeadData.load(path.parent / HEAD)
        portraits = [portrait.texture for portrait in load_portraits(head, path.parent / PORTRAITS)]
        with one_thread():
            samples = make(head, count, seed, portraits=portraits)
        with atomic(path) as temporary, temporary.open("wb") as file:
            np.savez(file, images=samples.images, points=samples.points, labels=samples.labels)
    return path


def write(folder: Path, count: int, seed: int, processes: int, per_shard: int = 250) -> Iterator[Path]:
    """Write shards for :func:`tvface.bundled.samples.load`; yields each path when its shard is there.

    The generic head of the present source and the portraits made for it are written into the folder first; a folder
    made with another head is refused.

    Raises:
        SamplesError: the folder holds crops of another head.
    """
    folder.mkdir(parents=True, exist_ok=True)
    load_portraits(write_head(folder), folder / PORTRAITS)  # fitted once, then read by every process
    tasks = [
        (folder / f"crops_{index:04d}.npz", min(per_shard, count - start), seed * 100_003 + index)
        for index, start in enumerate(range(0, count, per_shard))
    ]
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(_shard, tasks)


def write_head(folder: Path) -> HeadData:
    """Write the generic head of the present source into a folder of crops, and return it.

    Raises:
        SamplesError: the folder holds crops of another head.
    """
    head = generic.build(Head())
    stored = folder / HEAD
    if stored.is_file():
        before = HeadData.load(stored)
        same = before.v_template.shape == head.v_template.shape and np.array_equal(before.v_template, head.v_template)
        if not same or not np.array_equal(before.shape_basis, head.shape_basis):
            raise SamplesError(f"{folder}: its crops were made with another head; delete it or name another folder")
    else:
        head.save(stored)
    return head


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: write crops."""
    parser = argparse.ArgumentParser(prog="python -m tvface.bundled.crops", description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--count", type=int, default=12000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    for path in write(given.out, given.count, given.seed, given.processes):
        log.info("%s", path)


if __name__ == "__main__":
    main()
