"""``tvface index``: write the sample sheet of a run, or check one."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from tvface.cli.options import add_command, add_configuration, settings_of
from tvface.settings import Settings


def add_index(commands: Any) -> None:
    """Add ``tvface index`` to the commands of a parser."""
    about = "write the sample sheet of the run's footage, one row per clip; with a sheet in the settings, check that"
    parser = add_command(commands, "index", about, _index)
    parser.add_argument("output", nargs="?", type=Path, metavar="SHEET", help="TSV file; by default the terminal")
    parser.add_argument(
        "--names",
        nargs="+",
        type=Path,
        metavar="FILE",
        help="with 'archive' set: files that name TVQA's clips (tvqa_subtitles.tar.gz, tvqa_*.jsonl, any list); "
        "without them the archive is read once and checked, which takes as long as its disk needs",
    )
    add_configuration(parser)


def _index(options: argparse.Namespace) -> None:
    from tvface.episodes import Episode, listed_episodes, sheet_episodes
    from tvface.episodes.base import EpisodeError
    from tvface.episodes.sheet import sheet_text
    from tvface.files.atomic import atomic
    from tvface.runtime.logging import start_logging

    start_logging()
    settings = settings_of(options)
    if options.names and settings.archive is None:
        raise EpisodeError("--names lists clips of TVQA's split archive; set 'archive' to the folder of its parts")
    episodes: list[Episode]
    if settings.sheet is not None:
        episodes = sheet_episodes(settings.sheet, settings.results, settings.archive)
    elif settings.archive is not None:
        episodes = _archive_episodes(settings, options.names)
    else:
        episodes = listed_episodes(settings)
    if not episodes:
        raise EpisodeError("index: no footage to list; set one of 'videos', 'tvqa', 'archive' or 'sheet'")
    text = sheet_text(episodes)
    if options.output is None:
        sys.stdout.write(text)
    else:
        with atomic(options.output) as temporary:
            temporary.write_text(text, encoding="utf-8")
        print(options.output)
    shows = Counter(episode.show for episode in episodes)
    clips = sum(len(episode.clips) for episode in episodes)
    counts = ", ".join(f"{show} {count}" for show, count in sorted(shows.items())[:12])
    print(f"{len(episodes)} episodes ({counts}), {clips} clips", file=sys.stderr)


def _archive_episodes(settings: Settings, names: list[Path] | None) -> list[Any]:
    """Return the episodes of the configured shows in the archive, from lists of clips or from the archive itself."""
    from tvface.episodes import Episode
    from tvface.episodes.names import clips_named_in
    from tvface.episodes.tvqa import grouped
    from tvface.media.parts import find_parts
    from tvface.stages.archive import read_archive

    assert settings.archive is not None
    folder = Path(settings.results) / "archive"
    if names:
        clips, where = clips_named_in(names), ("--names", f"in {', '.join(map(str, names))}")
    else:
        clips = read_archive(find_parts(settings.archive), folder, []).rows["clip"].to_list()
        where = ("archive", f"in {settings.archive}")
    index = (folder.with_name("archive.parquet"),)
    return [
        Episode(show, name, "archive", index, members) for show, name, members in grouped(clips, settings.shows, where)
    ]
