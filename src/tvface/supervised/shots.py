"""Shots of synthetic people on disk, as ``tvface synth-crops`` writes them: mapped, never loaded as a whole."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvface.head.data import HeadData
from tvface.media.npz_maps import mapped
from tvface.settings import SettingsError
from tvface.synthetic.crops.shard_files import HEAD

TRUTH = ("points", "shape", "expression", "joints", "translation", "camera", "skin")
ARRAYS = ("image", "clean", "labels", "occluder", *TRUTH)
"""Arrays that training needs: layers ``image clean labels occluder points parameters``."""


class ShotsError(SettingsError):
    """A folder of shots cannot be used; the message says why and how to make one."""


@dataclass(frozen=True)
class Place:
    """Where a shot lies: its shard, its first row there and its frames; ``person`` is equal for shots of one person."""

    shard: int
    row: int
    frames: int
    person: int


@dataclass(frozen=True)
class Shots:
    """The shots of one folder.

    ``shards`` hold the mapped arrays; ``places`` one entry per shot, in order.
    """

    folder: Path
    shards: Sequence[Mapping[str, np.ndarray]]
    places: Sequence[Place]

    def __len__(self) -> int:
        return len(self.places)

    @property
    def size(self) -> int:
        """Side of the pictures in pixels."""
        return int(self.shards[0]["image"].shape[1])

    @property
    def frames(self) -> int:
        """Frames of the shortest shot."""
        return min(place.frames for place in self.places)

    @property
    def head(self) -> HeadData:
        """The head of codes and vertices."""
        return HeadData.load(self.folder / HEAD)

    def take(self, shot: int, start: int, length: int) -> dict[str, np.ndarray]:
        """Return the arrays of frames ``start .. start + length - 1`` of a shot, copied into memory.

        Raises:
            IndexError: the shot is shorter.
        """
        place = self.places[shot]
        if start < 0 or start + length > place.frames:
            raise IndexError(f"shot {shot} has {place.frames} frames, not {start} to {start + length - 1}")
        rows = slice(place.row + start, place.row + start + length)
        return {name: np.array(array[rows]) for name, array in self.shards[place.shard].items()}

    def people(self) -> list[list[int]]:
        """Return the shots of each person, in order of first appearance."""
        by_person: dict[int, list[int]] = {}
        for number, place in enumerate(self.places):
            by_person.setdefault(place.person, []).append(number)
        return list(by_person.values())


def load(folder: str | Path, names: Sequence[str] = ARRAYS) -> Shots:
    """Map the shards of a folder.

    Args:
        folder: of ``tvface synth-crops``.
        names: of the arrays that are needed.

    Raises:
        ShotsError: no shard, one without an array, or no head.
    """
    folder = Path(folder)
    paths = sorted(folder.glob("crops_*.npz"))
    if not paths or not (folder / HEAD).is_file():
        raise ShotsError(
            f"{folder}: no shots. Make some: tvface synth-crops --out {folder} --count 5000 --frames 5 --size 96 "
            "--layers image clean points labels occluder parameters"
        )
    shards, places = [], []
    for number, path in enumerate(paths):
        try:
            arrays = mapped(path, (*names, "shot", "identity"))
        except KeyError as error:
            raise ShotsError(
                f"{path}: without {error}; make the shots with --layers image clean points labels occluder parameters"
            ) from error
        shots, people = arrays.pop("shot"), arrays.pop("identity")
        shards.append(arrays)
        row = 0
        for _, group in itertools.groupby(shots.tolist()):
            count = len(list(group))
            places.append(Place(number, row, count, int(people[row])))
            row += count
    return Shots(folder, shards, places)
