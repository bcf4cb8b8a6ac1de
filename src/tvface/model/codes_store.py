"""Codes of a video on disk, one file per block of frames, so that memory does not grow with the length of the video."""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tvface.files.atomic import atomic

Rows = dict[str, NDArray[Any]]


class CodesStore:
    """Rows of all tracks, block by block: ``track``, ``frame``, ``time_s``, ``transform`` and the codes (those of
    :attr:`CODES` that there are).

    The rows of a track within a block are contiguous and in order of time.
    """

    CODES = ("shape", "texture", "expression", "pose", "camera", "light", "detail", "eyes")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shapes: dict[int, NDArray[np.float32]] = {}

    def clear(self) -> None:
        """Remove all blocks."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def has(self, number: int) -> bool:
        """Return whether the block is stored."""
        return self._path(number).is_file()

    def add(self, number: int, rows: Mapping[str, NDArray[Any]]) -> None:
        """Store the rows of a block; a block without faces has none."""
        with atomic(self._path(number)) as temporary, open(temporary, "wb") as file:
            np.savez(file, allow_pickle=False, **rows)

    def finish(self, count: int) -> None:
        """Record that the video has ``count`` blocks."""
        with atomic(self._folder / "complete") as temporary:
            temporary.write_text(str(count))

    @property
    def complete(self) -> bool:
        """Whether every block of the video is stored."""
        marker = self._folder / "complete"
        return marker.is_file() and all(self.has(number) for number in range(int(marker.read_text())))

    def __len__(self) -> int:
        """Return the number of stored blocks."""
        return sum(1 for _ in self._folder.glob("[0-9]*.npz"))

    def tracks(self, number: int) -> Iterator[Rows]:
        """Yield the rows of each track in a block, with its shared shape if :meth:`share_identity` was called."""
        with np.load(self._path(number), allow_pickle=False) as archive:
            rows = dict(archive)
        if not rows:
            return
        starts = np.flatnonzero(np.diff(rows["track"], prepend=-1))
        for start, stop in zip(starts, [*starts[1:], len(rows["track"])], strict=True):
            track_rows = {name: array[start:stop] for name, array in rows.items()}
            shape = self._shapes.get(int(track_rows["track"][0]))
            if shape is not None:
                track_rows["shape"] = np.broadcast_to(shape, track_rows["shape"].shape).copy()
            yield track_rows

    def share_identity(self) -> None:
        """Replace the shape codes of each track by their mean, in all later reads."""
        sums: dict[int, Any] = defaultdict(float)
        counts: dict[int, int] = defaultdict(int)
        self._shapes = {}
        for number in range(len(self)):
            for rows in self.tracks(number):
                track = int(rows["track"][0])
                sums[track] = sums[track] + rows["shape"].sum(0, dtype=np.float64)
                counts[track] += len(rows["shape"])
        self._shapes = {track: (total / counts[track]).astype(np.float32) for track, total in sums.items()}

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:06d}.npz"
