"""Episodes from video files and folders of them."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tvface.episodes.base import VIDEO_SUFFIXES, Episode, EpisodeError, natural_key, safe_name


def video_episodes(places: Iterable[str]) -> list[Episode]:
    """Return one episode per video file; a folder stands for all videos below it.

    A video in a sub-folder belongs to the show of that name: its people are recognised across the show's episodes. A
    video in ``places``, or directly in a folder of ``places``, is a show of its own, so that adding one changes no
    other. Videos of one stem (``a/pilot.mp4``, ``b/pilot.mp4``) get the prefix of their folder's name.

    Raises:
        EpisodeError: a place does not exist, is not a video, or is a folder without videos.
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
    videos = [
        Path(folder, name)
        for folder, _, names in os.walk(place)
        for name in names
        if not name.startswith(".") and Path(name).suffix.lower() in VIDEO_SUFFIXES
    ]
    if not videos:
        raise EpisodeError(
            f"videos: the folder {place} holds no video ({suffixes}); put some in or name another folder"
        )
    return sorted(videos, key=lambda path: natural_key(path.relative_to(place).as_posix()))
