"""The episodes of a run, one shard each: from folders, TVQA's frames, a sample sheet or the embedded show.

Shard names hold only ASCII letters, digits, ``_`` and ``-``, so that they are safe in file names and as Snakemake
wildcards, and they are unique in the run.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from tvface.episodes.base import Episode, EpisodeError, natural_key, parse_clip, safe_name, shorten
from tvface.episodes.sheet import sheet_episodes
from tvface.episodes.tvqa import tvqa_episodes
from tvface.episodes.videos import video_episodes
from tvface.settings import Settings

__all__ = [
    "Episode",
    "EpisodeError",
    "find_episode",
    "list_episodes",
    "natural_key",
    "parse_clip",
    "safe_name",
    "sheet_episodes",
    "synthetic_episodes",
    "tvqa_episodes",
    "video_episodes",
]

SYNTHETIC_SHOW = "demo"


def list_episodes(settings: Settings) -> list[Episode]:
    """Return every episode of the run in a stable order.

    With ``sheet`` set, the sheet alone defines the footage and no folder is listed: the same sheet gives the same run,
    whatever is copied into the folders meanwhile.

    Raises:
        EpisodeError: no footage is named, a path is missing or empty, or two episodes have the same name.
    """
    episodes: list[Episode] = []
    if settings.synth.enabled:
        episodes += synthetic_episodes(settings)
    if settings.sheet is not None:
        episodes += sheet_episodes(settings.sheet, settings.results, settings.archive)
    else:
        episodes += listed_episodes(settings)
    if not episodes:
        raise EpisodeError(
            "no footage: set one of 'videos' (file or folder), 'tvqa' (folder of *_frames folders), 'sheet' (TSV), or "
            "'synth.enabled: true' for the embedded show"
        )
    _require_unique(episodes)
    return episodes


def listed_episodes(settings: Settings) -> list[Episode]:
    """Return the episodes of the folders that ``videos`` and ``tvqa`` name.

    Raises:
        EpisodeError: a path is missing or empty, or ``archive`` is set: its contents are not known without a sheet.
    """
    if settings.archive is not None:
        raise EpisodeError(
            "archive: what TVQA's archive holds is not known before it is read. Write a sample sheet first, from the "
            f"names of the clips: tvface index clips.tsv --set archive={settings.archive} --names "
            "tvqa_subtitles.tar.gz (without --names the archive itself is read); then set 'sheet' to clips.tsv"
        )
    episodes: list[Episode] = []
    if settings.videos is not None:
        episodes += video_episodes([settings.videos] if isinstance(settings.videos, str) else settings.videos)
    if settings.tvqa is not None:
        episodes += tvqa_episodes(settings.tvqa, settings.shows)
    return episodes


def find_episode(settings: Settings, name: str) -> Episode:
    """Return the episode with this name.

    Raises:
        EpisodeError: the run has no such episode.
    """
    episodes = {episode.name: episode for episode in list_episodes(settings)}
    if name not in episodes:
        raise EpisodeError(f"no episode '{name}' in this run; there are: {shorten(list(episodes))}")
    return episodes[name]


def synthetic_episodes(settings: Settings) -> list[Episode]:
    """Return the episodes of the embedded show, ``demo_s01e01`` ..., whose videos the ``synth`` stage makes."""
    names = [f"{SYNTHETIC_SHOW}_s01e{number:02d}" for number in range(1, settings.synth.episodes + 1)]
    folder = Path(settings.results) / "synth"
    return [Episode(SYNTHETIC_SHOW, name, "video", (folder / f"{name}.mp4",), (name,)) for name in names]


def _require_unique(episodes: Sequence[Episode]) -> None:
    by_name: dict[str, list[Episode]] = defaultdict(list)
    for episode in episodes:
        by_name[episode.name].append(episode)
    for name, namesakes in by_name.items():
        if len(namesakes) > 1:
            places = " and ".join(str(episode.sources[0]) for episode in namesakes[:3])
            raise EpisodeError(
                f"two episodes would be called '{name}': {places}; rename one file, or name the episodes in a "
                "sample sheet"
            )
