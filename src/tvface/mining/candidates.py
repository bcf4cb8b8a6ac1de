"""Every detected face as a candidate for a sequence: its scores, and the first rule that it breaks.

The functions work on one table, the faces of an episode in order of the frames, and add columns to it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tvface.conventions.boxes import area
from tvface.embedders.base import unit
from tvface.media.images import Image, read_image, warp_crop
from tvface.mining import quality
from tvface.mining.chains import Chain, capped, choose
from tvface.mining.decisions import DROPPED
from tvface.mining.motion import movement
from tvface.mining.recaps import recaps
from tvface.runtime.progress import progress
from tvface.settings.data import Sequences

BOX = ["x0", "y0", "x1", "y1"]
PLACE = ["image_file", "image_offset", "image_length"]


def score(faces: pd.DataFrame, settings: Sequences, episode: str) -> None:
    """Add every score of the candidates manifest, from the table and from the crop of each face alone.

    Args:
        faces: with :data:`BOX`, ``points5``, the picture's size and :data:`PLACE`, frame and track.
        settings: of the crop.
        episode: for the progress.
    """
    boxes = faces[BOX].to_numpy(np.float64)
    scores = quality.box_scores(boxes, faces["width"].to_numpy(), faces["height"].to_numpy())
    for name in scores:
        faces[name] = scores[name]
    points = points5(faces)
    faces["pose"] = quality.pose(points)
    _score_crops(faces, settings, episode)
    _score_motion(faces, points)


def _score_crops(faces: pd.DataFrame, settings: Sequences, episode: str) -> None:
    measured: dict[str, list[float]] = {name: [] for name in ("clarity", "crop_luma", "upscale", "padding")}
    hashes: list[int] = []
    for _, group in progress(faces.groupby("frame", sort=True), f"scores of {episode}", faces["frame"].nunique()):
        image = read_image(*group[PLACE].iloc[0])
        for box in group[BOX].to_numpy(np.float64):
            centre, side = quality.crop_square(box, settings)
            crop = warp_crop(image, quality.crop_transform(centre, side, settings.image_size), settings.image_size)
            for name, value in crop_scores(crop, image, centre, side).items():
                measured[name].append(value)
            hashes.append(quality.phash(crop))
    for name, values in measured.items():
        faces[name] = np.array(values, np.float64)
    faces["phash"] = np.array(hashes, np.int64)


def _score_motion(faces: pd.DataFrame, points: NDArray[np.float64]) -> None:
    shift: list[float | None] = [None] * len(faces)
    deformation: list[float | None] = [None] * len(faces)
    for _, track in faces.groupby("track", sort=True):
        for before, after in zip(track.index[:-1], track.index[1:], strict=True):
            shift[after], deformation[after] = movement(points[before], points[after])
    faces["shift"], faces["deformation"] = shift, deformation


def crop_scores(crop: Image, image: Image, centre: NDArray[np.float64], side: float) -> dict[str, float]:
    """Return the scores of a crop alone.

    Args:
        crop: (S, S, 3) uint8 RGB, cut from ``image`` as the square of this centre (x, y) and side, in its pixels.
    """
    return {
        "clarity": quality.clarity(crop),
        "crop_luma": float(quality.luma(crop).mean()),
        "upscale": crop.shape[0] / side,
        "padding": quality.padding(centre, side, image.shape[1], image.shape[0]),
    }


def judge(faces: pd.DataFrame, settings: Sequences, track_distance: float) -> float | None:
    """Set ``reason`` to the first rule each face alone breaks ("" if none); return the clarity threshold.

    Args:
        faces: with the columns of :func:`score`, ``person`` and ``embedding``.
        settings: the limits.
        track_distance: largest distance of an embedding from the mean of its track; a face beyond it is another person.
    """
    reason = np.full(len(faces), "", object)
    for name, broken in _rules(faces, settings):
        reason[(reason == "") & np.asarray(broken)] = name
    sound = reason == ""
    # Relative to the episode: the absolute value depends on the size of the footage.
    threshold = None
    if sound.any() and settings.clarity_percentile > 0:
        threshold = float(np.percentile(faces.loc[sound, "clarity"], settings.clarity_percentile))
        reason[sound & (faces["clarity"] < threshold)] = "blurred"
    for _, track in faces[reason == ""].groupby("track", sort=True):
        embedded = np.stack(track["embedding"].to_list())
        far = np.linalg.norm(embedded - unit(embedded.mean(0)), axis=1) > track_distance
        reason[track.index[far]] = "identity"
    faces["reason"] = reason
    return threshold


def _rules(faces: pd.DataFrame, settings: Sequences) -> list[tuple[str, Any]]:
    """Return the rules on one face alone, in order: name, and which faces break it."""
    areas = area(faces[BOX].to_numpy(np.float64))
    other = quality.crowded(faces["frame"].to_numpy(), faces["score"].to_numpy(), areas, settings)
    low, high = settings.aspect
    dark, bright = settings.luma
    return [
        ("dropped_by_hand", faces["person"] == DROPPED),
        ("score", faces["score"] < settings.min_score),
        ("small", faces["side"] < settings.min_side),
        ("outside", faces["inside"] < settings.min_inside),
        ("aspect", (faces["aspect"] < low) | (faces["aspect"] > high)),
        ("other_face", other),
        ("pose", faces["pose"] > settings.max_pose),
        ("upscale", faces["upscale"] > settings.max_upscale),
        ("padding", faces["padding"] > settings.max_padding),
        ("dark", faces["crop_luma"] < dark),
        ("bright", faces["crop_luma"] > bright),
    ]


def find_sequences(faces: pd.DataFrame, settings: Sequences, pair_distance: float) -> list[NDArray[np.int64]]:
    """Choose sequences among the sound faces; return their rows, in order of the first frame, and set reasons.

    Args:
        faces: with the columns of :func:`score` and ``reason`` of :func:`judge`.
        settings: how sequences are chosen.
        pair_distance: largest distance of neighbouring embeddings.
    """
    keys = ["person", "scene"] if settings.cross_shots else ["track"]
    sequences = []
    for _, group in faces[faces["reason"] == ""].groupby(keys, sort=True):
        chain = Chain(
            group["frame"].to_numpy(np.int64),
            group["shot"].to_numpy(np.int64),
            points5(group),
            group["side"].to_numpy(np.float64),
            np.stack(group["embedding"].to_list()).astype(np.float64),
        )
        taken, reasons = choose(chain, settings, pair_distance)
        faces.loc[group.index, "reason"] = reasons
        sequences += [group.index.to_numpy()[places] for places in taken]
    return sorted(sequences, key=lambda rows: int(rows[0]))


def without_repeats(
    faces: pd.DataFrame, sequences: list[NDArray[np.int64]], settings: Sequences
) -> list[NDArray[np.int64]]:
    """Drop recaps, then the sequences beyond the caps; the faces of dropped sequences get the reason."""

    def first(column: str) -> list[Any]:
        return [faces.loc[rows[0], column] for rows in sequences]

    repeated = recaps(
        [faces.loc[rows, "phash"].to_numpy() for rows in sequences], first("shot"), settings.recap_distance
    )
    for rows, drop in zip(sequences, repeated, strict=True):
        if drop:
            faces.loc[rows, "reason"] = "recap"
    sequences = [rows for rows, drop in zip(sequences, repeated, strict=True) if not drop]
    kept = []
    for rows, reason in zip(sequences, capped(first("track"), first("person"), settings), strict=True):
        if reason is None:
            kept.append(rows)
        else:
            faces.loc[rows, "reason"] = reason
    return kept


def points5(faces: pd.DataFrame) -> NDArray[np.float64]:
    """Return the five points of the faces, (N, 5, 2) pixels."""
    if len(faces) == 0:
        return np.zeros((0, 5, 2))
    return np.stack(faces["points5"].to_list()).astype(np.float64).reshape(-1, 5, 2)
