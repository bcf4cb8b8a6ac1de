"""Stage ``archive``: take the wanted episodes out of TVQA's split archive, in one pass, into one store per episode.

The parts are read as one stream (parts -> gzip -> tar) and checked against their published md5 sums on the way; the
frames of the clips on the sample sheet go straight into ``archive/<episode>.tar``, as the archive held them, with
their places in ``archive/<episode>.parquet``. Nothing else is written, and nothing by the names in the archive.

A gzip stream has no entry but its start. An interrupted pass is therefore read again from the first part, but what it
finished is kept: an episode is finished when all its clips have come and every part they lay in has the right md5.
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
        inputs: ``parts``, the files of the archive, for the order of jobs; which ones they are says ``archive``.
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
    dropped, notes = _told(contents, episodes)
    for _, stored in tables:
        dropped.update(stored.dropped)
    table = pd.DataFrame([row for episode, stored in tables for row in _clip_rows(episode, stored.rows)])
    recorded = provenance("archive", settings, {}, dropped=+dropped, notes=notes)
    write(outputs["manifest"], ARCHIVE, table, recorded)
    log.info("%d episodes, %d frames; %s", len(episodes), table["frames"].sum(), dict(+dropped) or "nothing dropped")


def read_archive(parts: Sequence[Part], folder: Path, episodes: Sequence[Episode]) -> Manifest:
    """Read the archive to its end, unless an earlier pass has and these episodes are finished; return its contents.

    Args:
        parts: from :func:`find_parts`.
        folder: of stores and contents.
        episodes: to be written; without any the pass only checks and lists.

    Returns:
        the manifest ``contents.parquet`` (:data:`CONTENTS`) of the folder.
    """
    archive = identity(parts)
    missing = [episode for episode in episodes if not is_finished(folder, episode, archive)]
    path = folder / "contents.parquet"
    known = _known_contents(path, archive)
    if known is not None and not missing:
        log.info("%s has been read: %d episodes are there", parts[0].path.parent, len(episodes))
        return known
    if missing and known is not None and not {clip for one in missing for clip in one.clips} & set(known.rows["clip"]):
        raise _nothing_wanted(parts, set(known.rows["clip"]))
    if any(part.md5 is None for part in parts):
        log.warning("%s has no list of md5 sums: damage shows only where it breaks gzip", parts[0].path.parent)
    log.info("%d of %d episodes are to be taken out", len(missing), len(episodes))
    reading = _Pass()
    with PartStream(parts) as stream, Stores(folder, missing, archive) as stores:
        reading.read(stream, stores, len(missing))
        found = not missing or any(stores.wants(clip) for clip in reading.frames)
        if found:
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
    if not found:
        raise _nothing_wanted(parts, set(reading.frames))
    return read(path, CONTENTS)


class _Pass:
    """What one reading of the archive finds: frames and bytes of every clip, and the members refused."""

    def __init__(self) -> None:
        self.frames: Counter[str] = Counter()
        self.bytes: Counter[str] = Counter()
        self.refused: list[str] = []

    def read(self, stream: PartStream, stores: Stores, wanted: int) -> None:
        clip = ""
        with ByteProgress("archive", stream.total) as told:
            try:
                for member in members(stream, self._refuse):
                    here = member.path[-2] if len(member.path) > 1 else ""
                    if here != clip:
                        stores.leave(clip, stream.consumed)
                        stores.publish(stream.verified)
                        clip = here
                    if parse_clip(here) is not None:
                        self._take(here, member, stores)
                    told.at(stream.consumed, f"{stores.published} of {wanted} episodes")
                stores.leave(clip, stream.consumed)
            finally:  # also where a part is damaged: what lies before it is good
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
        found = read(path, CONTENTS)
    except ManifestError as error:
        log.warning("%s; the archive is read again", error)
        return None
    return found if found.provenance["settings"] == {"archive": archive} else None


def _nothing_wanted(parts: Sequence[Part], clips: Iterable[str]) -> ArchiveError:
    shows = sorted({found[0] for found in map(parse_clip, clips) if found is not None})
    return ArchiveError(
        f"archive: {parts[0].path.parent} holds none of the clips on the sample sheet, but clips of "
        f"{', '.join(shows) or 'no show'}; write the sheet again with `tvface index`"
    )


def _told(contents: Manifest, episodes: Sequence[Episode]) -> tuple[Counter[str], dict[str, Any]]:
    """Drops and notes of the manifest: what the archive holds of these shows that is not on the sheet."""
    wanted = {clip for episode in episodes for clip in episode.clips}
    shows = {found[0] for found in map(parse_clip, wanted) if found is not None}
    other = sorted(
        clip for clip in contents.rows["clip"] if clip not in wanted and (parse_clip(clip) or ("",))[0] in shows
    )
    missing = sorted(wanted - set(contents.rows["clip"]))
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
