"""Training crops on disk: shards of pictures with exact points and label maps, rendered by :mod:`tvface.synthetic`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tvface.bundled.augment import Views, frame, occlude, recolour
from tvface.bundled.tasks import Task

ARRAYS = ("images", "points", "labels")


class SamplesError(RuntimeError):
    """A folder of training crops cannot be used; the message says how to make one."""


@dataclass(frozen=True)
class Samples:
    """Training crops in memory.

    ``images`` (N, S, S, 3) uint8 RGB; ``points`` (N, 68, 2) float32; ``labels`` (N, S, S) uint8, classes 0..18 in
    zllrunning order.

    Convention: points in crop pixels, x right, y down, centres at integers.
    """

    images: NDArray[np.uint8]
    points: NDArray[np.float32]
    labels: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.images)

    def split(self, held_out: int) -> tuple[Samples, Samples]:
        """Return (training, held out): the last ``held_out`` crops are held out.

        Raises:
            SamplesError: nothing would be left to train on.
        """
        if held_out >= len(self):
            raise SamplesError(f"{held_out} crops cannot be held out of {len(self)}; make more crops")
        cut = len(self) - held_out
        return self._part(slice(0, cut)), self._part(slice(cut, None))

    def _part(self, part: slice) -> Samples:
        return Samples(self.images[part], self.points[part], self.labels[part])

    def training_batches(self, task: Task[Views], batch: int, generator: torch.Generator) -> Iterator[Views]:
        """Yield random views without end; every crop comes once per round, in random order."""
        while True:
            order = torch.randperm(len(self), generator=generator)
            for start in range(0, len(order) - batch + 1, batch):
                views = self._frame(order[start : start + batch], task, generator)
                views = occlude(views, generator, task.occluded)
                yield Views(recolour(views.images, generator), views.points, views.labels, views.eyes)

    def plain_batches(self, task: Task[Views], batch: int) -> Iterator[Views]:
        """Yield every crop once, in order, in the task's mean framing and unchanged colours."""
        for start in range(0, len(self), batch):
            yield self._frame(torch.arange(start, min(start + batch, len(self))), task, None)

    def _frame(self, index: Tensor, task: Task[Views], generator: torch.Generator | None) -> Views:
        rows = index.numpy()
        return frame(
            torch.from_numpy(self.images[rows]),
            torch.from_numpy(self.points[rows]),
            torch.from_numpy(self.labels[rows]),
            task.framing,
            task.size,
            generator,
        )


def load(folder: Path) -> Samples:
    """Read all shards ``crops_*.npz`` of a folder, in order of their names.

    Raises:
        SamplesError: no shard, or one without the three arrays of equal length.
    """
    return Samples(*map(np.concatenate, zip(*read_shards(folder, "crops_*.npz", ARRAYS, "crops"), strict=True)))


def read_shards(folder: Path, pattern: str, names: Sequence[str], what: str) -> Iterator[list[np.ndarray]]:
    """Yield the arrays ``names`` of each shard of a folder, in order of the shards' names.

    Args:
        folder: of the shards.
        pattern: glob pattern of their file names.
        names: of the arrays.
        what: kind of training data, for error messages.

    Raises:
        SamplesError: no shard, or one without these arrays in equal length.
    """
    shards = sorted(folder.glob(pattern))
    if not shards:
        raise SamplesError(f"{folder}: no shards of training {what} ({pattern})")
    for path in shards:
        with np.load(path, allow_pickle=False) as archive:
            missing = [name for name in names if name not in archive.files]
            if missing:
                raise SamplesError(f"{path}: not a shard of training {what}: without {', '.join(missing)}")
            arrays = [archive[name] for name in names]
        if len({len(array) for array in arrays}) != 1:
            raise SamplesError(f"{path}: its arrays have different lengths; make it again")
        yield arrays
