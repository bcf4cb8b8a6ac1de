"""How well every embedder tells people apart: on your own clips, and on a finished run of the embedded show.

    python benchmarks/identities.py FOLDER [--results results] [--embedder compact] [--faces kept.npz]

FOLDER holds videos of different people. Faces are found at 3 frames/s and followed by place alone, so that no embedder
has a say. Who is who follows from the footage: one track is one person; people in one frame, and in different videos,
are different; other pairs of tracks are unknown and left out, but for those that --same names (numbers as printed).
Measured per face, per track (means of up to six faces in a row), and once more with the surroundings cut off, which
inside a shot stay the same and flatter.

With --results, the run's own detections are embedded, tracked and clustered anew with the embedder's distances and
judged by the show's truth as stage ``evaluate`` does.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from tvface import detectors, embedders
from tvface.assets.registry import MissingAsset
from tvface.bundled.rims import INNER, ellipse
from tvface.embedders.base import SIDE, Embedder, unit
from tvface.embedders.crops import aligned_crop, box_crop
from tvface.evaluation import footage
from tvface.evaluation.verification import Verification, verify
from tvface.manifests import read_all
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.manifests.synth import TRUTH_FACES, TRUTH_FRAMES
from tvface.media.images import Image, read_image
from tvface.media.video import SUFFIXES, VideoReader
from tvface.mining.people import people, seen_together
from tvface.mining.shots import find_shots, thumbnail
from tvface.mining.tracks import link
from tvface.settings import Settings, parse_settings

RUN = 6  # faces of a track mean


@dataclass(frozen=True)
class Faces:
    """Crops (N, 160, 160, 3) uint8 of both kinds; video, frame and track (N,), tracks numbered over all videos."""

    aligned: NDArray[np.uint8]
    box: NDArray[np.uint8]
    video: NDArray[np.int64]
    frame: NDArray[np.int64]
    track: NDArray[np.int64]


def find(folder: Path, settings: Settings) -> Faces:
    """Find and follow the faces of all videos of a folder."""
    detector = detectors.create(settings.faces.detector, settings.faces)
    aligned, box, video, frame, track = [], [], [], [], []
    total = 0
    for number, path in enumerate(sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES)):
        frames = list(VideoReader(path).sample(settings.frames.fps))
        shots = find_shots(
            np.stack([thumbnail(f.image) for f in frames]),
            np.array([f.time_s for f in frames]),
            settings.frames.shots,
            settings.frames.black_luma,
            settings.frames.duplicate,
        )
        boxes, where, shot = [], [], []
        for at, taken in enumerate(frames):
            detections = detector.detect([taken.image])[0]
            for place in np.flatnonzero(detections.scores >= settings.faces.min_score):
                aligned.append(aligned_crop(taken.image, detections.points[place]))
                box.append(box_crop(taken.image, detections.boxes[place], settings.faces.margin))
                boxes.append(detections.boxes[place])
                where.append(at)
                shot.append(shots.shot[at])
        if not boxes:
            continue
        same_looks = np.tile([[1.0]], (len(boxes), 1))
        linked = link(np.array(where), np.array(shot), np.stack(boxes), same_looks, settings.faces.tracks, 1.0)
        track += (linked + total).tolist()
        total += int(linked.max()) + 1
        video += [number] * len(boxes)
        frame += where
        named = f"{total - int(linked.max()) - 1}..{total - 1}"
        print(f"{path.name}: {len(boxes)} faces, {shots.shot.max() + 1} shots, tracks {named}")
    if not aligned:
        raise SystemExit(f"{folder}: no video with a face in it")
    return Faces(np.stack(aligned), np.stack(box), np.array(video), np.array(frame), np.array(track))


def relations(
    video: NDArray[np.int64],
    frame: NDArray[np.int64],
    track: NDArray[np.int64],
    same: Sequence[Sequence[int]] = (),
) -> NDArray[np.int8]:
    """Return the (T, T) table of tracks: 1 one person, 0 two people, -1 unknown; ``same`` lists tracks of one person.

    A person seen in one frame with one of another person's tracks is different from all of these tracks.
    """
    count = int(track.max()) + 1
    home = np.array([video[track == number][0] for number in range(count)])
    table = np.where(home[:, None] == home[None], -1, 0).astype(np.int8)
    for number in np.unique(video):
        rows = video == number
        table[seen_together(track[rows], frame[rows], count)] = 0
    for group in same:
        seen = (table[list(group)] == 0).any(0)
        table[np.ix_(group, np.flatnonzero(seen))] = 0
        table[np.ix_(np.flatnonzero(seen), group)] = 0
    for group in same:
        table[np.ix_(group, group)] = 1
    np.fill_diagonal(table, 1)
    return table


def judge(
    vectors: NDArray[np.float32], track: NDArray[np.int64], table: NDArray[np.int8], across: bool
) -> Verification:
    """Verify all known pairs of rows; with ``across`` the pairs of one person come from two tracks only."""
    distance = np.linalg.norm(vectors[:, None].astype(np.float64) - vectors[None], axis=-1)
    first, second = np.triu_indices(len(vectors), 1)
    known = table[track[first], track[second]]
    if across:
        known = np.where(track[first] == track[second], -1, known)
    apart = distance[first, second]
    return verify(apart[known == 1], apart[known == 0])


def runs(vectors: NDArray[np.float32], track: NDArray[np.int64]) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return the means of consecutive faces of each track, and their tracks."""
    means, owner = [], []
    for number in np.unique(track):
        rows = vectors[track == number]
        pieces = np.array_split(rows, max(1, round(len(rows) / RUN)))
        means += [unit(piece.mean(0)) for piece in pieces]
        owner += [number] * len(pieces)
    return np.stack(means), np.array(owner)


