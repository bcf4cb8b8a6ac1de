"""Sets of crops on disk: npz shards that several processes write, and their head.

A shard is a function of the set's seed and the shard's number, so it depends neither on the number of processes nor on
the other files. A run that was stopped resumes: complete shards stay. Files appear atomically and hold no pickles.
"""

from __future__ import annotations

import dataclasses
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from tvface.files.atomic import atomic
from tvface.head import human
from tvface.head.data import HeadData
from tvface.settings.model import Head

HEAD = "head.npz"


class CropsError(ValueError):
    """A set of crops cannot be written as requested, or its folder holds files of another set."""


class Shard(Protocol):
    """A shard to write; it is sent to another process."""

    @property
    def path(self) -> Path:
        """The shard's file."""


Written = TypeVar("Written", bound=Shard)


def sizes(count: int, per_shard: int) -> list[int]:
    """Return the number of entries in each shard: ``per_shard``, in the last one the rest of ``count``."""
    return [min(per_shard, count - start) for start in range(0, count, per_shard)]


def write_missing(
    write: Callable[[Written], Path],
    shards: Sequence[Written],
    processes: int,
    is_done: Callable[[Written], bool] = lambda shard: shard.path.is_file(),
) -> Iterator[Path]:
    """Write the missing shards; yield the existing files, then each new file when it is written.

    Args:
        write: writes one shard and returns its file; a module's function, because it runs in other processes.
        shards: all shards of the set.
        processes: number of workers; with one worker or one missing shard, this process writes.
        is_done: whether a shard exists and is complete.
    """
    missing = [shard for shard in shards if not is_done(shard)]
    for shard in shards:
        if shard not in missing:
            yield shard.path
    if processes == 1 or len(missing) <= 1:
        yield from map(write, missing)
    else:
        with multiprocessing.get_context("spawn").Pool(min(processes, len(missing))) as pool:
            yield from pool.imap(write, missing)


def save_shard(path: Path, arrays: Mapping[str, np.ndarray]) -> Path:
    """Write arrays as one npz file; return its path."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        # Uncompressed: a training reads the arrays many times, and compression would cost as much as rendering.
        np.savez(file, allow_pickle=False, **arrays)
    return path


def write_head(folder: Path) -> HeadData:
    """Write the human head of this version into a folder of crops, and return it.

    Raises:
        CropsError: the folder holds crops of another head.
    """
    path, head = folder / HEAD, human.build(Head())
    if not path.is_file():
        head.save(path)
    elif not _equal(HeadData.load(path), head):
        raise CropsError(f"{path}: these crops were made with another head; delete them or name another folder")
    return head


def _equal(one: HeadData, other: HeadData) -> bool:
    pairs = [(getattr(one, field.name), getattr(other, field.name)) for field in dataclasses.fields(HeadData)]
    return all(np.array_equal(a, b) for a, b in pairs)
