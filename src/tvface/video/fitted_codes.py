"""The first pass over a video without a network: points of every face in every frame, then the fit of each track.

Colours are looked at in the sampled frames alone, in which faces were detected: light changes slowly.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tvface import landmarkers, parsers
from tvface.assets import registry
from tvface.fitting.bridges import bridged
from tvface.fitting.codes import FittedCodes
from tvface.fitting.eyes import Eyes, Lids
from tvface.fitting.light_prior import LightPrior
from tvface.fitting.person import fit_person
from tvface.fitting.photometry import Photometry
from tvface.fitting.placed import observe
from tvface.fitting.readers import Readers
from tvface.fitting.seen_eyes import joints, openings, smoothed
from tvface.fitting.views import views
from tvface.head.model import HeadModel
from tvface.landmarkers.base import Landmarker
from tvface.manifests.fit import FITTED
from tvface.media.images import warp_crop
from tvface.media.video import VideoFrame
from tvface.model.codes_store import CodesStore, Rows
from tvface.parsers.base import Parser
from tvface.runtime.logging import logger
from tvface.runtime.progress import progress
from tvface.settings import Settings
from tvface.video.job import BLOCK, Job
from tvface.video.steps import Steps

LOOK = 112  # px, side of the crops in which colours are looked at


class Found:
    """What the frames show, on disk: ``points`` of all frames, ``looks`` (small crops and label maps) of sampled ones.

    Args:
        folder: of the work.
    """

    def __init__(self, folder: Path) -> None:
        self.points, self.looks = CodesStore(folder / "points"), CodesStore(folder / "looks")


def find(job: Job, found: Found, steps: Steps, key: str) -> None:
    """Find the points of every face in every frame; blocks that are stored already are not searched again."""
    if not steps.holds("points", key):
        found.points.clear()
        found.looks.clear()
        steps.mark("points", key)
    elif found.points.complete:
        logger("reconstruct").info("points: taken from the run before")
        return
    landmarker = landmarkers.create(job.settings.landmarks.backend, job.settings.landmarks)
    parser = parsers.create(job.settings.masks.backend, job.settings.masks)
    readers = Readers.of(job.settings.fit, job.head)
    sampled = frozenset(job.faces["source_frame"].astype(int))
    count = 0
    for count, block in enumerate(progress(job.blocks(), f"points in blocks of {BLOCK} frames"), 1):
        if not found.points.has(count - 1):  # written after the looks: with it both are there
            with job.parts.timed("masks"):
                found.looks.add(count - 1, _block_looks(job, block, parser, sampled))
            with job.parts.timed("points"):
                found.points.add(count - 1, _block_points(job, block, landmarker, readers))
    found.points.finish(count)


def _block_looks(job: Job, block: list[VideoFrame], parser: Parser, sampled: frozenset[int]) -> Rows:
    """Return ``track``, ``frame``, ``image`` (N,L,L,3) and ``labels`` (N,L,L) of sampled frames, L = :data:`LOOK`."""
    pad = round(job.size * (job.settings.masks.context - 1) / 2)
    inner = slice(pad, pad + job.size)
    parts: list[Rows] = []
    for track, path in job.paths.items():
        frames = [f for f in block if f.source_frame in sampled and path.covers(f.source_frame)]
        if not frames:
            continue
        maps = np.stack([path.transform(frame.source_frame, job.size, job.scale(frame)) for frame in frames])
        regions = _regions(frames, maps, job.size, pad)
        labels = parser.parse(regions)[:, inner, inner]
        small = (LOOK, LOOK)
        parts.append(
            {
                "track": np.full(len(frames), track, np.int64),
                "frame": np.array([frame.source_frame for frame in frames], np.int64),
                "image": np.stack([cv2.resize(r[inner, inner], small, interpolation=cv2.INTER_AREA) for r in regions]),
                "labels": np.stack([cv2.resize(one, small, interpolation=cv2.INTER_NEAREST) for one in labels]),
            }
        )
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]} if parts else {}


def _regions(frames: list[VideoFrame], maps: NDArray[np.float64], size: int, pad: int) -> NDArray[np.uint8]:
    """Return the crops of frames with ``pad`` pixels more on every side."""
    around = maps.copy()
    around[:, :, 2] += pad
    return np.stack([warp_crop(f.image, m, size + 2 * pad) for f, m in zip(frames, around, strict=True)])


def _block_points(job: Job, block: list[VideoFrame], landmarker: Landmarker, readers: Readers) -> Rows:
    """Return the rows of all tracks in a block: ``track``, ``frame``, ``time_s``, ``transform``, ``points`` (N,68,2) in
    crop pixels, ``confidence`` (N,68), what the eyes show: ``opening``, ``gaze``, ``sure`` (N,2), and the ``guess`` of
    the shape (N,S), if the settings ask for it."""
    settings, size = job.settings, job.size
    pad = round(size * (settings.landmarks.context - 1) / 2)
    scale = job.scale(block[0])
    parts: list[dict[str, NDArray[Any]]] = []
    for track, path in job.paths.items():
        frames = [frame for frame in block if path.covers(frame.source_frame)]
        if not frames:
            continue
        maps = np.stack([path.transform(frame.source_frame, size, scale) for frame in frames])
        regions = _regions(frames, maps, size, pad)
        found = [
            landmarker.locate(regions[start:][: settings.landmarks.batch], boxes)
            for start, boxes in _batches(_boxes(settings, size, pad, len(frames)), settings.landmarks.batch)
        ]
        points = np.concatenate([points for points, _ in found])
        eyes = readers.look_at_eyes(regions, points)
        guesses = readers.guesses(regions, points)
        parts.append(
            {
                "opening": eyes.opening,
                "gaze": eyes.gaze,
                "sure": eyes.confidence,
                "track": np.full(len(frames), track, np.int64),
                "frame": np.array([frame.source_frame for frame in frames], np.int64),
                "time_s": np.array([frame.time_s for frame in frames], np.float64),
                "transform": maps,
                "points": points - pad,
                "confidence": np.concatenate([confidence for _, confidence in found]),
                **({} if guesses is None else {"guess": guesses}),
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


def fit_tracks(job: Job, found: Found, codes: CodesStore, steps: Steps, key: str, start: CodesStore | None) -> None:
    """Fit every track and store the codes in the blocks of its points.

    Args:
        job: whose decoder holds the head.
        found: of :func:`find`.
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
        tools = _Tools(job)
        fits = {track: _fit_track(job, tools, found, start, track) for track in progress(job.paths, "fitting tracks")}
    tracks = {track: rows for track, rows in fits.items() if rows is not None}
    taken = dict.fromkeys(tracks, 0)
    for number in range(len(found.points)):
        parts = []
        for rows in found.points.tracks(number):
            track, count = int(rows["track"][0]), len(rows["track"])
            if track not in tracks:
                continue
            part = slice(taken[track], taken[track] + count)
            taken[track] += count
            kept = {name: rows[name] for name in ("track", "frame", "time_s", "transform")}
            parts.append(kept | {name: values[part] for name, values in tracks[track].items()})
        codes.add(number, {name: np.concatenate([one[name] for one in parts]) for name in parts[0]} if parts else {})
    codes.finish(len(found.points))
    steps.mark("codes", key)


