"""How well perceptual hashes of crops find repeated footage, on your own clips.

    python benchmarks/recaps.py FOLDER [--fps 24]

FOLDER holds videos of different people. The surest face of every picture is cropped as stage ``sequences`` does, and
sequences of ten crops are taken at 3 pictures/s. A copy of a sequence is sampled at another phase: 1/fps, 2/fps ... up
to half a step later. For every limit on the differing bits the table gives how many copies are found, how many
sequences of the same shot without a common moment are taken for copies, and how many of two videos.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tvface import detectors
from tvface.media.images import warp_crop
from tvface.media.video import SUFFIXES, VideoReader
from tvface.mining.quality import crop_square, crop_transform, phash
from tvface.mining.recaps import recaps
from tvface.mining.shots import find_shots, thumbnail
from tvface.settings import Settings, parse_settings

LENGTH = 10
Hashes = NDArray[np.int64]


def shots_of(path: Path, fps: float, settings: Settings) -> list[Hashes]:
    """Return the hashes of the surest faces of every run of pictures with a face inside one shot."""
    detector = detectors.create("mtcnn", settings.faces)
    frames = list(VideoReader(path).sample(fps))
    times = np.array([frame.time_s for frame in frames])
    pictures = np.stack([thumbnail(frame.image) for frame in frames])
    slow = np.flatnonzero(np.diff(np.floor(times * settings.frames.fps + 1e-6), prepend=-1))  # shots are tuned for 3/s
    shots = find_shots(
        pictures[slow], times[slow], settings.frames.shots, settings.frames.black_luma, settings.frames.duplicate
    )
    shot = shots.shot[np.searchsorted(slow, np.arange(len(frames)), side="right") - 1]
    runs: list[list[int]] = [[]]
    for index, frame in enumerate(frames):
        faces = detector.detect([frame.image])[0]
        if index and shot[index] != shot[index - 1] and runs[-1]:
            runs.append([])
        if len(faces.scores) and faces.scores.max() >= settings.faces.min_score:
            centre, side = crop_square(faces.boxes[faces.scores.argmax()].astype(float), settings.sequences)
            size = settings.sequences.image_size
            runs[-1].append(phash(warp_crop(frame.image, crop_transform(centre, side, size), size)))
        elif runs[-1]:
            runs.append([])
    return [np.array(run, np.int64) for run in runs if run]


def sequences(run: Hashes, step: int) -> list[tuple[int, Hashes]]:
    """Return first picture and hashes of sequences that overlap by half."""
    span = LENGTH * step
    return [(start, run[start : start + span : step]) for start in range(0, len(run) - span + 1, span // 2)]


def repeated(first: Hashes, second: Hashes, distance: int) -> bool:
    """Return whether the second counts as a copy of the first, in another take."""
    return recaps([first, second], [0, 1], distance)[1]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--fps", type=float, default=24.0, help="pictures looked at per second, a multiple of 3")
    options = parser.parse_args(arguments)
    settings = parse_settings({})
    step = round(options.fps / settings.frames.fps)
    torch.set_num_threads(1)
    paths = sorted(path for path in options.folder.iterdir() if path.suffix.lower() in SUFFIXES)
    taken: list[tuple[int, int, int, Hashes, Hashes]] = []  # video, shot, first picture, sequence, whole run
    for video, path in enumerate(paths):
        for shot, run in enumerate(shots_of(path, options.fps, settings)):
            taken += [(video, shot, start, hashes, run) for start, hashes in sequences(run, step)]
    if not taken:
        raise SystemExit(f"{options.folder}: no face stays for {LENGTH} pictures at {settings.frames.fps:g}/s")
    phases = range(1, step // 2 + 1)
    print(f"{len(taken)} sequences of {len({row[0] for row in taken})} videos; parts taken for copies:")
    late = [f"{1000 * phase / options.fps:.0f} ms late" for phase in phases]
    print("  ".join(["bits under", *late, "other moment of the shot", "other video"]))
    for distance in range(4, 15, 2):
        parts = []
        for phase in phases:
            copies = [(own, run[start + phase :: step][:LENGTH]) for _, _, start, own, run in taken]
            whole = [pair for pair in copies if len(pair[1]) == LENGTH]
            parts.append(_part([repeated(own, copy, distance) for own, copy in whole]))
        moments, videos = [], []
        for index, (video, shot, start, own, _) in enumerate(taken):
            for other_video, other_shot, other_start, other, _ in taken[:index]:
                if video != other_video:
                    videos.append(repeated(other, own, distance))
                elif shot == other_shot and abs(start - other_start) >= LENGTH * step:
                    moments.append(repeated(other, own, distance))
        print(f"{distance:>10}  " + "  ".join([*parts, _part(moments), _part(videos)]))


def _part(copies: Sequence[bool]) -> str:
    return f"{100 * float(np.mean(copies)):.0f} % of {len(copies)}" if copies else "none to count"


if __name__ == "__main__":
    main()
