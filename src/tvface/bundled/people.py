"""Training faces of the identity network on disk: shards of people, rendered by :mod:`tvface.bundled.faces`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tvface.bundled.augment import recolour
from tvface.bundled.rims import cover, jitter, replace_rims, shade
from tvface.bundled.samples import SamplesError, read_shards

ARRAYS = ("images", "person", "take")


@dataclass(frozen=True)
class FaceViews:
    """A batch as the identity network sees it: ``images`` (B, 3, s, s) in [0, 1]; ``person``, ``take`` (B,) int64."""

    images: Tensor
    person: Tensor
    take: Tensor


@dataclass(frozen=True)
class People:
    """Training faces in memory.

    ``images`` (N, S, S, 3) uint8 RGB; ``person`` (N,) int32, from 0 in rising order; ``take`` (N,) int32, number of
    the take within the person.
    """

    images: NDArray[np.uint8]
    person: NDArray[np.int32]
    take: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def count(self) -> int:
        """Return the number of people."""
        return int(self.person.max()) + 1

    def split(self, held_out: int) -> tuple[People, People]:
        """Return (training, held out): the last ``held_out`` people are held out, numbered from 0.

        Raises:
            SamplesError: no people would be left to train on.
        """
        if held_out >= self.count:
            raise SamplesError(f"{held_out} people cannot be held out of {self.count}; make more")
        cut = self.count - held_out
        first = int(np.searchsorted(self.person, cut))
        return (
            People(self.images[:first], self.person[:first], self.take[:first]),
            People(self.images[first:], self.person[first:] - cut, self.take[first:]),
        )

    def training_batches(self, task: object, batch: int, generator: torch.Generator) -> Iterator[FaceViews]:
        """Yield random views without end; every face comes once per round, in random order. ``task`` is not used."""
        while True:
            order = torch.randperm(len(self), generator=generator)
            for start in range(0, len(order) - batch + 1, batch):
                views = self._views(order[start : start + batch])
                images = jitter(views.images, generator)
                images = replace_rims(shade(images, generator), generator)
                yield FaceViews(cover(recolour(images, generator), generator), views.person, views.take)

    def plain_batches(self, task: object, batch: int) -> Iterator[FaceViews]:
        """Yield every face once, in order and unchanged. ``task`` is not used."""
        for start in range(0, len(self), batch):
            yield self._views(torch.arange(start, min(start + batch, len(self))))

    def _views(self, index: Tensor) -> FaceViews:
        rows = index.numpy()
        images = torch.from_numpy(self.images[rows]).permute(0, 3, 1, 2).float() / 255
        person, take = (torch.from_numpy(array[rows]).long() for array in (self.person, self.take))
        return FaceViews(images, person, take)


def load(folder: Path) -> People:
    """Read all shards ``people_*.npz`` of a folder, in order of their names; people are numbered across shards.

    Raises:
        SamplesError: no shard, or one without the three arrays of equal length.
    """
    parts, total = [], 0
    for images, person, take in read_shards(folder, "people_*.npz", ARRAYS, "faces"):
        parts.append((images, person + total, take))
        total += int(person.max()) + 1
    return People(*map(np.concatenate, zip(*parts, strict=True)))
