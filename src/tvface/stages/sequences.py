"""Stage ``sequences``: mine sequences of one moving, clear, single face and cut their crops."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tvface import embedders
from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.manifests import read, write
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.manifests.identities import IDENTITIES
from tvface.manifests.sequences import CANDIDATES, SEQUENCES
from tvface.media.images import encode_jpeg, encode_png, read_image, warp_crop
from tvface.media.tarstore import TarWriter
from tvface.mining import quality
from tvface.mining.candidates import BOX, PLACE, crop_scores, find_sequences, judge, points5, score, without_repeats
from tvface.mining.chains import contiguity
from tvface.mining.crop_paths import smoothed_centres
from tvface.mining.motion import movement
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings
from tvface.settings.data import Sequences

_JPEG_QUALITY = 98
# Columns that a row of a crop copies from its face.
_OF_FACE = (
    *("show", "episode", "clip", "frame", "source_frame", "time_s", "shot", "scene", "track", "person"),
    *("score", "side", "inside", "aspect", "pose"),
)
log = logger("sequences")


@stage_run("sequences")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Write sequences, candidates and crops of episode ``shard``.

    Args:
        inputs: ``frames`` and ``faces`` manifests of the episode, ``identities`` of its show.
        outputs: ``manifest`` (:data:`SEQUENCES`), ``candidates`` (:data:`CANDIDATES`: every face with its scores and
            the reason why it is in no sequence), ``crops`` (tar of pictures).
    """
    sequence_settings = settings.sequences
    track_distance, pair_distance = _distances(settings)
    faces = _faces(inputs)
    score(faces, sequence_settings, shard)
    blurred = judge(faces, sequence_settings, track_distance)
    sequences = without_repeats(faces, find_sequences(faces, sequence_settings, pair_distance), sequence_settings)
    faces["sequence"] = None
    rows: list[dict[str, Any]] = []
    with TarWriter(outputs["crops"]) as crops:
        for number, members in enumerate(progress(sequences, f"crops of {shard}")):
            name = f"{shard}.{number:03d}"
            faces.loc[members, "sequence"] = name
            rows += _cut(faces.loc[members], name, sequence_settings, crops)
    dropped = Counter(faces.loc[faces["reason"] != "used", "reason"])
    notes = {"sequences": len(sequences), "faces": len(faces), "blurred_below": blurred}
    recorded = provenance("sequences", settings, inputs, dropped=dropped, backend=settings.faces.embedder, notes=notes)
    table = pd.DataFrame(rows) if rows else SEQUENCES.empty()
    write(outputs["manifest"], SEQUENCES, table, recorded)
    write(outputs["candidates"], CANDIDATES, faces[CANDIDATES.arrow.names], recorded)
    log.info(
        "%s: %d sequences of %d faces; not used: %s", shard, len(sequences), len(faces), dict(dropped.most_common())
    )


def _distances(settings: Settings) -> tuple[float, float]:
    """Return the largest distances of embeddings inside a track and between neighbours of a sequence.

    Null settings stand for the distances of the embedder.
    """
    embedder = embedders.distances(settings.faces.embedder)
    in_track, of_pair = settings.faces.tracks.distance, settings.sequences.pair_distance
    return (
        embedder.track_distance if in_track is None else in_track,
        embedder.pair_distance if of_pair is None else of_pair,
    )


def _faces(inputs: Paths) -> pd.DataFrame:
    """Return the faces of the episode in order, with the person and the place of the picture."""
    faces = read(inputs["faces"], FACES).rows
    frames = read(inputs["frames"], FRAMES).rows[["episode", "frame", *PLACE]]
    identities = read(inputs["identities"], IDENTITIES).rows[["episode", "track", "person"]]
    joined = faces.merge(frames, on=["episode", "frame"], how="left", validate="many_to_one")
    joined = joined.merge(identities, on=["episode", "track"], how="left", validate="many_to_one")
    for column, stage in (("image_file", "frames"), ("person", "identities")):
        if joined[column].isna().any():
            raise ValueError(
                f"{inputs[stage]}: does not know all faces of {inputs['faces']}; it is older, run stage {stage} again"
            )
    return joined.sort_values(["frame", "face"], ignore_index=True)


def _cut(faces: pd.DataFrame, name: str, settings: Sequences, crops: TarWriter) -> list[dict[str, Any]]:
    """Cut the crops of one sequence, all with the same side, and return its rows."""
    size = settings.image_size
    frame, shot = faces["frame"].to_numpy(np.int64), faces["shot"].to_numpy(np.int64)
    squares = [quality.crop_square(box, settings) for box in faces[BOX].to_numpy(np.float64)]
    side = float(np.median([side for _, side in squares]))
    centres = smoothed_centres(np.stack([centre for centre, _ in squares]), frame, shot)
    points = points5(faces)
    rows: list[dict[str, Any]] = []
    for position, (_, face) in enumerate(faces.iterrows()):
        image = read_image(*face[PLACE])
        transform = quality.crop_transform(centres[position], side, size)
        crop = warp_crop(image, transform, size)
        data = encode_png(crop) if settings.image_format == "png" else encode_jpeg(crop, _JPEG_QUALITY)
        file, offset, length = crops.add(f"{name}/{position:02d}.{settings.image_format}", data)
        crossing = position > 0 and bool(shot[position] != shot[position - 1])
        moved = movement(points[position - 1], points[position]) if position else (None, None)
        box = _mapped(face[BOX].to_numpy(np.float64).reshape(2, 2), transform)
        rows.append(
            {column: face[column] for column in _OF_FACE}
            | crop_scores(crop, image, centres[position], side)
            | {
                "sequence": name,
                "position": position,
                "image_file": file,
                "image_offset": offset,
                "image_length": length,
                "transform": transform.ravel(),
                "crop_side": side,
                "box": box.ravel(),
                "points5": _mapped(points[position], transform).ravel(),
                "shift": moved[0],
                "deformation": moved[1],
                "gap": int(frame[position] - frame[position - 1]) if position else None,
                "crossing": crossing,
                "contiguity": contiguity(frame, shot),
                "phash": quality.phash(crop),
            }
        )
    return rows


def _mapped(points: NDArray[np.float64], transform: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(points @ transform[:, :2].T + transform[:, 2], np.float64)
