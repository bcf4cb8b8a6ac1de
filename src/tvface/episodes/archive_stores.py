"""Stores of episodes that the archive stage writes; they grow while the archive is read, and later runs keep them."""

from __future__ import annotations

import hashlib
import json
import logging
from array import array
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from tvface.episodes import Episode
from tvface.files.relative import project_path
from tvface.manifests import ManifestError, Provenance, read_provenance, write
from tvface.manifests.archive import STORED
from tvface.media.parts import Part, find_parts
from tvface.media.tarstore import GrowingTar
from tvface.settings import Settings

# Version of the format of a store; a store of another version is written again.
FORMAT = 1
log = logging.getLogger("tvface.archive")


def identity(parts: Iterable[Part]) -> str:
    """Return a digest that identifies an archive, from its parts' names and published md5 sums (or else sizes)."""
    contents = [[part.path.name, part.md5 or part.size] for part in parts]
    return hashlib.sha256(json.dumps(contents).encode()).hexdigest()


def finished_episodes(settings: Settings, episodes: Iterable[Episode]) -> set[str]:
    """Return the names of the episodes that a pass over the archive of the run has finished."""
    if settings.archive is None:
        return set()
    archive, folder = identity(find_parts(settings.archive)), Path(settings.results) / "archive"
    return {episode.name for episode in episodes if episode.kind == "archive" and is_finished(folder, episode, archive)}


def is_finished(folder: Path, episode: Episode, archive: str) -> bool:
    """Return whether an earlier pass over the same archive has written this episode with these clips."""
    manifest, store = folder / f"{episode.name}.parquet", folder / f"{episode.name}.tar"
    if not manifest.is_file() or not store.is_file():
        return False
    try:
        provenance = read_provenance(manifest, STORED)
    except ManifestError as error:
        log.warning("%s; the episode is written again", error)
        return False
    size = provenance["notes"]["store_bytes"]
    return bool(provenance["settings"] == _key(episode, archive) and store.stat().st_size == size)


def _key(episode: Episode, archive: str) -> dict[str, Any]:
    return {"archive": archive, "clips": sorted(episode.clips), "format": FORMAT}


@dataclass
class _Growing:
    """One unfinished episode; it holds 24 bytes per frame in memory."""

    episode: Episode
    tar: GrowingTar
    waiting: set[str]
    frames: dict[str, tuple[array[int], array[int], array[int]]] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)


class Stores:
    """The stores of one pass. A store appears once all its clips are read and the parts they lie in are verified.

    Episodes that are unfinished when the block ends, at the end of the archive or by an error, leave no files.
    """

    def __init__(self, folder: Path, episodes: Sequence[Episode], archive: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".*.partial"):
            leftover.unlink()
        self._archive = archive
        self._growing = {
            episode.name: _Growing(episode, GrowingTar(folder / f"{episode.name}.tar"), set(episode.clips))
            for episode in episodes
        }
        self._of_clip = {clip: self._growing[episode.name] for episode in episodes for clip in episode.clips}
        self._done: list[tuple[int, _Growing]] = []
        self._clip: str | None = None
        self._seen: set[int] = set()
        self.late: Counter[str] = Counter()
        self.published = 0

    def __enter__(self) -> Stores:
        return self

    def __exit__(self, *_: object) -> None:
        for growing in self._growing.values():
            growing.tar.discard()

    def wants(self, clip: str) -> bool:
        """Return whether the frames of a clip are written."""
        return clip in self._of_clip

    def add(self, clip: str, number: int, data: bytes) -> None:
        """Append a frame to the store of its episode; a repeated number is dropped and counted as ``repeated``."""
        growing = self._of_clip[clip]
        if not growing.waiting:
            self.late[clip] += 1
            return
        columns = growing.frames.setdefault(clip, (array("q"), array("q"), array("q")))
        if clip != self._clip:
            self._clip, self._seen = clip, set(columns[0])
        if number in self._seen:
            growing.dropped["repeated"] += 1
            return
        self._seen.add(number)
        place = growing.tar.add(f"{clip}/{number:05d}.jpg", data)
        for column, value in zip(columns, (number, *place), strict=True):
            column.append(value)

    def drop(self, clip: str, reason: str) -> None:
        """Count a file of a clip of the run that is not written."""
        self._of_clip[clip].dropped[reason] += 1

    def leave(self, clip: str, consumed: int) -> None:
        """Record the end of a clip's folder in the archive, at byte ``consumed`` of the parts."""
        if not self.wants(clip):
            return
        growing = self._of_clip[clip]
        growing.tar.pause()
        if clip in growing.waiting:
            growing.waiting.remove(clip)
            if not growing.waiting:
                self._done.append((consumed, growing))

    def publish(self, verified: int) -> None:
        """Finish the stores whose bytes all lie in the first ``verified`` bytes of the parts."""
        for consumed, growing in self._done:
            if consumed <= verified:
                self._finish(growing)
        self._done = [entry for entry in self._done if entry[0] > verified]

    def publish_rest(self) -> None:
        """Finish all episodes at the end of a complete archive; absent clips count as ``clip_missing``."""
        self._done = []
        for growing in list(self._growing.values()):
            growing.dropped["clip_missing"] += len(growing.waiting)
            self._finish(growing)

    def _finish(self, growing: _Growing) -> None:
        tar, name = growing.tar, growing.episode.name
        tar.finish()
        table = pd.concat(
            [_rows(name, clip, tar, columns) for clip, columns in growing.frames.items()] or [STORED.empty()]
        )
        provenance = Provenance(
            stage=STORED.stage,
            settings=_key(growing.episode, self._archive),
            dropped=dict(+growing.dropped),
            notes={"store_bytes": tar.path.stat().st_size},
        )
        write(tar.path.with_suffix(".parquet"), STORED, table, provenance)
        growing.frames.clear()
        del self._growing[name]
        self.published += 1


def _rows(episode: str, clip: str, tar: GrowingTar, columns: tuple[array[int], ...]) -> pd.DataFrame:
    named: Mapping[str, array[int]] = dict(zip(("source_frame", "image_offset", "image_length"), columns, strict=True))
    return pd.DataFrame({**named, "episode": episode, "clip": clip, "image_file": project_path(tar.path)})
