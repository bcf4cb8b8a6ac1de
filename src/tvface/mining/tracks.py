"""Link faces into tracks inside shots, by position and appearance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from tvface.conventions.boxes import area, centre_shift, iou
from tvface.settings.data import Tracks

_FORBIDDEN = 1e6


@dataclass
class _Track:
    number: int
    frame: int
    box: NDArray[np.float64]
    total: NDArray[np.float64]

    @property
    def centroid(self) -> NDArray[np.float64]:
        return self.total / max(float(np.linalg.norm(self.total)), 1e-12)


def link(
    frame: NDArray[np.integer],
    shot: NDArray[np.integer],
    boxes: NDArray[np.floating],
    embeddings: NDArray[np.floating],
    settings: Tracks,
    distance: float,
) -> NDArray[np.int32]:
    """Give every face a track; a track has at most one face per frame and never leaves its shot.

    Faces of a frame are assigned to the tracks alive by the Hungarian method. A face may join a track only if its
    embedding is within ``distance`` of the track's mean, and its box overlaps the track's last box, or lies near it,
    or lies within two box sides and looks much alike (fast motion at 3 frames/s leaves no overlap).

    Args:
        frame: (N,) sampled frame of each face.
        shot: (N,) shot of each face.
        boxes: (N, 4) x0, y0, x1, y1 in pixels.
        embeddings: (N, D) of unit length.
        settings: gates.
        distance: largest embedding distance to a track.

    Returns:
        (N,) track of each face, numbered from 0 in order of first appearance.
    """
    tracks = np.full(len(frame), -1, np.int32)
    places, looks = np.asarray(boxes, np.float64), np.asarray(embeddings, np.float64)
    alive: list[_Track] = []
    total = 0
    current_shot: int | None = None
    for number in np.unique(frame):
        faces = np.flatnonzero(frame == number)
        if shot[faces[0]] != current_shot:
            current_shot, alive = int(shot[faces[0]]), []
        alive = [track for track in alive if number - track.frame <= settings.max_gap]
        assigned = _assign(alive, int(number), places[faces], looks[faces], settings, distance)
        for face, track in zip(faces, assigned, strict=True):
            if track is None:
                track = _Track(total, int(number), places[face], looks[face].copy())
                alive.append(track)
                total += 1
            else:
                track.frame, track.box = int(number), places[face]
                track.total += looks[face]
            tracks[face] = track.number
    return tracks


def _assign(
    alive: list[_Track],
    frame: int,
    boxes: NDArray[np.float64],
    embeddings: NDArray[np.float64],
    settings: Tracks,
    distance: float,
) -> list[_Track | None]:
    if not alive:
        return [None] * len(boxes)
    last = np.stack([track.box for track in alive])
    overlap = iou(boxes, last)
    moved = centre_shift(boxes, last)
    # A person may move on while undetected; the gate widens with the time since the last detection.
    steps = np.sqrt([frame - track.frame for track in alive])[None]
    looks = np.linalg.norm(embeddings[:, None] - np.stack([track.centroid for track in alive])[None], axis=-1)
    near = (overlap >= settings.iou) | (moved <= settings.shift * steps) | ((moved <= 2) & (looks <= 0.6 * distance))
    areas, areas_last = area(boxes)[:, None], area(last)[None]
    alike = (looks <= distance) & (np.maximum(areas, areas_last) <= 4 * np.minimum(areas, areas_last))
    cost = np.where(near & alike, looks / max(distance, 1e-9) + (1 - overlap) + np.minimum(moved, 2), _FORBIDDEN)
    assigned: list[_Track | None] = [None] * len(boxes)
    for row, column in zip(*linear_sum_assignment(cost), strict=True):
        if cost[row, column] < _FORBIDDEN:
            assigned[row] = alive[column]
    return assigned
