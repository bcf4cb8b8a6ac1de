"""Noise of the points in the stillest second of a clip, for several ways to choose crop and box."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from views import framed

from tvface import detectors, flow, landmarkers
from tvface.conventions.boxes import centre_and_sides
from tvface.conventions.points68 import PARTS, eye_distance
from tvface.evaluation.points import temporal_noise
from tvface.evaluation.stillness import face_motion, stillest_run
from tvface.media.images import Image, decode, encode_jpeg, shrink, warp_crop
from tvface.media.video import VideoReader
from tvface.mining.crop_paths import CropPath, crop_paths, smoothed_centres
from tvface.mining.quality import crop_square
from tvface.settings import Settings

FLOW_SIDE = 112  # of the crops that the flow runs on
BOX = ["x0", "y0", "x1", "y1"]
Boxes = NDArray[np.float64]
Squares = list[tuple[NDArray[np.float64], float]]


@dataclass(frozen=True)
class Second:
    """The stillest second of a face: source frames, their rate [Hz], the mean motion per frame in crop sides, and how
    the face's crop moves."""

    frames: range
    rate: float
    motion: float
    path: CropPath


def stillest_second(video: Path, faces: pd.DataFrame, settings: Settings) -> Second | None:
    """Find the second of the main track (largest sum of box sides) in which the optical flow (DIS, OpenCV) inside the
    face is smallest; None if the track is shorter. Every frame is decoded, two are held.

    Args:
        faces: rows of the faces manifest of this video.
    """
    paths = crop_paths(faces, settings.sequences.crop_scale, settings.sequences.crop_down)
    sides = pd.Series((faces["x1"] - faces["x0"]).to_numpy(), index=faces["track"].to_numpy())
    path = paths[int(sides.groupby(level=0).sum().idxmax())]
    backend = flow.create("dis", settings.dataset.flow)
    motion: list[float] = []
    before: Image | None = None
    time, scale = 0.0, 1.0
    for frame in VideoReader(video).frames():
        time, number = frame.time_s, frame.source_frame
        scale = frame.image.shape[1] / int(faces["width"].iloc[0])
        moved = float("nan")
        if before is not None and path.covers(number - 1) and path.covers(number):
            matrix = path.transform(number, FLOW_SIDE, scale)
            moved = face_motion(*(warp_crop(image, matrix, FLOW_SIDE) for image in (before, frame.image)), backend)
        motion.append(moved)
        before = frame.image
    rate = (len(motion) - 1) / time if time > 0 else 0.0
    run_and_motion = stillest_run(np.array(motion), round(rate)) if round(rate) >= 3 else None
    if run_and_motion is None:
        return None
    return Second(range(run_and_motion[0], run_and_motion[0] + round(rate)), rate, run_and_motion[1], path)


def read_second(video: Path, second: Second, settings: Settings) -> Iterator[Image]:
    """Yield the pictures of the second as the frames stage stores them."""
    for frame in VideoReader(video).frames():
        if frame.source_frame in second.frames:
            yield decode(encode_jpeg(shrink(frame.image, settings.frames.long_side), settings.frames.jpeg_quality))
        if frame.source_frame >= second.frames[-1]:
            return


def detect(pictures: list[Image], second: Second, settings: Settings) -> tuple[Boxes, NDArray[np.float64], int]:
    """Return MTCNN's boxes (T, 4) and points (T, 5, 2) of the face, and in how many pictures it was not found (these
    are interpolated)."""
    detector = detectors.create(settings.faces.detector, settings.faces)
    boxes = np.full((len(pictures), 4), np.nan)
    points = np.full((len(pictures), 5, 2), np.nan)
    for index, (number, picture) in enumerate(zip(second.frames, pictures, strict=True)):
        detections = detector.detect([picture])[0]
        path = second.path
        centre = np.array([np.interp(number, path.frames, path.centres[:, axis]) for axis in range(2)])
        side = float(np.interp(number, path.frames, path.sides))
        middles = [crop_square(box, settings.sequences)[0] for box in detections.boxes]
        near = [k for k, middle in enumerate(middles) if np.linalg.norm(middle - centre) < side / 4]
        if near:
            boxes[index], points[index] = detections.boxes[near[0]], detections.points[near[0]]
    there = np.flatnonzero(np.isfinite(boxes[:, 0]))
    if len(there) < 3:
        raise SystemExit(
            f"the detector finds the face in {len(there)} of {len(pictures)} frames of its stillest second"
        )
    every = np.arange(len(pictures))
    flat = np.concatenate([boxes, points.reshape(-1, 10)], 1)
    filled = np.stack([np.interp(every, there, column[there]) for column in flat.T], 1)
    return filled[:, :4], filled[:, 4:].reshape(-1, 5, 2), len(pictures) - len(there)


