"""Decisions of a human about the people of a show: a small text file that overrides the clustering.

One decision per line, columns separated by tabs, ``#`` starts a comment. A track is written ``episode:track``, as under
the pictures of the contact sheets. It stands for the person it is part of, so a decision stays valid when other people
are clustered in another way.

    same    castle_s01e01:12    castle_s02e07:3    # one person: merge
    apart   castle_s01e01:12    castle_s01e01:40   # two people: split
    name    castle_s01e01:12    Kate Beckett       # accept, and give the name
    drop    castle_s03e10:5                        # not a person of the show (a poster, a crowd): never used
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components

Track = tuple[str, int]  # episode, track
COLUMNS = {"same": 3, "apart": 3, "name": 3, "drop": 2}
DROPPED = "-"  # person of dropped tracks


class DecisionError(ValueError):
    """A decision cannot be followed; the message names file, line and remedy."""


@dataclass(frozen=True)
class Decisions:
    """Decisions in the order of the file; each ends with its line number, for messages."""

    path: Path
    same: tuple[tuple[Track, Track, int], ...] = ()
    apart: tuple[tuple[Track, Track, int], ...] = ()
    names: tuple[tuple[Track, str, int], ...] = ()
    drop: tuple[tuple[Track, int], ...] = ()

    def tracks(self) -> set[Track]:
        """Return the tracks that were joined, split or named."""
        pairs = {track for a, b, _ in (*self.same, *self.apart) for track in (a, b)}
        return pairs | {track for track, _, _ in self.names}


def read_decisions(path: Path) -> Decisions:
    """Read a file of decisions.

    Raises:
        DecisionError: it is missing, or a line is not a decision.
    """
    if not path.is_file():
        raise DecisionError(f"identities.decisions: {path} is not there; an empty file decides nothing")
    same: list[tuple[Track, Track, int]] = []
    apart: list[tuple[Track, Track, int]] = []
    names: list[tuple[Track, str, int]] = []
    drop: list[tuple[Track, int]] = []
    for number, words in _lines(path):
        verb, first = words[0], _track(path, number, words[1])
        if verb in ("same", "apart"):
            pair = (first, _track(path, number, words[2]), number)
            if pair[0] == pair[1]:
                raise DecisionError(f"{path}:{number}: {words[1]} is on both sides; name two tracks")
            (same if verb == "same" else apart).append(pair)
        elif verb == "name":
            names.append((first, words[2], number))
        else:
            drop.append((first, number))
    return Decisions(path, tuple(same), tuple(apart), tuple(names), tuple(drop))


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        words = [word.strip() for word in line.partition("#")[0].split("\t")]
        words = [word for word in words if word]
        if not words:
            continue
        if words[0] not in COLUMNS:
            raise DecisionError(f"{path}:{number}: {words[0]!r} is no decision; one of {', '.join(COLUMNS)}")
        if len(words) != COLUMNS[words[0]]:
            raise DecisionError(
                f"{path}:{number}: {words[0]!r} takes {COLUMNS[words[0]] - 1} values after it, separated by tabs; "
                f"found {len(words) - 1}"
            )
        yield number, words


def _track(path: Path, number: int, word: str) -> Track:
    episode, colon, track = word.rpartition(":")
    if not colon or not episode or not track.isdigit():
        raise DecisionError(f"{path}:{number}: {word!r} is no track; write episode:track, as castle_s01e01:12")
    return episode, int(track)


class Constraints:
    """Decisions as sets of rows of the show's tracks.

    Args:
        decisions: read from a file.
        rows: track -> row among the tracks of the show.

    Raises:
        DecisionError: a track is unknown, or is dropped and used at once.
    """

    def __init__(self, decisions: Decisions, rows: Mapping[Track, int]) -> None:
        self.path = decisions.path
        self._rows = rows
        self.same = [(self._row(a, n), self._row(b, n)) for a, b, n in decisions.same]
        self.apart = [(self._row(a, n), self._row(b, n)) for a, b, n in decisions.apart]
        self.drop = sorted({self._row(track, number) for track, number in decisions.drop})
        self.names = {self._row(track, number) for track, _, number in decisions.names}
        self._decisions = decisions
        unsure = [row for row in self.drop if any(row in pair for pair in self.same) or row in self.names]
        if unsure:
            raise DecisionError(
                f"{self.path}: a track that is dropped is also joined or named; remove one of the lines"
            )

    @classmethod
    def none(cls) -> Constraints:
        """Return the constraints of a show without decisions."""
        return cls(Decisions(Path()), {})

    @property
    def count(self) -> int:
        """Number of decisions."""
        return len(self.same) + len(self.apart) + len(self.names) + len(self.drop)

    def named(self, person: NDArray[np.int32]) -> dict[int, str]:
        """Return the decided names by number of the person.

        Args:
            person: (N,) of the show's tracks, as clustered under these constraints.

        Raises:
            DecisionError: `same` lines join the tracks of an `apart` line, or one person has two names.
        """
        for (first, second), (a, b, number) in zip(self.apart, self._decisions.apart, strict=True):
            if person[first] == person[second]:
                raise DecisionError(
                    f"{self.path}:{number}: {_written(a)} and {_written(b)} are to be apart, but `same` lines join "
                    "their people; remove one of them"
                )
        names: dict[int, tuple[str, int]] = {}
        for track, name, number in self._decisions.names:
            before = names.setdefault(int(person[self._rows[track]]), (name, number))
            if before[0] != name:
                raise DecisionError(
                    f"{self.path}:{number}: {_written(track)} is named {name!r}, but line {before[1]} names the same "
                    f"person {before[0]!r}; split them with `apart`, or remove one of the lines"
                )
        return {number: name for number, (name, _) in names.items()}

    def _row(self, track: Track, number: int) -> int:
        if track not in self._rows:
            raise DecisionError(
                f"{self.path}:{number}: there is no track {_written(track)}; the faces may have been tracked anew "
                "since the line was written: look the person up on the sheet again"
            )
        return self._rows[track]


def _written(track: Track) -> str:
    return f"{track[0]}:{track[1]}"


def joined(count: int, pairs: Sequence[tuple[int, int]]) -> NDArray[np.int64]:
    """Return the group (count,) of every row when the pairs' rows belong together, numbered from 0."""
    first, second = (np.array([pair[side] for pair in pairs], np.int64) for side in (0, 1))
    graph = coo_matrix((np.ones(len(pairs)), (first, second)), shape=(count, count))
    groups: NDArray[np.int64] = connected_components(graph, directed=False)[1].astype(np.int64)
    return groups