def _gathered(job: Job, store: CodesStore, track: int) -> Rows:
    """Return the rows of a track in all of its blocks; the others are not read."""
    blocks = job.blocks_of(track, len(store))
    parts = [rows for number in blocks for rows in store.tracks(number) if rows["track"][0] == track]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


class _Tools:
    """What all tracks share: the head, whole and restricted to points and lids, and the fit of its colours."""

    def __init__(self, job: Job) -> None:
        sizes = job.settings.head
        self.full = HeadModel(job.head, sizes.n_shape, sizes.n_expression)
        self.lids = Lids(job.head)
        self.head = self.full.restricted(torch.from_numpy(self.lids.vertices))
        prior = LightPrior.load(registry.place("light_prior"))
        self.photometry = Photometry(job.head, sizes.n_texture, prior)
        self.readers = Readers.of(job.settings.fit, job.head)


def _fit_track(job: Job, tools: _Tools, found: Found, start: CodesStore | None, track: int) -> Rows | None:
    """Return the codes of a track's frames; None if no frame has a fit to trust."""
    settings, data = job.settings, job.head
    rows = _gathered(job, found.points, track)
    eyes = Eyes(rows["opening"], rows["gaze"], rows["sure"])
    segment = np.zeros(len(rows["track"]), np.int64)
    observed, placed = observe(
        tools.head,
        rows["points"],
        rows["confidence"],
        rows["transform"],
        segment,
        rows["time_s"],
        job.size,
        openings(eyes, rows["points"]),
    )
    before = None if start is None else placed.codes(_gathered(job, start, track))
    names = data.notes.get("expression_names", [])[: tools.full.n_expression]
    guess = None
    if "guess" in rows:
        guess = tools.readers.pooled(rows["guess"], rows["confidence"].mean(1), tools.full.n_shape)
    fit = fit_person(tools.head, observed, settings.fit, names, before, tools.lids, guess)
    fitted = fit.verdict == FITTED
    if not fitted.all():
        reasons, counts = np.unique(fit.verdict[~fitted].astype(str), return_counts=True)
        logger("reconstruct").info(
            "track %d: %d of %d frames without a fit to trust (%s): %s",
            track,
            (~fitted).sum(),
            len(fitted),
            ", ".join(f"{reason} {count}" for reason, count in zip(reasons, counts, strict=True)),
            "bridged from the frames around" if fitted.any() else "the track is left out",
        )
    if not fitted.any():
        return None
    count, codes = len(fitted), bridged(fit.codes, fitted, observed.time)
    camera = placed.camera(codes)
    with job.parts.timed("colours"):
        texture, light = _colours(tools, codes, camera, rows["frame"], _gathered(job, found.looks, track))
    return {
        "shape": np.broadcast_to(codes.shape, (count, len(codes.shape))).copy(),
        "texture": np.broadcast_to(texture, (count, len(texture))).copy(),
        "expression": codes.expression,
        "pose": codes.pose,
        "eyes": smoothed(joints(eyes, codes.rotation), observed.time),
        "camera": camera,
        "light": light,
        "residual": fit.residual.mean(1),
        "fitted": fitted,
    }


def _colours(
    tools: _Tools, codes: FittedCodes, camera: NDArray[np.float32], frame: NDArray[np.int64], looks: Rows
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return albedo code (n,) and the light of every frame (T,9,3), interpolated between the sampled frames."""
    rows = np.searchsorted(frame, looks["frame"])
    pictures = zip(looks["image"], looks["labels"], [0] * len(rows), strict=True)
    seen = views(tools.full, codes.take(rows), camera[rows], pictures)
    look = tools.photometry.fit(seen)
    flat = look.light.reshape(len(rows), 27)
    light = np.stack([np.interp(frame, frame[rows], flat[:, k]) for k in range(27)], 1)
    return look.texture, light.reshape(-1, 9, 3).astype(np.float32)
