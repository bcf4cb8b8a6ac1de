"""Stage ``archive``: extract episodes from TVQA's split archive, in one pass, into one store per episode.

The parts are read as one stream (parts -> gzip -> tar) and checked against their published md5 sums on the way. The
frames of the clips on the sample sheet go unchanged into ``archive/<episode>.tar``, with their places in
``archive/<episode>.parquet``. Nothing else is written, and no path in the archive becomes a path on the disk.

A gzip stream can only be read from its start. After an interruption the next pass begins again with the first part, but
it keeps the finished episodes: those whose clips are all read, from parts that all have the right md5.
The stores are not declared to Snakemake, which would delete them all when a pass is interrupted.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.episodes import Episode, EpisodeError, list_episodes, parse_clip
from tvface.episodes.archive_stores import Stores, identity, is_finished
from tvface.manifests import Manifest, ManifestError, Provenance, read, write
from tvface.manifests.archive import ARCHIVE, CONTENTS, STORED
from tvface.media.archive import Member, members
from tvface.media.parts import ArchiveError, Part, PartStream, find_parts
from tvface.runtime.logging import logger
from tvface.runtime.progress import ByteProgress
from tvface.settings import Settings

NUMBERED = re.compile(r"(\d+)\.jpe?g", re.IGNORECASE)
_NAMED = 20
log = logger("archive")


@stage_run("archive")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Write the stores of all episodes whose clips lie in the archive, and the manifest of these clips.

    Args:
        inputs: ``parts``, the files of the archive, for the order of the jobs; the setting ``archive`` locates
            them.
        outputs: ``manifest`` (:data:`ARCHIVE`).

    Raises:
        ArchiveError: a part is missing or damaged; episodes finished before it are kept.
        EpisodeError: the sheet names no clip of the archive, or the archive holds none of them.
    """
    episodes = [episode for episode in list_episodes(settings) if episode.kind == "archive"]
    if settings.archive is None or not episodes:
        raise EpisodeError(
            "archive: nothing to take out; set 'archive' to the folder of the parts, and 'sheet' to a sample sheet "
            "with sources archive:CLIP, as `tvface index` writes it"
        )
    parts, folder = find_parts(settings.archive), Path(settings.results) / "archive"
    contents = read_archive(parts, folder, episodes)
    tables = [(episode, read(folder / f"{episode.name}.parquet", STORED)) for episode in episodes]
    dropped, notes = _drops_and_notes(contents, episodes)
    for _, stored in tables:
        dropped.update(stored.dropped)
    table = pd.DataFrame([row for episode, stored in tables for row in _clip_rows(episode, stored.rows)])
    recorded = provenance("archive", settings, {}, dropped=+dropped, notes=notes)
    write(outputs["manifest"], ARCHIVE, table, recorded)
    log.info("%d episodes, %d frames; %s", len(episodes), table["frames"].sum(), dict(+dropped) or "nothing dropped")


def read_archive(parts: Sequence[Part], folder: Path, episodes: Sequence[Episode]) -> Manifest:
    """Read the archive to its end and return its contents, unless an earlier pass has finished these episodes.

    Args:
        parts: from :func:`find_parts`.
        folder: of the stores and of ``contents.parquet``.
        episodes: to be written; with none the pass only checks and lists.

    Returns:
        The manifest ``contents.parquet`` (:data:`CONTENTS`) of the folder.
    """
    archive = identity(parts)
    missing = [episode for episode in episodes if not is_finished(folder, episode, archive)]
    path = folder / "contents.parquet"
    known = _known_contents(path, archive)
    if known is not None and not missing:
        log.info("%s has been read: %d episodes are there", parts[0].path.parent, len(episodes))
        return known
    clips = {clip for episode in missing for clip in episode.clips}
    if missing and known is not None and not clips & set(known.rows["clip"]):
        raise _no_clip_of_the_sheet(parts, set(known.rows["clip"]))
    if any(part.md5 is None for part in parts):
        log.warning("%s has no list of md5 sums: damage shows only where it breaks gzip", parts[0].path.parent)
    log.info("%d of %d episodes are to be taken out", len(missing), len(episodes))
    reading = _Pass()
    with PartStream(parts) as stream, Stores(folder, missing, archive) as stores:
        reading.read(stream, stores, len(missing))
        complete = not missing or any(stores.wants(clip) for clip in reading.frames)
        if complete:
            stores.publish_rest()
        md5 = {part.path.name: part.md5 for part in stream.checked}
    rows = [(clip, count, reading.bytes[clip]) for clip, count in reading.frames.items()]
    recorded = Provenance(
        stage=CONTENTS.stage,
        settings={"archive": archive},
        dropped=dict(+Counter(refused=len(reading.refused), late=sum(stores.late.values()))),
        notes={"md5": md5, "refused": reading.refused[:_NAMED], "late": dict(stores.late.most_common(_NAMED))},
    )
    write(path, CONTENTS, pd.DataFrame(rows, columns=CONTENTS.arrow.names), recorded)
    if not complete:
        raise _no_clip_of_the_sheet(parts, set(reading.frames))
    return read(path, CONTENTS)


