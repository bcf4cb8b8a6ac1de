"""The first pass over a video without a network: points of every face in every frame, then the fit of each track."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from tvface import landmarkers
from tvface.fitting.bridges import bridged
from tvface.fitting.person import PersonFit, fit_person
from tvface.fitting.placed import Placed, observe
from tvface.head.model import HeadModel
from tvface.landmarkers.base import Landmarker
from tvface.manifests.fit import FITTED
from tvface.media.images import warp_crop
from tvface.media.video import VideoFrame
from tvface.model.codes_store import CodesStore, Rows
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings
from tvface.video.job import BLOCK, Job
from tvface.video.steps import Steps


def find_points(job: Job, store: CodesStore, steps: Steps, key: str) -> None:
    """Find the points of every face in every frame; blocks that the store holds are not searched again."""
    if not steps.holds("points", key):
        store.clear()
        steps.mark("points", key)
    elif store.complete:
        logger("reconstruct").info("points: taken from the run before")
        return
    landmarker = landmarkers.create(job.settings.landmarks.backend, job.settings.landmarks)
    count = 0
    for count, block in enumerate(progress(job.blocks(), f"points in blocks of {BLOCK} frames"), 1):
        if not store.has(count - 1):
            with job.parts.timed("points"):
                store.add(count - 1, _block_points(job, block, landmarker))
    store.finish(count)


def _block_points(job: Job, block: list[VideoFrame], landmarker: Landmarker) -> Rows:
    """Return the rows of all tracks in a block: ``track``, ``frame``, ``time_s``, ``transform``, ``points`` (N,68,2) in
    crop pixels and ``confidence`` (N,68)."""
    settings, size = job.settings, job.size
    pad = round(size * (settings.landmarks.context - 1) / 2)
    scale = job.scale(block[0])
    parts: list[dict[str, NDArray[Any]]] = []
    for track, path in job.paths.items():
        frames = [frame for frame in block if path.covers(frame.source_frame)]
        if not frames:
            continue
        maps = np.stack([path.transform(frame.source_frame, size, scale) for frame in frames])
        around = maps.copy()
        around[:, :, 2] += pad
        regions = np.stack([warp_crop(f.image, m, size + 2 * pad) for f, m in zip(frames, around, strict=True)])
        found = [
            landmarker.locate(regions[start:][: settings.landmarks.batch], boxes)
            for start, boxes in _batches(_boxes(settings, size, pad, len(frames)), settings.landmarks.batch)
        ]
        parts.append(
            {
                "track": np.full(len(frames), track, np.int64),
                "frame": np.array([frame.source_frame for frame in frames], np.int64),
                "time_s": np.array([frame.time_s for frame in frames], np.float64),
                "transform": maps,
                "points": np.concatenate([points for points, _ in found]) - pad,
                "confidence": np.concatenate([confidence for _, confidence in found]),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _boxes(settings: Settings, size: int, pad: int, count: int) -> NDArray[np.float32]:
    """Return the detector's box in the region around each crop, (N,4): crops are cut by it."""
    side = size / settings.sequences.crop_scale
    middle = (size - 1) / 2 + pad
    down = settings.sequences.crop_down * side
    box = [middle - side / 2, middle - down - side / 2, middle + side / 2, middle - down + side / 2]
    return np.tile(np.array(box, np.float32), (count, 1))


def _batches(boxes: NDArray[np.float32], batch: int) -> list[tuple[int, NDArray[np.float32]]]:
    return [(start, boxes[start : start + batch]) for start in range(0, len(boxes), batch)]


def fit_tracks(
    job: Job, points: CodesStore, codes: CodesStore, steps: Steps, key: str, start: CodesStore | None
) -> None:
    """Fit every track and store the codes in the blocks of its points.

    Args:
        job: whose decoder holds the head.
        points: of :func:`find_points`.
        codes: takes the codes, ``residual`` (N,) in % of the eye distance, and ``fitted`` (N,): whether the fit of the
            frame can be trusted; codes of others are bridged from the frames around.
        steps: of the folder.
        key: of the inputs.
        start: codes of a network to start from; none: the mean head.
    """
    if steps.holds("codes", key) and codes.complete:
        logger("reconstruct").info("codes: taken from the run before")
        return
    codes.clear()
    with job.parts.timed("fit"):
        tracks = {track: _fit_track(job, points, start, track) for track in progress(job.paths, "fitting tracks")}
    taken = dict.fromkeys(tracks, 0)
    for number in range(len(points)):
        parts = []
        for rows in points.tracks(number):
            track, count = int(rows["track"][0]), len(rows["track"])
            part = slice(taken[track], taken[track] + count)
            taken[track] += count
            kept = {name: rows[name] for name in ("track", "frame", "time_s", "transform")}
            parts.append(kept | {name: values[part] for name, values in tracks[track].items()})
        codes.add(number, {name: np.concatenate([one[name] for one in parts]) for name in parts[0]} if parts else {})
    codes.finish(len(points))
    steps.mark("codes", key)


def _gathered(store: CodesStore, track: int) -> Rows:
    """Return the rows of a track in all blocks."""
    parts = [rows for number in range(len(store)) for rows in store.tracks(number) if rows["track"][0] == track]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _fit_track(job: Job, points: CodesStore, start: CodesStore | None, track: int) -> Rows:
    settings, data = job.settings, job.head
    rows = _gathered(points, track)
    full = HeadModel(data, settings.head.n_shape, settings.head.n_expression)
    head = full.restricted(torch.zeros(0, dtype=torch.int64))
    segment = np.zeros(len(rows["track"]), np.int64)
    observed, placed = observe(
        head, rows["points"], rows["confidence"], rows["transform"], segment, rows["time_s"], job.size
    )
    before = None if start is None else placed.codes(_gathered(start, track))
    names = data.notes.get("expression_names", [])[: full.n_expression]
    fit = fit_person(head, observed, settings.fit, names, before)
    fitted = fit.verdict == FITTED
    if not fitted.all():
        reasons, counts = np.unique(fit.verdict[~fitted].astype(str), return_counts=True)
        logger("reconstruct").info(
            "track %d: %d of %d frames without a fit to trust (%s): bridged from the frames around",
            track,
            (~fitted).sum(),
            len(fitted),
            ", ".join(f"{reason} {count}" for reason, count in zip(reasons, counts, strict=True)),
        )
    return _code_rows(settings, fit, placed, fitted, observed.time)


def _code_rows(
    settings: Settings, fit: PersonFit, placed: Placed, fitted: NDArray[np.bool_], time: NDArray[np.float64]
) -> Rows:
    count = len(fitted)
    codes = bridged(fit.codes, fitted, time)
    return {
        "shape": np.broadcast_to(codes.shape, (count, len(codes.shape))).copy(),
        "texture": np.zeros((count, settings.head.n_texture), np.float32),
        "expression": codes.expression,
        "pose": codes.pose,
        "eyes": np.zeros((count, 6), np.float32),
        "camera": placed.camera(codes),
        "light": np.zeros((count, 9, 3), np.float32),
        "residual": fit.residual.mean(1),
        "fitted": fitted,
    }