def squares(boxes: Boxes, settings: Settings, way: str) -> Squares:
    """Return crops: ``own`` of each box, ``smooth`` as ``sequences`` cuts them, ``fixed`` for all."""
    own = [crop_square(box, settings.sequences) for box in boxes]
    if way == "own":
        return own
    centres, side = np.stack([centre for centre, _ in own]), float(np.median([side for _, side in own]))
    if way == "fixed":
        return [(centres.mean(0), side)] * len(own)
    frames = np.arange(len(own))
    return [(centre, side) for centre in smoothed_centres(centres, frames, np.zeros_like(frames))]


def smooth_boxes(boxes: Boxes) -> Boxes:
    """Return boxes averaged 1:2:1 over time, the ends with their only neighbour 1:3."""
    padded = np.concatenate([boxes[:1], boxes, boxes[-1:]])
    return (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4


def locate(
    pictures: list[Image], boxes: Boxes, crops: Squares, settings: Settings, **changed: int
) -> NDArray[np.float64]:
    """Return (T, 68, 2) picture points, with ``changed`` settings of ``landmarks``."""
    own = dataclasses.replace(settings.landmarks, **changed)
    landmarker = landmarkers.create(own.backend, own)
    points = []
    for picture, box, square in zip(pictures, boxes, crops, strict=True):
        view = framed(picture, box, settings, own.context, square)
        local, _ = landmarker.locate(view.region[None], view.region_box[None])
        points.append(view.to_picture(local[0]))
    return np.stack(points)


def jitter(video: Path, faces: pd.DataFrame, settings: Settings) -> list[dict[str, object]]:
    """Return one row per way: noise in % of the mean outer eye distance, of all points, their parts, their mean.

    The ways: ``pipeline`` (crop as ``sequences`` cuts it from neighbouring frames, MTCNN's box of each frame, settings
    of ``landmarks``), then each with one thing changed. Rows ``box`` and ``detector``: centre and side of MTCNN's box,
    and its five points. No rows if no track lasts a second.
    """
    second = stillest_second(video, faces, settings)
    if second is None:
        return []
    pictures = list(read_second(video, second, settings))
    boxes, five, missed = detect(pictures, second, settings)
    smooth, mean = squares(boxes, settings, "smooth"), np.repeat(boxes.mean(0, keepdims=True), len(boxes), 0)
    ways = {
        "pipeline": locate(pictures, boxes, smooth, settings),
        "each frame alone": locate(pictures, boxes, squares(boxes, settings, "own"), settings),
        "box smoothed": locate(pictures, smooth_boxes(boxes), smooth, settings),
        "box fixed": locate(pictures, mean, smooth, settings),
        "box and crop fixed": locate(pictures, mean, squares(boxes, settings, "fixed"), settings),
        "fixed, no refine": locate(pictures, mean, squares(boxes, settings, "fixed"), settings, refine=0),
        "no refine": locate(pictures, boxes, smooth, settings, refine=0),
        "no flip": locate(pictures, boxes, smooth, settings, flip=False),
        "refined once": locate(pictures, boxes, smooth, settings, refine=1),
        "refined three times": locate(pictures, boxes, smooth, settings, refine=3),
    }
    eye = float(eye_distance(ways["pipeline"]).mean())
    shared: dict[str, object] = {
        "first_frame": second.frames[0],
        "frames": len(second.frames),
        "rate_Hz": round(second.rate, 2),
        "motion_%": round(100 * second.motion, 3),
        "missed": missed,
        "eyes_px": round(eye, 1),
    }
    rows = []
    for name, points in ways.items():
        parts = {part: temporal_noise(points[:, where]) for part, where in PARTS.items()}
        noise = {"all": temporal_noise(points), **parts, "mean_point": temporal_noise(points.mean(1, keepdims=True))}
        rows.append({**shared, "way": name, **{key: round(100 * value / eye, 3) for key, value in noise.items()}})
    centres, sides = centre_and_sides(boxes)
    lengths = sides.mean(1)[:, None, None]
    for name, value in (
        ("box centre", temporal_noise(centres[:, None])),
        ("box side", temporal_noise(lengths)),
        ("detector's 5 points", temporal_noise(five)),
    ):
        rows.append({**shared, "way": name, "all": round(100 * value / eye, 3)})
    return rows