def inner(crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Grey out all but the face itself of aligned crops."""
    mask = ellipse(torch.tensor([INNER]), SIDE)[0, 0].numpy()[..., None]
    return np.asarray(np.round(crops * mask + 127 * (1 - mask)), np.uint8)


def on_videos(embedder: Embedder, faces: Faces, same: Sequence[Sequence[int]]) -> None:
    """Print the lines of an embedder on real people: all pairs, and across tracks where some are known."""
    table = relations(faces.video, faces.frame, faces.track, same)
    crops = faces.aligned if embedder.crop == "aligned" else faces.box
    for what, shown in (("full crop", crops), ("inner face", inner(crops))):
        vectors = embedder.embed(shown)
        for unit_, (rows, track) in (
            ("face", (vectors, faces.track)),
            (f"mean of {RUN}", runs(vectors, faces.track)),
        ):
            for across in (False, True)[: 1 + bool(same)]:
                scores = judge(rows, track, table, across)
                kind = "across shots" if across else ""
                print(
                    f"  {what:10s} per {unit_:9s} {kind:12s} area {scores.area:.4f}  "
                    f"EER {100 * scores.equal_error:5.2f} %  "
                    f"TAR at 1 % FAR {100 * scores.true_accepts:5.1f} %  ({scores.same} + {scores.different} pairs)"
                )


def on_show(embedder: Embedder, results: Path, settings: Settings) -> None:
    """Print tracks, people and their errors on the embedded show."""
    shards = sorted(path.stem for path in (results / "faces").glob("*.parquet"))

    def paths(name: str) -> list[Path]:
        return [results / name.format(shard) for shard in shards]

    frames = read_all(paths("frames/{}.parquet"), FRAMES).set_index(["episode", "frame"])
    faces = read_all(paths("faces/{}.parquet"), FACES)
    truth = read_all(paths("synth/{}.faces.parquet"), TRUTH_FACES)
    shots = read_all(paths("synth/{}.frames.parquet"), TRUTH_FRAMES).set_index(["episode", "source_frame"])["shot"]
    crops: list[Image] = []
    for (episode, frame), rows in faces.groupby(["episode", "frame"], sort=False):
        place = frames.loc[(episode, frame)]
        file = str(results.parent / place["image_file"])  # paths are stored relative to the project
        image = read_image(file, place["image_offset"], place["image_length"])
        for row in rows.itertuples():
            aligned = embedder.crop == "aligned"
            points, box = np.asarray(row.points5).reshape(5, 2), np.array([row.x0, row.y0, row.x1, row.y1])
            crops.append(aligned_crop(image, points) if aligned else box_crop(image, box, settings.faces.margin))
    vectors = embedder.embed(np.stack(crops))
    person, tracks, matches, episode_of, means, sizes, together = {}, [], [], [], [], [], {}
    for number, (episode, rows) in enumerate(faces.groupby("episode", sort=True)):
        own = vectors[rows.index]
        track = link(
            rows["frame"].to_numpy(),
            rows["shot"].to_numpy(),
            rows[["x0", "y0", "x1", "y1"]].to_numpy(float),
            own,
            settings.faces.tracks,
            embedder.track_distance,
        )
        count = int(track.max()) + 1
        together[number] = seen_together(track, rows["frame"].to_numpy(), count)
        means += [unit(own[track == k].mean(0)) for k in range(count)]
        sizes += np.bincount(track).tolist()
        episode_of += [number] * count
        tracks.append(pd.Series([f"{number}/{k}" for k in track], index=rows.index))
        sampled = truth[(truth["episode"] == episode) & truth["source_frame"].isin(_looked_at(frames, str(episode)))]
        matches.append(footage.match_faces(rows, sampled, settings.evaluate.match_iou))
    labels = people(
        np.stack(means),
        np.array(episode_of),
        np.array(sizes),
        together,
        embedder.person_distance,
        settings.identities.min_faces,
    )
    names = [f"{number}/{k}" for number, table in together.items() for k in range(len(table))]
    person = dict(zip(names, labels.tolist(), strict=True))
    matched, all_tracks = pd.concat(matches), pd.concat(tracks)
    paired = matched[matched["face"].notna()]
    track = all_tracks.loc[paired["face"].astype(int)].to_list()
    true_tracks = [f"{r.episode}/{shots[(r.episode, r.source_frame)]}/{r.person}" for r in paired.itertuples()]
    idf1 = footage.idf1(true_tracks, track, len(matched) - len(paired), len(faces) - len(paired))
    true, predicted = paired["person"].to_list(), [person[name] for name in track]
    counts = pd.crosstab(pd.Series(true, dtype=object), pd.Series(predicted, dtype=object)).to_numpy(float)
    correct_pairs, true_pairs, predicted_pairs = (
        float((x * (x - 1) / 2).sum()) for x in (counts, counts.sum(1), counts.sum(0))
    )
    print(
        f"  show: IDF1 of {len(names)} tracks {idf1:.4f}, {len(set(predicted))} people of {len(set(true))}, "
        f"pairwise F1 {footage.pairwise_f1(true, predicted):.4f}, "
        f"precision {correct_pairs / max(predicted_pairs, 1):.4f}, recall {correct_pairs / true_pairs:.4f}, "
        f"{int((np.count_nonzero(counts, axis=0) > 1).sum())} people mixed"
    )


def _looked_at(frames: pd.DataFrame, episode: str) -> pd.Series:
    rows = frames.loc[episode]
    return rows.loc[rows["state"] == "valid", "source_frame"]


def _numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the figures of every embedder whose weights are present."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, nargs="?", help="videos")
    parser.add_argument("--results", type=Path, help="results of a run of the embedded show")
    parser.add_argument("--embedder", action="append", choices=embedders.available(), help="default: all")
    parser.add_argument("--faces", type=Path, help="file that keeps the faces found in FOLDER for the next time")
    parser.add_argument("--same", type=_numbers, action="append", default=[], help="tracks of one person, as 3,15")
    options = parser.parse_args(arguments)
    if options.folder is None and options.results is None:
        parser.error("name a folder of videos, or --results, or both")
    torch.set_num_threads(1)
    settings = parse_settings({})
    faces = None
    if options.faces is not None and options.faces.is_file():
        with np.load(options.faces, allow_pickle=False) as kept:
            faces = Faces(**{name: kept[name] for name in kept.files})
    elif options.folder is not None:
        faces = find(options.folder, settings)
        if options.faces is not None:
            np.savez(options.faces, **vars(faces))
    for name in options.embedder or embedders.available():
        try:
            embedder = embedders.create(name, settings.faces)
        except MissingAsset as error:
            print(f"{name}: left out, {str(error).splitlines()[0]}")
            continue
        print(name)
        if faces is not None:
            on_videos(embedder, faces, options.same)
        if options.results is not None:
            on_show(embedder, options.results, settings)


if __name__ == "__main__":
    main()
