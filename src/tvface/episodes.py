"""What a run is made of: episodes (one shard each) from folders, a TVQA tree, a sample sheet or the embedded show.

Shard names hold only ASCII letters, digits, ``_`` and ``-``, so that they are safe in file names and as Snakemake
wildcards, and they are unique in the run.
"""

from __future__ import annotations

import csv
import logging
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tvface.settings import Settings, SettingsError

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg"})
SYNTHETIC_SHOW = "demo"
SHEET_COLUMNS = ("show", "episode", "source")

# TVQA's abbreviation for The Big Bang Theory, whose clips carry no prefix (spec/data.md B1).
_UNPREFIXED = "bbt"
_CLIP = re.compile(r"(?:([a-z]+)_)?(s\d+e\d+(?:-\d+)?)_seg(\d+)_clip_(\d+)")
_SAFE = re.compile(r"[A-Za-z0-9_-]+")
_ROWS_SHOWN = 10

_log = logging.getLogger("tvface.episodes")


class EpisodeError(SettingsError):
    """The footage named in the settings cannot be used; the message says what, where, and how to mend it."""


@dataclass(frozen=True)
class Episode:
    """One shard of the run.

    ``sources`` are one video file (kind ``video``) or one folder of numbered JPEG frames per clip (kind ``tvqa``, at
    3 frames/s); ``clips`` holds the name of the continuous footage in each source.
    """

    show: str
    name: str
    kind: Literal["video", "tvqa"]
    sources: tuple[Path, ...]
    clips: tuple[str, ...]


def list_episodes(settings: Settings) -> list[Episode]:
    """Return every episode of the run in a stable order.

    Raises:
        EpisodeError: no footage is named, a path is missing or empty, or two episodes have one name.
    """
    found: list[Episode] = []
    if settings.synth.enabled:
        found += synthetic_episodes(settings)
    if settings.videos is not None:
        found += video_episodes([settings.videos] if isinstance(settings.videos, str) else settings.videos)
    if settings.tvqa is not None:
        found += tvqa_episodes(settings.tvqa, settings.shows)
    if settings.sheet is not None:
        found += sheet_episodes(settings.sheet)
    if not found:
        raise EpisodeError(
            "no footage: set one of 'videos' (file or folder), 'tvqa' (folder of *_frames folders), 'sheet' (TSV), or "
            "'synth.enabled: true' for the embedded show"
        )
    _require_unique(found)
    return found


def find_episode(settings: Settings, name: str) -> Episode:
    """Return the episode with this name.

    Raises:
        EpisodeError: the run has no such episode.
    """
    episodes = {episode.name: episode for episode in list_episodes(settings)}
    if name not in episodes:
        raise EpisodeError(f"no episode '{name}' in this run; there are: {_shorten(list(episodes))}")
    return episodes[name]


def synthetic_episodes(settings: Settings) -> list[Episode]:
    """Return the episodes of the embedded show, ``demo_s01e01`` ..., whose videos the ``synth`` stage makes."""
    names = [f"{SYNTHETIC_SHOW}_s01e{number:02d}" for number in range(1, settings.synth.episodes + 1)]
    folder = Path(settings.results) / "synth"
    return [Episode(SYNTHETIC_SHOW, name, "video", (folder / f"{name}.mp4",), (name,)) for name in names]


def video_episodes(places: Iterable[str]) -> list[Episode]:
    """Return one episode per video file; a folder stands for all videos below it.

    A video in a sub-folder belongs to the show of that name: its people are recognised across the show's episodes. A
    video named itself, or lying directly in a named folder, is a show of its own, so that one more changes no other.
    Videos of one stem (``a/pilot.mp4``, ``b/pilot.mp4``) get their folder's name in front.

    Raises:
        EpisodeError: a place does not exist, is no video, or is a folder without videos.
    """
    shows: dict[Path, str | None] = {}
    for place in map(Path, places):
        for path in _videos_at(place):
            loose = path == place or path.parent == place
            shows[path] = None if loose else safe_name(path.parent.name)
    stems = Counter(safe_name(path.stem) for path in shows)
    episodes = []
    for path, show in shows.items():
        stem = safe_name(path.stem)
        name = stem if stems[stem] == 1 else f"{safe_name(path.absolute().parent.name)}_{stem}"
        episodes.append(Episode(show or name, name, "video", (path,), (name,)))
    return episodes


