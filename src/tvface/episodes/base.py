"""Episodes, and the names of episodes and clips."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tvface.settings import SettingsError

VIDEO_SUFFIXES = frozenset({".mp4", ".mkv", ".avi", ".mov", ".webm", ".m4v", ".mpg"})

# TVQA's abbreviation for The Big Bang Theory, whose clips carry no prefix.
_UNPREFIXED = "bbt"
CLIP_PATTERN = r"(?:([a-z]+)_)?(s\d+e\d+(?:-\d+)?)_seg(\d+)_clip_(\d+)"
_CLIP = re.compile(CLIP_PATTERN)
_SAFE = re.compile(r"[A-Za-z0-9_-]+")
NAMES_SHOWN = 10


class EpisodeError(SettingsError):
    """The footage named in the settings cannot be used; the message says what, where, and how to mend it."""


@dataclass(frozen=True)
class Episode:
    """One shard of the run.

    ``sources`` are, by ``kind``: one video file (``video``); one folder of numbered JPEG frames per clip, at
    3 frames/s (``tvqa``); the manifest of the clips that the archive stage took out of TVQA's split archive
    (``archive``). ``clips`` holds the name of each continuous piece of footage.
    """

    show: str
    name: str
    kind: Literal["video", "tvqa", "archive"]
    sources: tuple[Path, ...]
    clips: tuple[str, ...]


def parse_clip(name: str) -> tuple[str, str, int, int] | None:
    """Split a TVQA clip name into show, episode (``s06e24-25``), segment and clip; None if it is not one."""
    match = _CLIP.fullmatch(name)
    if match is None:
        return None
    prefix, episode, segment, clip = match.groups()
    return prefix or _UNPREFIXED, episode, int(segment), int(clip)


def is_safe(text: str) -> bool:
    """Return whether a name may be part of a file name and a Snakemake wildcard."""
    return _SAFE.fullmatch(text) is not None


def safe_name(text: str) -> str:
    """Return ``text`` in ASCII letters, digits, ``_`` and ``-``; accents are dropped, anything else becomes ``_``."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(character for character in plain if not unicodedata.combining(character))
    return re.sub(r"[^A-Za-z0-9_-]+", "_", plain).strip("_") or "unnamed"


def natural_key(text: str) -> tuple[tuple[int, str], ...]:
    """Return a sort key in which ``clip_2`` comes before ``clip_10``."""
    return tuple((int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", text))


def shorten(names: Sequence[str]) -> str:
    """Return the first names of a list, and how many more there are."""
    shown = ", ".join(names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"
