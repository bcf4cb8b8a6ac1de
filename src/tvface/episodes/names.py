"""Names of TVQA's clips, read from any file that lists them: subtitles, questions, frame counts, other text."""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from tvface.episodes.base import CLIP_PATTERN, EpisodeError

# A clip's name may be part of a path, in quotes, or before ".srt"; "xs01e01_..." is another word.
_ANYWHERE = re.compile(rf"(?<![A-Za-z0-9_]){CLIP_PATTERN}(?![A-Za-z0-9_-])")
_PIECE = 1 << 20


def clips_named_in(places: Iterable[str | Path]) -> list[str]:
    """Return the TVQA clips that files name, each once, sorted.

    Args:
        places: text files (jsonl, json, txt, tsv), searched by content; tar archives (``tvqa_subtitles.tar.gz``) and
            folders, searched by file name.

    Raises:
        EpisodeError: a place does not exist, cannot be read, or names no clip.
    """
    clips: set[str] = set()
    for place in map(Path, places):
        names = {match[0] for text in _texts(place) for match in _ANYWHERE.finditer(text)}
        if not names:
            raise EpisodeError(
                f"--names {place}: names no TVQA clip (castle_s01e01_seg01_clip_00 is one); give TVQA's subtitles or "
                "question files, or a list of the clips"
            )
        clips |= names
    return sorted(clips)


def _texts(place: Path) -> Iterator[str]:
    if place.is_dir():
        yield from (path.name for path in place.rglob("*"))
    elif not place.is_file():
        raise EpisodeError(f"--names {place}: does not exist (seen from {Path.cwd()})")
    elif tarfile.is_tarfile(place):
        try:
            with tarfile.open(place) as tar:
                yield from (member.name for member in tar)
        except (tarfile.TarError, EOFError, OSError) as error:
            raise EpisodeError(f"--names {place}: cannot be read ({error}); download it again") from error
    else:
        yield from _pieces(place)


def _pieces(path: Path) -> Iterator[str]:
    """Yield the text in pieces that end between words, so that no name is cut."""
    rest = ""
    with open(path, encoding="utf-8", errors="replace") as file:
        while piece := file.read(_PIECE):
            text = rest + piece
            cut = max(text.rfind(mark) for mark in "\n ,\"'")
            rest = text[cut + 1 :] if cut >= 0 else text
            yield text[: cut + 1]
    yield rest
