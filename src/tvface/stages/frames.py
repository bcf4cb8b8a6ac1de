"""Stage ``frames``: sample the footage of one episode, store the pictures, mark states, shots and scenes.

A video is decoded once and sampled into JPEGs in a tar. TVQA's JPEGs (3 frames/s, numbered from 1; a folder per clip,
or the store that the archive stage wrote) are referenced where they lie; their tar is empty. Only the thumbnails of one
clip are held in memory, 7 kB per frame.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.episodes import Episode, find_episode
from tvface.files.relative import project_path
from tvface.manifests import read, write
from tvface.manifests.archive import STORED
from tvface.manifests.frames import FRAMES
from tvface.media.images import Image, MediaError, encode_jpeg, read_image, shrink
from tvface.media.tarstore import TarWriter
from tvface.media.video import VideoReader
from tvface.mining.shots import find_shots, luma, thumbnail
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings
from tvface.settings.data import Frames

TVQA_FPS = 3.0
_NUMBERED = re.compile(r"(\d+)\.jpe?g", re.IGNORECASE)
Place = tuple[str, int, int]
log = logger("frames")


@stage_run("frames")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Write the frame manifest and store of episode ``shard``.

    Args:
        inputs: ``source``: the video file, the episode's TVQA clip folders, or the manifest of the archive stage, which
            shows that the episode's store is there.
        outputs: ``manifest`` (:data:`FRAMES`) and ``store`` (tar of JPEGs).

    Raises:
        MediaError: the footage holds no picture at all and ``frames.unreadable`` is "stop". With "skip" the manifest
            has no rows, counts ``unreadable_episode`` and keeps the message in its notes.
        EpisodeError: the run has no episode of this name.
    """
    episode = find_episode(settings, shard)
    sources = _sources(inputs, episode)
    dropped: Counter[str] = Counter()
    notes: dict[str, Any] = {"kind": episode.kind}
    with TarWriter(outputs["store"]) as store:
        try:
            clips = _sampled(episode, sources, settings.frames, store, dropped, threads)
        except MediaError as error:
            if settings.frames.unreadable == "stop":
                raise MediaError(
                    f"{error}. To go on without such episodes, counted in the report: frames.unreadable: skip"
                ) from error
            log.error("%s is left out: %s", shard, error)
            dropped["unreadable_episode"] += 1
            notes["unreadable"] = str(error)
            clips = []
    table = pd.concat(clips, ignore_index=True) if clips else FRAMES.empty()
    notes |= {"clips": len(clips), **_counts(table)}
    table["show"], table["episode"] = episode.show, episode.name
    recorded = provenance("frames", settings, {"source": sources}, dropped=dropped, backend=episode.kind, notes=notes)
    write(outputs["manifest"], FRAMES, table, recorded)
    log.info("%s: %d frames, %d shots, %s", shard, len(table), notes["shots"], dict(dropped) or "nothing dropped")


def _sources(inputs: Paths, episode: Episode) -> list[Path]:
    source = inputs["source"]
    sources = [Path(source)] if isinstance(source, str | Path) else [Path(path) for path in source]
    if episode.kind == "archive":
        # The manifest of all clips changes with every episode; that of the episode does not.
        return [sources[0].parent / "archive" / f"{episode.name}.parquet"]
    return sources


def _sampled(
    episode: Episode, sources: list[Path], settings: Frames, store: TarWriter, dropped: Counter[str], threads: int
) -> list[pd.DataFrame]:
    """Return the rows of each clip of an episode; pictures go to the store, and dropped frames are counted.

    Raises:
        MediaError: there is no picture at all.
    """
    clips: list[pd.DataFrame] = []
    for clip, rows in _clips(episode, sources, settings, store, dropped, threads):
        clips.append(_finished(rows, clip, clips, settings))
    if not any(len(rows) for rows in clips):
        raise MediaError(
            f"{', '.join(map(str, sources))}: no picture that can be read ({dict(dropped)}); copy the footage "
            f"again or take episode {episode.name} out of the run"
        )
    return clips


def _counts(table: pd.DataFrame) -> dict[str, Any]:
    """Count shots, scenes and states, for the provenance."""
    sizes = table.groupby("clip")[["width", "height"]].nunique().max(axis=1)
    return {
        "shots": int(table["shot"].nunique()),
        "scenes": int(table["scene"].nunique()),
        "states": {name: int(count) for name, count in sorted(Counter(table["state"]).items())},
        "clips_that_change_size": int((sizes > 1).sum()),
    }