def _videos_at(place: Path) -> list[Path]:
    suffixes = ", ".join(sorted(suffix[1:] for suffix in VIDEO_SUFFIXES))
    if place.is_file():
        if place.suffix.lower() not in VIDEO_SUFFIXES:
            raise EpisodeError(f"videos: {place} is not a video this reads ({suffixes}); convert it or rename it")
        return [place]
    if not place.is_dir():
        raise EpisodeError(
            f"videos: {place} does not exist (seen from {Path.cwd()}); give an existing file or folder, for example "
            "--config videos=path/to/folder"
        )
    found = [
        Path(folder, name)
        for folder, _, names in os.walk(place)
        for name in names
        if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES
    ]
    if not found:
        raise EpisodeError(
            f"videos: the folder {place} holds no video ({suffixes}); put some in or name another folder"
        )
    return sorted(found, key=lambda path: natural_key(path.relative_to(place).as_posix()))


def tvqa_episodes(root: str | Path, shows: Sequence[str]) -> list[Episode]:
    """Return the episodes of the chosen shows of a TVQA frame tree, clips in natural order.

    ``root`` is searched for ``<abbreviation>_frames`` folders, whatever the archive was unpacked into. A clip is a
    folder ``{abbreviation}_sSSeEE_segNN_clip_NN`` (double episodes ``s06e24-25``; The Big Bang Theory, ``bbt``, has no
    prefix). Folders of other names are left out and counted in the log.

    Raises:
        EpisodeError: no such folder, no frame folders, a chosen show is missing, or a clip stands in two places.
    """
    root = Path(root)
    if not root.is_dir():
        raise EpisodeError(
            f"tvqa: {root} is not a folder (seen from {Path.cwd()}); point 'tvqa' at the unpacked frames"
        )
    folders = _frame_folders(root)
    if not folders:
        raise EpisodeError(f"tvqa: no '<show>_frames' folder below {root}; point 'tvqa' at the unpacked frame archive")
    clips: dict[str, tuple[tuple[str, str, int, int], Path]] = {}
    strange: list[str] = []
    for folder in folders:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir()]
        for name in names:
            key = parse_clip(name)
            if key is None:
                strange.append(f"{folder.name}/{name}")
                continue
            if name in clips:
                raise EpisodeError(
                    f"tvqa: the clip {name} stands in {clips[name][1].parent} and in {folder}; "
                    "point 'tvqa' at one of them"
                )
            clips[name] = (key, folder / name)
    if strange:
        _log.warning(
            "tvqa: %d folders are not named as TVQA clips and are left out: %s", len(strange), _shorten(strange)
        )
    available = sorted({key[0] for key, _ in clips.values()})
    missing = [show for show in shows if show not in available]
    if missing:
        raise EpisodeError(
            f"tvqa: no clips of {', '.join(missing)} below {root}; 'shows' can name {', '.join(available) or 'none'}"
        )
    grouped: dict[tuple[str, str], list[tuple[int, int, str, Path]]] = defaultdict(list)
    for name, ((show, episode, segment, clip), path) in clips.items():
        if show in shows:
            grouped[show, episode].append((segment, clip, name, path))
    episodes = []
    for show, episode in sorted(grouped, key=lambda key: (key[0], natural_key(key[1]))):
        members = sorted(grouped[show, episode])
        sources, names_ = tuple(item[3] for item in members), tuple(item[2] for item in members)
        episodes.append(Episode(show, f"{show}_{episode}", "tvqa", sources, names_))
    return episodes


def parse_clip(name: str) -> tuple[str, str, int, int] | None:
    """Split a TVQA clip name into show, episode (``s06e24-25``), segment and clip; None if it is not one."""
    match = _CLIP.fullmatch(name)
    if match is None:
        return None
    prefix, episode, segment, clip = match.groups()
    return prefix or _UNPREFIXED, episode, int(segment), int(clip)


