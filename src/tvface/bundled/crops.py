"""Make the training crops of the bundled networks.

    python -m tvface.bundled.crops --out .cache/crops --count 12000 --processes 2

People, light, poses and degradation come from :mod:`tvface.synthetic.crops.maker`. Only the framing is wider, so that
the landmark network and the parser cut their windows from the same crops.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvface.bundled.commands import command_line, log_paths, makers_parser
from tvface.bundled.samples import ARRAYS, Samples
from tvface.head.data import HeadData
from tvface.runtime.threads import one_thread
from tvface.synthetic.crops.maker import CropMaker
from tvface.synthetic.crops.shard_files import HEAD, save_shard, sizes, write_head, write_missing
from tvface.synthetic.hair.texture import Texture
from tvface.synthetic.portrait import load_portraits
from tvface.synthetic.render.scene import Camera
from tvface.synthetic.render.surfaces import Posed

SIZE = 208
PORTRAITS = "portraits"
# Side of a crop in mean sides of the box of its 68 points: room for the parser's window, turned and shifted.
WIDE = (2.2, 3.2)


class WideCrops(CropMaker):
    """Crops around the points' box, wide enough for every window that training cuts from them."""

    def camera(self, posed: Posed, rng: np.random.Generator) -> Camera:
        """See :meth:`tvface.synthetic.crops.maker.CropMaker.camera`."""
        plain = Camera(1.0, 1, 1, (0.0, 0.0)).project(posed.landmarks)[:, :2]
        low, high = plain.min(0), plain.max(0)
        side = (high - low).mean() * np.exp(rng.uniform(*np.log(WIDE)))
        centre = (low + high) / 2 + rng.normal(0, 0.03, 2) * side
        focal = self.size / side
        middle = (self.size - 1) / 2 - centre * focal
        return Camera(float(focal), self.size, self.size, (float(middle[0]), float(middle[1])))


def make(head: HeadData, count: int, seed: int, size: int = SIZE, portraits: Sequence[Texture] = ()) -> Samples:
    """Return ``count`` crops; equal arguments give equal crops. Skins change every four crops, people every two."""
    maker = WideCrops(head, size, portraits)
    rng = np.random.default_rng([seed, 0x1A4D])
    crops = list(maker.crops(count, rng))
    return Samples(
        np.stack([crop.image for crop in crops]),
        np.stack([crop.points for crop in crops]).astype(np.float32),
        np.stack([crop.labels for crop in crops]),
    )


@dataclass(frozen=True)
class Shard:
    """A shard to write: ``count`` crops from ``seed``."""

    path: Path
    count: int
    seed: int


def _write_shard(shard: Shard) -> Path:
    head = HeadData.load(shard.path.parent / HEAD)
    portraits = [portrait.texture for portrait in load_portraits(head, shard.path.parent / PORTRAITS)]
    with one_thread():
        samples = make(head, shard.count, shard.seed, portraits=portraits)
    return save_shard(shard.path, {name: getattr(samples, name) for name in ARRAYS})


def write(folder: Path, count: int, seed: int, processes: int, per_shard: int = 250) -> Iterator[Path]:
    """Write shards for :func:`tvface.bundled.samples.load`; yield each path when its shard is written.

    First it writes the human head of this version and the portraits fitted to it into the folder.

    Args:
        folder: of the shards; created if missing.
        count: number of crops.
        seed: of the set; every shard has its own seed.
        processes: number of worker processes; it does not change the files.
        per_shard: number of crops in a shard.

    Raises:
        CropsError: the folder holds crops of another head.
    """
    folder.mkdir(parents=True, exist_ok=True)
    load_portraits(write_head(folder), folder / PORTRAITS)  # fitted once, then read by every process
    shards = [
        Shard(folder / f"crops_{index:04d}.npz", number, seed * 100_003 + index)
        for index, number in enumerate(sizes(count, per_shard))
    ]
    yield from write_missing(_write_shard, shards, processes)


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: write crops."""
    parser = makers_parser("tvface.bundled.crops", __doc__)
    parser.add_argument("--count", type=int, default=12000)
    options = parser.parse_args(arguments)
    command = command_line("tvface.bundled.crops", arguments)
    log_paths(write(options.out, options.count, options.seed, options.processes), options.out, command)


if __name__ == "__main__":
    main()
