"""Frames per second of detection, 2D-FAN and BiSeNet beside the plain packages, one face per frame."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch

from benchmarks.gpu_parts.job import Job
from benchmarks.peers_stages import (
    RANDOM,
    OwnDetection,
    OwnLandmarks,
    OwnMasks,
    PlainDetection,
    PlainLandmarks,
    PlainMasks,
    Spec,
    apart,
    network,
)
from benchmarks.timing import interleaved
from tvface.runtime.device import arithmetic, name_of

FRAMES, QUICK_FRAMES, RUNS = 64, 2, 5
WIDTH, HEIGHT = 640, 360
ASTRONAUT = np.array([167.0, 60.0, 285.0, 219.0])  # face in scikit-image's picture of 512 px
LARGEST_ERROR = 0.05
"""RMS difference of maps in bfloat16, in standard deviations: rounding gives a third of it at most."""


def detection(job: Job) -> None:
    """Both find the same faces, or it fails.

    Raises:
        AssertionError: other faces, or corners half a pixel apart.
    """
    spec, frames, _ = _footage(job)
    plain, own = PlainDetection(spec), OwnDetection(spec)
    theirs, ours = [plain(frame) for frame in frames], own(frames)
    _times(job, lambda: [plain(frame) for frame in frames], lambda: own(frames), len(frames), "float32")
    counts = [(len(a), len(b)) for a, b in zip(theirs, ours, strict=True)]
    assert all(a == b for a, b in counts), f"faces per frame, package and tvface: {counts}"
    corners = max(float(np.abs(np.stack(a) - b).max()) for a, b in zip(theirs, ours, strict=True) if len(a))
    job.note(f"{sum(a for a, _ in counts)} faces; corners within {corners:.4f} px")
    assert corners < 0.5, "the boxes lie elsewhere"


def fan(job: Job) -> None:
    """Crop, 2D-FAN and decoding."""
    spec, frames, boxes = _footage(job)
    plain, own = PlainLandmarks(spec), OwnLandmarks(spec)
    _times(
        job,
        lambda: [plain(frame, each) for frame, each in zip(frames, boxes, strict=True)],
        lambda: own(frames, boxes),
        len(frames),
        spec.precision,
    )
    _maps(job, "fan", plain, own, frames, boxes)


def bisenet(job: Job) -> None:
    """Cutting, BiSeNet, and the mask at the region's size."""
    spec, frames, boxes = _footage(job)
    plain, own = PlainMasks(spec), OwnMasks(spec)
    pairs = [(frame, box) for frame, each in zip(frames, boxes, strict=True) for box in each]
    masks = lambda: [plain.mask(plain(*pair)) for pair in pairs]  # noqa: E731
    _times(job, masks, lambda: own(frames, boxes), len(frames), spec.precision)
    _maps(job, "bisenet", plain, own, frames, boxes)


def _footage(job: Job) -> tuple[Spec, list[np.ndarray], list[list[np.ndarray]]]:
    """A portrait that moves through frames, and its boxes."""
    from skimage.data import astronaut

    precision = name_of(arithmetic("auto", torch.device(job.device)))
    spec = Spec(job.device, 60, precision, torch.get_num_threads())
    picture = cv2.resize(astronaut(), (HEIGHT, HEIGHT), interpolation=cv2.INTER_AREA)
    frames, boxes = [], []
    for index in range(QUICK_FRAMES if job.quick else FRAMES):
        left = index * 37 % (WIDTH - HEIGHT)
        frame = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
        frame[:, left : left + HEIGHT] = picture
        frames.append(frame)
        boxes.append([ASTRONAUT * HEIGHT / 512 + [left, 0, left, 0]])
    return spec, frames, boxes


def _times(job: Job, plain: Callable[[], object], own: Callable[[], object], frames: int, precision: str) -> None:
    job.note(f"{frames} frames of {WIDTH} x {HEIGHT}; the package frame by frame in float32, tvface in {precision}")
    times = interleaved({"plain": plain, "tvface": own}, 1 if job.quick else RUNS, torch.device(job.device))
    for name, seconds in times.items():
        job.row(chain=name, **{"frames/s": frames / seconds, "x plain": times["plain"] / seconds})


def _maps(job: Job, name: str, plain: Any, own: Any, frames: list[np.ndarray], boxes: list[list[np.ndarray]]) -> None:
    few = slice(4)
    error = apart(plain.maps(frames[few], boxes[few]), own.maps(frames[few], boxes[few]))
    source = network(name)[1]
    text = "pseudo-random, seeded, since the published ones are absent: time does not depend on them"
    job.note(f"weights: {text if source == RANDOM else source}; maps differ by {100 * error:.3f} % of their spread")
    assert error < LARGEST_ERROR, "the maps differ by more than bfloat16 explains"