def _frame_folders(root: Path) -> list[Path]:
    if root.name.endswith("_frames"):
        return [root]
    found = []
    for folder, children, _ in os.walk(root):
        found += [Path(folder, child) for child in children if child.endswith("_frames")]
        # Clips hold hundreds of pictures each: never walk into a frame folder.
        children[:] = sorted(child for child in children if not child.endswith("_frames"))
    return sorted(found)


def sheet_episodes(path: str | Path) -> list[Episode]:
    """Read a sample sheet: tab-separated with a header ``show episode source``.

    A source is a video file, or a folder of numbered JPEG frames at 3 frames/s (one clip); rows of one show and episode
    whose sources are folders are the clips of one episode. Paths are relative to the working folder.

    Raises:
        EpisodeError: a column is missing or rows are wrong; every wrong row is named with its line number.
    """
    path = Path(path)
    if not path.is_file():
        raise EpisodeError(f"sheet: {path} does not exist (seen from {Path.cwd()})")
    with open(path, encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        missing = [column for column in SHEET_COLUMNS if column not in (reader.fieldnames or ())]
        if missing:
            raise EpisodeError(
                f"{path}: no column {', '.join(missing)}; the first line names the columns {' '.join(SHEET_COLUMNS)}, "
                "separated by tabs"
            )
        rows = [(reader.line_num, row) for row in reader]
    if not rows:
        raise EpisodeError(f"{path}: holds no rows; add one line per episode: show, episode, source")
    errors: list[str] = []
    grouped: dict[tuple[str, str], list[tuple[int, Path]]] = defaultdict(list)
    for line, row in rows:
        problem = _row_problem(row)
        if problem:
            errors.append(f"line {line}: {problem}")
            continue
        grouped[row["show"].strip(), row["episode"].strip()].append((line, Path(row["source"].strip())))
    episodes = []
    for (show, name), members in grouped.items():
        sources = tuple(source for _, source in members)
        if all(source.is_dir() for source in sources):
            episodes.append(Episode(show, name, "tvqa", sources, tuple(safe_name(source.name) for source in sources)))
        elif len(sources) == 1:
            episodes.append(Episode(show, name, "video", sources, (name,)))
        else:
            lines = ", ".join(str(line) for line, _ in members)
            errors.append(f"lines {lines}: episode {name} has several sources; only folders of frames can be joined")
    if errors:
        more = f"\n  and {len(errors) - _ROWS_SHOWN} more" if len(errors) > _ROWS_SHOWN else ""
        raise EpisodeError(f"{path}: " + "\n  ".join(["wrong rows", *errors[:_ROWS_SHOWN]]) + more)
    return episodes


def _row_problem(row: dict[str, str | None]) -> str | None:
    for column in SHEET_COLUMNS:
        if not (row[column] or "").strip():
            return f"{column} is empty"
    for column in ("show", "episode"):
        value = (row[column] or "").strip()
        if not _SAFE.fullmatch(value):
            return f"{column} {value!r} may hold only letters, digits, '_' and '-'; try {safe_name(value)!r}"
    source = Path((row["source"] or "").strip())
    if not source.exists():
        return f"source {source} does not exist (seen from {Path.cwd()})"
    if source.is_file() and source.suffix.lower() not in VIDEO_SUFFIXES:
        return f"source {source} is neither a folder of frames nor a video this reads"
    return None


def safe_name(text: str) -> str:
    """Return ``text`` in ASCII letters, digits, ``_`` and ``-``; accents are dropped, anything else becomes ``_``."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_") or "unnamed"


def natural_key(text: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key in which ``clip_2`` comes before ``clip_10``."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text))


def _require_unique(episodes: Sequence[Episode]) -> None:
    by_name: dict[str, list[Episode]] = defaultdict(list)
    for episode in episodes:
        by_name[episode.name].append(episode)
    for name, same in by_name.items():
        if len(same) > 1:
            places = " and ".join(str(episode.sources[0]) for episode in same[:3])
            raise EpisodeError(
                f"two episodes would be called '{name}': {places}; rename one file, or name the episodes in a "
                "sample sheet"
            )


def _shorten(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_ROWS_SHOWN])
    return shown if len(names) <= _ROWS_SHOWN else f"{shown} and {len(names) - _ROWS_SHOWN} more"
