"""What is measured of a model's codes on test shots, frame by frame, against the truth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from tvface.conventions.points68 import eye_distance
from tvface.evaluation.geometry import align_rigid, align_similarity
from tvface.flow.dis import Backend as Dis
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.model import HeadModel
from tvface.model.clips import CPU
from tvface.model.face_model import Codes, FaceModel
from tvface.model.spans import encode_spans
from tvface.settings.model import Flow
from tvface.study.conditions import FRAMES, Condition
from tvface.supervised.lesson import FaceTruth, SkinTone, similar_mm
from tvface.supervised.shots import Shots
from tvface.supervised.windows import Frames, TaughtWindow, conditioned, stacked

LIPS = ((61, 67), (62, 66), (63, 65))
LIDS = ((37, 41), (38, 40), (43, 47), (44, 46))
LUMINANCE = (0.2126, 0.7152, 0.0722)
BATCH = 12  # shots encoded at once
# Distance from the points of a region within which a vertex belongs to it, m.
_REACH = {"mouth": (range(48, 68), 0.012), "eyes": (range(36, 48), 0.012)}


def windows(
    shots: Shots, size: int, classes: Sequence[int], condition: Condition, seed: int, people: Sequence[int]
) -> Iterator[tuple[TaughtWindow, NDArray[np.bool_], list[int]]]:
    """Yield batches of whole test shots under a condition: window, damaged frames (B,T), numbers of the shots.

    Args:
        shots: of FRAMES frames.
        size, classes: as for training windows.
        condition: of the frames.
        seed: of the damage.
        people: numbers of the people whose shots are taken, in the order of :meth:`Shots.people`.
    """
    flow = Dis(Flow(), CPU)
    numbers = sorted(shot for person in people for shot in shots.people()[person])
    for first in range(0, len(numbers), BATCH):
        group = numbers[first : first + BATCH]
        drawn = [condition.draw(np.random.default_rng((seed, 7, shot))) for shot in group]
        frames: list[Frames] = [
            conditioned(shots, shot, size, classes, kind, hit, FRAMES, seed)
            for shot, (kind, hit) in zip(group, drawn, strict=True)
        ]
        yield stacked(frames, tuple(f"shot {n}" for n in group), flow), np.array([hit for _, hit in drawn]), group


class Judge:
    """Compares codes with truth.

    Args:
        model: whose head, albedo and sizes count; its encoders are not used.
        head: the head's file.
    """

    def __init__(self, model: FaceModel, head: HeadData) -> None:
        self.face = FaceTruth(head, model.head)
        self.skin = SkinTone(model, head)
        self.regions = _regions(self.face, model.head)

    @torch.no_grad()
    def rows(self, codes: Codes, window: TaughtWindow, hit: NDArray[np.bool_], shots: Sequence[int]) -> pd.DataFrame:
        """Return one row per frame: shot, frame, damaged, and the metrics.

        ``nme`` % of the true outer eye distance in space, as seen from the front; ``rigid``, ``similar`` mm, mean
        distance of the face's vertices after alignment, ``mouth`` and ``eyes`` after alignment of the whole face;
        ``bend`` % of it, length of the second difference of the points' error (nan at the ends of a shot); ``neutral``
        mm, resting face with the mean shape of the shot; ``lips``, ``lids`` and ``true_lips``, ``true_lids``, gaps in
        eye distances; ``skin``, ``true_skin`` luminance; ``spread`` mm, root mean square of the frame's resting face
        about the shot's.
        """
        count, frames = window.images.shape[:2]
        face = self.face
        out = face.head(codes.shape, codes.expression, codes.pose)
        points = project(out.landmarks2d, codes.camera)[..., :2].double().numpy()
        true = window.landmarks.flatten(0, 1).double().numpy()
        unit = self._eye_distance(window)
        error = (points - true) / unit[:, None, None]
        posed, predicted = face.posed(window).double().numpy(), out.vertices[:, : face.count].double().numpy()
        similar = align_similarity(predicted, posed)
        apart = 1000 * np.linalg.norm(similar - posed, axis=-1)
        shape = codes.shape.unflatten(0, (count, frames))
        shared = face.neutral(shape.mean(1))
        neutral = similar_mm(shared, face.neutral(window.shape[:, 0]))
        each = face.neutral(codes.shape) - shared.repeat_interleave(frames, 0)
        by_shot = error.reshape(count, frames, 68, 2)
        bend = np.full((count, frames), np.nan)
        second = by_shot[:, :-2] - 2 * by_shot[:, 1:-1] + by_shot[:, 2:]
        bend[:, 1:-1] = 100 * np.linalg.norm(second, axis=-1).mean(-1)
        luminance = torch.tensor(LUMINANCE)
        rows = {
            "shot": np.repeat(shots, frames),
            "frame": np.tile(np.arange(frames), count),
            "damaged": hit.ravel(),
            "nme": 100 * np.linalg.norm(error, axis=-1).mean(1),
            "rigid": 1000 * np.linalg.norm(align_rigid(predicted, posed) - posed, axis=-1).mean(1),
            "similar": apart.mean(1),
            **{name: apart[:, region].mean(1) for name, region in self.regions.items()},
            "bend": bend.ravel(),
            "neutral": np.repeat(neutral, frames),
            "spread": 1000 * each.square().sum(-1).mean(1).sqrt().numpy(),
            "skin": (self.skin(codes.texture) @ luminance).numpy(),
            "true_skin": (window.skin.flatten(0, 1) @ luminance).numpy(),
        }
        for name, pairs in (("lips", LIPS), ("lids", LIDS)):
            upper, lower = np.array(pairs).T
            for prefix, where in (("", points), ("true_", true)):
                rows[prefix + name] = np.linalg.norm(where[:, upper] - where[:, lower], axis=-1).mean(1) / unit
        return pd.DataFrame(rows)

    def _eye_distance(self, window: TaughtWindow) -> NDArray[np.float64]:
        """Return the length (N,) that the true outer eye distance would have if it were seen from the front."""
        pose = window.joints.flatten(0, 1)
        rest = self.face.head(window.shape.flatten(0, 1), 0 * window.expression.flatten(0, 1), 0 * pose[:, :6])
        metres = eye_distance(rest.landmarks3d[..., :2].double().numpy())
        scale = window.camera.flatten(0, 1)[:, 0] / -window.translation.flatten(0, 1)[:, 2]
        return np.asarray(metres * (scale * 2 / window.images.shape[-1]).double().numpy())


def codes_of(model: FaceModel, window: TaughtWindow, length: int) -> Codes:
    """Return the coarse codes of a batch of test shots, in overlapping spans of ``length`` frames."""
    model.eval()
    with torch.no_grad():
        return encode_spans(model, window, 0, length, max(1, length // 2), detail=False)


def smoothed(codes: Codes, frames: int, sigma: float) -> Codes:
    """Return codes of B shots of ``frames`` frames, each smoothed over time by a Gaussian of ``sigma`` frames."""
    place = torch.arange(frames, dtype=torch.float32)
    weights = torch.exp(-0.5 * ((place[:, None] - place) / sigma) ** 2)
    weights = weights / weights.sum(1, keepdim=True)

    def over(values: Tensor) -> Tensor:
        rows = values.unflatten(0, (-1, frames)).flatten(2)
        return torch.einsum("ts,bsc->btc", weights, rows).flatten(0, 1).reshape(values.shape)

    return Codes(**{name: over(value) for name, value in codes.items()})


def _regions(face: FaceTruth, head: HeadModel) -> dict[str, NDArray[np.int64]]:
    """Return the vertices of the face near the lips' and the lids' points of the mean head."""
    rest = face.head(torch.zeros(1, head.n_shape), torch.zeros(1, head.n_expression), torch.zeros(1, 6))
    points, vertices = rest.landmarks3d[0], rest.vertices[0, : face.count]
    apart = torch.cdist(vertices, points)
    return {
        name: np.flatnonzero((apart[:, list(which)].amin(1) < reach).numpy()) for name, (which, reach) in _REACH.items()
    }
