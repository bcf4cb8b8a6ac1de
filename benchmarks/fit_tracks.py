"""Tracks of rendered shows with their truth and the points found in them, for ``benchmarks/fits.py``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.views import framed
from tvface import landmarkers, manifests, parsers
from tvface.conventions.boxes import box_of_points
from tvface.fitting.eyes import Eyes
from tvface.fitting.readers import Readers
from tvface.fitting.seen_eyes import openings
from tvface.manifests.synth import TRUTH_FACES, TRUTH_FRAMES
from tvface.media.images import Image
from tvface.media.video import VideoReader
from tvface.runtime.progress import progress
from tvface.settings import Settings

LONGEST, SHORTEST = 45, 15  # frames of a track
SMALLEST = 60.0  # px, mean side of the true box
PICTURES = 10  # frames of a track that photometry sees


@dataclass
class Track:
    """Consecutive frames of one person in one shot.

    Attributes:
        name: of the track; person: of its person, both unique over all shows. seed: of the show.
        video: its episode; shot: number of the shot there.
        truth: T rows of TRUTH_FACES with ``episode`` made unique over all shows, ``time_s`` and ``size``, width and
            height of the picture.
        points: (T,68,2) found points in crop pixels; it and all that follow are set by :func:`find_points`.
        confidence: (T,68); guesses: (T,S) of the shape; opening: (T,2) of the eyes in the pictures.
        transform: (T,2,3) picture to crop pixels.
        seen: (K,) rows whose crops are kept: images (K,S,S,3) and label maps (K,S,S) uint8.
    """

    name: str
    person: str
    seed: int
    video: Path
    shot: int
    truth: pd.DataFrame
    points: NDArray[np.float32] = field(init=False)
    confidence: NDArray[np.float32] = field(init=False)
    guesses: NDArray[np.float32] | None = field(init=False, default=None)
    opening: NDArray[np.float32] = field(init=False)
    transform: NDArray[np.float64] = field(init=False)
    seen: NDArray[np.int64] = field(init=False)
    images: NDArray[np.uint8] = field(init=False)
    labels: NDArray[np.uint8] = field(init=False)

    @property
    def true_points(self) -> NDArray[np.float64]:
        """The true points in crop pixels, (T,68,2)."""
        picture = np.stack(self.truth["points68"].to_list()).reshape(-1, 68, 2).astype(np.float64)
        return picture * self.transform[:, None, :1, 0] + self.transform[:, None, :, 2]


def tracks_of(folders: Iterable[Path], most: int) -> list[Track]:
    """Return the tracks of all shows without points, at most ``most`` of one person, those of the largest faces.

    Args:
        folders: results of finished stages ``synth``.
        most: tracks of one person.
    """
    tracks: list[Track] = []
    for number, folder in enumerate(folders):
        shown = []
        for path in sorted((folder / "synth").glob("*.faces.parquet")):
            stem = path.name.removesuffix(".faces.parquet")
            frames = manifests.read(path.with_name(f"{stem}.frames.parquet"), TRUTH_FRAMES).rows
            truth = manifests.read(path, TRUTH_FACES)
            faces = truth.rows.merge(frames[["source_frame", "time_s", "shot"]])
            shown += _runs(faces, path.with_name(f"{stem}.mp4"), number, int(truth.provenance["seed"]))
        if not shown:
            raise SystemExit(f"{folder}: no episode of a finished stage 'synth' in it")
        shown.sort(key=lambda track: -_sides(track.truth).mean())
        for person in sorted({track.person for track in shown}):
            tracks += [track for track in shown if track.person == person][:most]
    return tracks


def _sides(faces: pd.DataFrame) -> NDArray[np.float64]:
    box = np.stack(faces["box"].to_list()).astype(np.float64)
    return (box[:, 2:] - box[:, :2]).mean(1)


def _runs(faces: pd.DataFrame, video: Path, number: int, seed: int) -> list[Track]:
    """Return the middle of the longest run of whole, large faces of every person and shot."""
    whole = faces[(faces["inside"] == 1) & (_sides(faces) >= SMALLEST)].sort_values("source_frame")
    tracks = []
    for (person, shot), rows in whole.groupby(["person", "shot"]):
        parts = np.split(np.arange(len(rows)), np.flatnonzero(np.diff(rows["source_frame"]) != 1) + 1)
        longest = max(parts, key=len)
        if len(longest) < SHORTEST:
            continue
        first = max(0, len(longest) - LONGEST) // 2
        episode = f"{number}/{rows['episode'].iloc[0]}"
        truth = rows.iloc[longest[first : first + LONGEST]].assign(episode=episode).reset_index(drop=True)
        name = f"{episode} shot {shot} {person}"
        tracks.append(Track(name, f"{number}/{person}", seed, video, int(shot), truth))
    return tracks


def find_points(tracks: list[Track], settings: Settings) -> None:
    """Fill in points, confidence, transforms and crops, found in the videos by the landmarker and the parser.

    The crops are cut by MTCNN's box as it would lie around the true points.
    """
    landmarker = landmarkers.create(settings.landmarks.backend, settings.landmarks)
    readers = Readers.load(settings.fit.guess > 0)
    parser = parsers.create(settings.masks.backend, settings.masks)
    for track in progress(tracks, "points", len(tracks)):
        boxes = box_of_points(np.stack(track.truth["points68"].to_list()).reshape(-1, 68, 2))
        wanted = _pictures(track)
        views = [framed(p, b, settings, settings.landmarks.context) for p, b in zip(wanted, boxes, strict=True)]
        pad, size = views[0].pad, settings.sequences.image_size
        batch, found = settings.landmarks.batch, []
        eyes, guesses = [], []
        for part in (views[start : start + batch] for start in range(0, len(views), batch)):
            regions = np.stack([v.region for v in part])
            found.append(landmarker.locate(regions, np.stack([v.region_box for v in part])))
            eyes.append(readers.look_at_eyes(regions, found[-1][0]))
            guesses.append(readers.guesses(regions, found[-1][0]))
        track.points = np.concatenate([points for points, _ in found]) - pad
        track.confidence = np.concatenate([confidence for _, confidence in found])
        track.opening = openings(Eyes(*(np.concatenate(one) for one in zip(*eyes, strict=True))), track.points)
        track.guesses = None if guesses[0] is None else np.concatenate(guesses)
        track.transform = np.stack([view.transform for view in views])
        track.transform[:, :, 2] -= pad
        track.truth["size"] = [(image.shape[1], image.shape[0]) for image in wanted]
        track.seen = np.unique(np.linspace(0, len(views) - 1, PICTURES).round().astype(np.int64))
        track.images = np.stack([views[k].region[pad : pad + size, pad : pad + size] for k in track.seen])
        track.labels = parser.parse(track.images)


def _pictures(track: Track) -> list[Image]:
    numbers = set(track.truth["source_frame"])
    pictures = []
    for frame in VideoReader(track.video).frames():
        if frame.source_frame in numbers:
            pictures.append(frame.image)
            if len(pictures) == len(numbers):
                break
    return pictures