def _clips(
    episode: Episode, sources: list[Path], settings: Frames, store: TarWriter, dropped: Counter[str], threads: int
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    if len(sources) != len(episode.sources):
        raise MediaError(
            f"episode {episode.name} has {len(episode.sources)} sources but {len(sources)} came; plan the run again"
        )
    if episode.kind == "archive":
        stored = read(sources[0], STORED).rows
        for clip in episode.clips:
            yield clip, list(_pictures(clip, _stored(stored[stored["clip"] == clip]), settings, store, dropped))
        return
    for clip, place in zip(episode.clips, sources, strict=True):
        if episode.kind == "video":
            yield clip, list(_video(place, settings, store, dropped, threads))
        else:
            yield clip, list(_pictures(place.name, _folder(place, dropped), settings, store, dropped))


def _video(
    path: Path, settings: Frames, store: TarWriter, dropped: Counter[str], threads: int
) -> Iterator[dict[str, Any]]:
    reader = VideoReader(path, threads)
    for frame in progress(reader.sample(settings.fps), f"frames of {path.name}"):
        image = shrink(frame.image, settings.long_side)
        place = store.add(f"{frame.index:06d}.jpg", encode_jpeg(image, settings.jpeg_quality))
        yield _row(frame.index, frame.source_frame, frame.time_s, image, place)
    if reader.undecodable:
        dropped["undecodable"] += reader.undecodable


def _folder(folder: Path, dropped: Counter[str]) -> dict[int, Place]:
    """Return where the numbered pictures of a TVQA clip folder are: {number: (file, offset, length)}."""
    if not folder.is_dir():
        raise MediaError(f"{folder}: no such folder; was it moved after the run was planned?")
    numbered: dict[int, Place] = {}
    for path in sorted(folder.iterdir()):
        match = _NUMBERED.fullmatch(path.name)
        if match is None or int(match[1]) == 0 or int(match[1]) in numbered:
            dropped["not_a_frame"] += 1
            continue
        # A broken link is not a missing frame: reading it fails, and the frame counts as unreadable.
        numbered[int(match[1])] = (project_path(path), 0, path.stat().st_size if path.exists() else 0)
    return numbered


def _stored(rows: pd.DataFrame) -> dict[int, Place]:
    """Return the same for one clip in a store of the archive stage."""
    places = zip(rows["image_file"], rows["image_offset"], rows["image_length"], strict=True)
    return {int(number): place for number, place in zip(rows["source_frame"], places, strict=True)}


def _pictures(
    clip: str, numbered: dict[int, Place], settings: Frames, store: TarWriter, dropped: Counter[str]
) -> Iterator[dict[str, Any]]:
    """Yield the rows of one TVQA clip; ``frame`` counts from its start, and missing or skipped frames leave gaps."""
    if numbered:
        dropped["missing"] += max(numbered) - len(numbered)
    step = TVQA_FPS / min(settings.fps, TVQA_FPS)
    sampled = {int(index * step + 0.5) + 1: index for index in range(int(max(numbered, default=0) / step) + 1)}
    for number in progress(sorted(numbered), f"frames of {clip}"):
        if number not in sampled:
            continue
        place = numbered[number]
        try:
            image = read_image(*place)
        except MediaError as error:
            log.warning("%s", error)
            dropped["undecodable"] += 1
            continue
        except (OSError, EOFError) as error:
            log.warning("%s: %s", place[0], error)
            dropped["unreadable"] += 1
            continue
        small = shrink(image, settings.long_side)
        if small is not image:
            place = store.add(f"{clip}/{number:05d}.jpg", encode_jpeg(small, settings.jpeg_quality))
        yield _row(sampled[number], number, (number - 1) / TVQA_FPS, small, place)


def _row(index: int, source_frame: int, time: float, image: Image, place: tuple[str, int, int]) -> dict[str, Any]:
    return {
        "frame": index,
        "source_frame": source_frame,
        "time_s": time,
        "image_file": place[0],
        "image_offset": place[1],
        "image_length": place[2],
        "width": image.shape[1],
        "height": image.shape[0],
        "luma": float(luma(image).mean()),
        "thumbnail": thumbnail(image),
    }


def _finished(rows: list[dict[str, Any]], clip: str, before: list[pd.DataFrame], settings: Frames) -> pd.DataFrame:
    """Return the rows of a clip with shots, scenes and states, whose numbers go on from the clips before."""
    thumbnails = np.stack([row.pop("thumbnail") for row in rows]) if rows else np.zeros((0, 36, 64, 3), np.uint8)
    table = pd.DataFrame(rows, columns=[name for name in FRAMES.arrow.names if name not in ("show", "episode")])
    times = table["time_s"].to_numpy(np.float64)
    shots = find_shots(thumbnails, times, settings.shots, settings.black_luma, settings.duplicate)
    first = {name: max((int(t[name].max()) + 1 for t in before if len(t)), default=0) for name in ("shot", "scene")}
    table["clip"] = clip
    table["frame"] = table["frame"] + max((int(t["frame"].max()) + 1 for t in before if len(t)), default=0)
    table["shot"], table["scene"] = shots.shot + first["shot"], shots.scene + first["scene"]
    table["state"] = shots.state
    table["cut_histogram"], table["cut_luma"] = shots.histogram, shots.luma
    table["cut_structure"] = shots.structure
    return table
