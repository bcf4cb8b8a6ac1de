"""Stage ``faces``: detect, embed and track the faces of one episode."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from tvface import detectors, embedders
from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.detectors.base import Detections
from tvface.embedders.base import SIDE, Embedder
from tvface.embedders.crops import aligned_crop, box_crop
from tvface.manifests import read, write
from tvface.manifests.faces import FACES
from tvface.manifests.frames import FRAMES
from tvface.media.images import Image, read_image
from tvface.mining.tracks import link
from tvface.runtime.device import torch_device
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings

_FROM_FRAMES = ("show", "episode", "clip", "frame", "source_frame", "time_s", "shot", "scene", "width", "height")
_PLACE = ("image_file", "image_offset", "image_length")
log = logger("faces")


@stage_run("faces")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Write the faces manifest of episode ``shard``.

    Only frames in state ``valid`` are searched. Faces with a score below ``faces.min_score`` and faces outside the
    picture are dropped and counted.

    Args:
        inputs: ``frames``, the frame manifest (its pictures are read from the places in its rows).
        outputs: ``manifest`` (:data:`FACES`).
    """
    face_settings, track_settings = settings.faces, settings.faces.tracks
    torch.set_num_threads(max(1, threads))
    device = torch_device(settings.device)
    detector = detectors.create(face_settings.detector, face_settings, device)
    embedder = embedders.create(face_settings.embedder, face_settings, device)
    frames = read(inputs["frames"], FRAMES).rows
    dropped: Counter[str] = Counter()
    dropped.update(f"frame_{state}" for state in frames["state"] if state != "valid")
    valid = frames[frames["state"] == "valid"]
    rows: list[dict[str, Any]] = []
    for batch in progress(list(_batches(valid, face_settings.batch)), f"faces of {shard}"):
        images = [read_image(*place) for place in zip(*(batch[name] for name in _PLACE), strict=True)]
        detections = [
            _kept(faces, image, face_settings.min_score, dropped)
            for faces, image in zip(detector.detect(images), images, strict=True)
        ]
        crops = [
            _crops(image, faces, embedder, face_settings.margin)
            for image, faces in zip(images, detections, strict=True)
        ]
        embedded = iter(embedder.embed(np.concatenate(crops)))
        for frame, faces in zip(batch[list(_FROM_FRAMES)].to_dict("records"), detections, strict=True):
            for index in range(len(faces.boxes)):
                rows.append(_row(frame, faces, index, next(embedded)))
    table = pd.DataFrame(rows) if rows else FACES.empty()
    table["track"] = link(
        table["frame"].to_numpy(np.int64),
        table["shot"].to_numpy(np.int64),
        table[["x0", "y0", "x1", "y1"]].to_numpy(np.float64),
        np.stack(table["embedding"].to_list()) if rows else np.zeros((0, embedder.dimension)),
        track_settings,
        embedder.track_distance if track_settings.distance is None else track_settings.distance,
    )
    recorded = provenance(
        "faces",
        settings,
        inputs,
        dropped=+dropped,
        backend=f"{face_settings.detector}, {face_settings.embedder}",
        weights={**detector.weights, **embedder.weights},
        notes={"frames_searched": len(valid), "tracks": int(table["track"].nunique())},
    )
    write(outputs["manifest"], FACES, table, recorded)
    log.info("%s: %d faces in %d tracks of %d frames", shard, len(table), table["track"].nunique(), len(valid))


def _batches(frames: pd.DataFrame, size: int) -> Iterator[pd.DataFrame]:
    """Yield runs of up to ``size`` neighbouring frames of one picture size."""
    key = list(zip(frames["width"], frames["height"], strict=True))
    start = 0
    for _, same_size in itertools.groupby(key):
        end = start + len(list(same_size))
        for first in range(start, end, size):
            yield frames.iloc[first : min(first + size, end)]
        start = end


def _kept(detections: Detections, image: Image, min_score: float, dropped: Counter[str]) -> Detections:
    """Return the detections with a high enough score and a part in the picture; count the others."""
    height, width = image.shape[:2]
    low = detections.scores < min_score
    visible = np.minimum(detections.boxes[:, 2:], (width, height)) - np.maximum(detections.boxes[:, :2], 0)
    outside = ~low & (visible < 1).any(1)
    dropped["score"] += int(low.sum())
    dropped["outside"] += int(outside.sum())
    keep = ~low & ~outside
    return Detections(detections.boxes[keep], detections.scores[keep], detections.points[keep])


def _crops(image: Image, faces: Detections, embedder: Embedder, margin: int) -> np.ndarray:
    if len(faces.boxes) == 0:
        return np.zeros((0, SIDE, SIDE, 3), np.uint8)
    if embedder.crop == "aligned":
        return np.stack([aligned_crop(image, points) for points in faces.points])
    return np.stack([box_crop(image, box, margin) for box in faces.boxes])


def _row(frame: dict[Any, Any], faces: Detections, index: int, embedding: np.ndarray) -> dict[str, Any]:
    x0, y0, x1, y1 = (float(value) for value in faces.boxes[index])
    return {
        **frame,
        "face": index,
        "x0": x0,
        "y0": y0,
        "x1": x1,
        "y1": y1,
        "score": min(1.0, float(faces.scores[index])),
        "points5": faces.points[index].ravel(),
        "embedding": embedding,
    }