class _Pass:
    """One reading of the archive: frames and bytes of every clip, and the members refused."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.refused: list[str] = []

    def read(self, stream: PartStream, stores: Stores, episodes: int) -> None:
        """Read the stream to its end into the stores of ``episodes`` episodes."""
        clip = ""
        with ByteProgress("archive", stream.total) as bar:
            try:
                for member in members(stream, self._refuse):
                    here = member.path[-2] if len(member.path) > 1 else ""
                    if here != clip:
                        stores.leave(clip, stream.consumed)
                        stores.publish(stream.verified)
                        clip = here
                    if parse_clip(here) is not None:
                        self._take(here, member, stores)
                    bar.at(stream.consumed, f"{stores.published} of {episodes} episodes")
                stores.leave(clip, stream.consumed)
            finally:  # also after a damaged part: the episodes before it are good
                stores.publish(stream.verified)

    def _take(self, clip: str, member: Member, stores: Stores) -> None:
        match = NUMBERED.fullmatch(member.path[-1])
        if match is None or int(match[1]) == 0:
            if stores.wants(clip):
                stores.drop(clip, "not_a_frame")
            return
        self.frames[clip] += 1
        self.bytes[clip] += member.size
        if stores.wants(clip):
            stores.add(clip, int(match[1]), member.content.read())

    def _refuse(self, what: str) -> None:
        log.warning("refused %s", what)
        self.refused.append(what)


def _known_contents(path: Path, archive: str) -> Manifest | None:
    if not path.is_file():
        return None
    try:
        contents = read(path, CONTENTS)
    except ManifestError as error:
        log.warning("%s; the archive is read again", error)
        return None
    return contents if contents.provenance["settings"] == {"archive": archive} else None


def _no_clip_of_the_sheet(parts: Sequence[Part], clips: Iterable[str]) -> ArchiveError:
    shows = sorted({parsed[0] for parsed in map(parse_clip, clips) if parsed is not None})
    return ArchiveError(
        f"archive: {parts[0].path.parent} holds none of the clips on the sample sheet, but clips of "
        f"{', '.join(shows) or 'no show'}; write the sheet again with `tvface index`"
    )


def _drops_and_notes(contents: Manifest, episodes: Sequence[Episode]) -> tuple[Counter[str], dict[str, Any]]:
    """Return drops and notes for the manifest: clips of these shows that are not on the sheet, and clips missing."""
    listed = {clip for episode in episodes for clip in episode.clips}
    shows = {parsed[0] for parsed in map(parse_clip, listed) if parsed is not None}
    other = sorted(
        clip for clip in contents.rows["clip"] if clip not in listed and (parse_clip(clip) or ("",))[0] in shows
    )
    missing = sorted(listed - set(contents.rows["clip"]))
    if other:
        log.warning("%d clips of these shows are not on the sheet, e.g. %s", len(other), ", ".join(other[:5]))
    if missing:
        log.warning("%d clips on the sheet are not in the archive, e.g. %s", len(missing), ", ".join(missing[:5]))
    notes = {
        **contents.provenance["notes"],
        "clips_not_on_sheet": other[:_NAMED],
        "clips_missing": missing[:_NAMED],
    }
    return Counter(contents.dropped) + Counter(clip_not_on_sheet=len(other)), notes


def _clip_rows(episode: Episode, stored: pd.DataFrame) -> list[dict[str, Any]]:
    by_clip = dict(list(stored.groupby("clip")))
    rows: list[dict[str, Any]] = []
    for clip in episode.clips:
        numbers = by_clip[clip]["source_frame"] if clip in by_clip else pd.Series([], dtype="int32")
        rows.append(
            {
                "show": episode.show,
                "episode": episode.name,
                "clip": clip,
                "frames": len(numbers),
                "bytes": int(by_clip[clip]["image_length"].sum()) if clip in by_clip else 0,
                "missing": int(numbers.max()) - len(numbers) if len(numbers) else 0,
            }
        )
    return rows
