"""The sample sheet: a tab-separated table of clips that defines the footage of a run."""

from __future__ import annotations

import csv
import os
import stat
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tvface.episodes.base import (
    NAMES_SHOWN,
    VIDEO_SUFFIXES,
    Episode,
    EpisodeError,
    is_safe,
    parse_clip,
    safe_name,
)

SHEET_COLUMNS = ("show", "episode", "source")
CLIP_COLUMN = "clip"
ARCHIVE = "archive:"

Kind = Literal["video", "tvqa", "archive"]


@dataclass(frozen=True)
class _Row:
    line: int
    show: str
    episode: str
    clip: str
    source: str
    kind: Kind


class _WrongRow(Exception):
    """A row is wrong; the message says why and how to mend it."""


def sheet_episodes(path: str | Path, results: str | Path, archive: str | None = None) -> list[Episode]:
    """Return the episodes of a sample sheet.

    The sheet is tab-separated. Its header names the columns ``show``, ``episode``, ``source`` and, optionally,
    ``clip``; other columns are ignored. A source is a video file, a folder of numbered JPEG frames at 3 frames/s (one
    clip), or ``archive:CLIP``, a clip of TVQA's split archive. Rows of one show and episode are the clips of one
    episode, in the order of the sheet; a video is an episode by itself. ``clip`` names the clip; the default is the
    name of the folder. Paths are relative to the working folder.

    Args:
        path: the sheet.
        results: folder of the run, where the archive stage writes.
        archive: the setting ``archive``; rows with ``archive:`` need it.

    Raises:
        EpisodeError: a column is missing or rows are wrong; the message names wrong rows by their line numbers.
    """
    path = Path(path)
    errors: list[str] = []
    episodes: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for line, cells in _lines(path):
        try:
            row = _parsed(line, cells, archive)
            episodes[row.show, row.episode].append(row)
        except _WrongRow as problem:
            errors.append(f"line {line}: {problem}")
    for (_, name), rows in episodes.items():
        errors += _clashes(name, rows)
    if errors:
        more = f"\n  and {len(errors) - NAMES_SHOWN} more" if len(errors) > NAMES_SHOWN else ""
        raise EpisodeError(f"{path}: " + "\n  ".join(["wrong rows", *errors[:NAMES_SHOWN]]) + more)
    index = Path(results) / "archive.parquet"
    return [
        Episode(
            show,
            name,
            rows[0].kind,
            (index,) if rows[0].kind == "archive" else tuple(Path(row.source) for row in rows),
            tuple(row.clip for row in rows),
        )
        for (show, name), rows in episodes.items()
    ]


def sheet_text(episodes: Iterable[Episode]) -> str:
    """Return the sample sheet of these episodes."""
    lines = ["\t".join(("show", "episode", CLIP_COLUMN, "source"))]
    for episode in episodes:
        sources = [ARCHIVE + clip for clip in episode.clips] if episode.kind == "archive" else episode.sources
        lines += [
            f"{episode.show}\t{episode.name}\t{clip}\t{source}"
            for clip, source in zip(episode.clips, sources, strict=True)
        ]
    return "\n".join(lines) + "\n"


def _lines(path: Path) -> list[tuple[int, dict[str, str]]]:
    """Return the rows with their line numbers, cells stripped; absent cells are empty."""
    if not path.is_file():
        raise EpisodeError(f"sheet: {path} does not exist (seen from {Path.cwd()}); write it with: tvface index {path}")
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE, restkey="")
        missing = [column for column in SHEET_COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise EpisodeError(
                f"{path}: no column {', '.join(missing)}; the first line names the columns {' '.join(SHEET_COLUMNS)}, "
                "separated by tabs"
            )
        rows = [(reader.line_num, row) for row in reader]
    if not rows:
        raise EpisodeError(f"{path}: holds no rows; add one line per clip: show, episode, source")
    return [
        (
            line,
            {name: "\t".join(cell) if isinstance(cell, list) else (cell or "").strip() for name, cell in row.items()},
        )
        for line, row in rows
    ]


def _parsed(line: int, cells: dict[str, str], archive: str | None) -> _Row:
    if cells.get(""):
        raise _WrongRow(f"more cells than the first line has columns, from {cells['']!r} on; take the extra tab away")
    for column in SHEET_COLUMNS:
        if not cells[column]:
            raise _WrongRow(f"{column} is empty; write the {column} there, or take the line away")
    for column in ("show", "episode", CLIP_COLUMN):
        value = cells.get(column, "")
        if value and not is_safe(value):
            raise _WrongRow(f"{column} {value!r} may hold only letters, digits, '_' and '-'; try {safe_name(value)!r}")
    source = cells["source"]
    kind, default = _kind(source, cells["episode"], archive)
    clip = cells.get(CLIP_COLUMN) or default
    if kind == "archive" and clip != default:
        raise _WrongRow(f"clip {clip} and source {source} differ; a clip of the archive keeps its name")
    return _Row(line, cells["show"], cells["episode"], clip, source, kind)


def _kind(source: str, episode: str, archive: str | None) -> tuple[Kind, str]:
    """Return the kind of a source, and the default name of its clip."""
    if source.startswith(ARCHIVE):
        clip = source.removeprefix(ARCHIVE)
        if parse_clip(clip) is None:
            raise _WrongRow(f"source {source} names no TVQA clip; write it as archive:castle_s01e01_seg01_clip_00")
        if archive is None:
            raise _WrongRow(f"source {source} lies in TVQA's archive; set 'archive' to the folder of its parts")
        return "archive", clip
    try:
        mode = os.stat(source).st_mode
    except OSError as error:
        raise _WrongRow(
            f"source {source} does not exist (seen from {Path.cwd()}); correct the path or take the line away"
        ) from error
    if stat.S_ISDIR(mode):
        return "tvqa", safe_name(Path(source).name)
    if Path(source).suffix.lower() not in VIDEO_SUFFIXES:
        raise _WrongRow(
            f"source {source} is neither a folder of frames nor a video this reads "
            f"({', '.join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))}); convert it"
        )
    return "video", episode


def _clashes(name: str, rows: list[_Row]) -> list[str]:
    """Return the errors of the rows of one episode that contradict each other."""
    lines = "lines " + ", ".join(str(row.line) for row in rows[:NAMES_SHOWN])
    kinds = {row.kind for row in rows}
    if len(kinds) > 1:
        return [f"{lines}: episode {name} mixes {', '.join(sorted(kinds))} sources; give each kind its own episode"]
    if kinds == {"video"} and len(rows) > 1:
        return [f"{lines}: episode {name} has several sources; only folders of frames can be joined"]
    first: dict[str, int] = {}
    errors = []
    for row in rows:
        if row.clip in first:
            errors.append(
                f"line {row.line}: clip {row.clip} of episode {name} stands in line {first[row.clip]} as well; take "
                f"one away, or tell them apart in the column {CLIP_COLUMN}"
            )
        first.setdefault(row.clip, row.line)
    return errors
