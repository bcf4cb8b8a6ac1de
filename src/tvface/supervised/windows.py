"""Training windows cut from synthetic shots: framing, cast, damage, flow, and the truth that belongs to them.

A batch is a function of the seed and the step alone (:class:`tvface.training.task.Windows`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from tvface.conventions.face_mask import face_mask
from tvface.flow.base import sequence_flow
from tvface.flow.dis import Backend as Dis
from tvface.model.clips import CPU
from tvface.model.window import Window
from tvface.runtime.device import moved
from tvface.settings.model import Flow
from tvface.supervised.damage import Kind, damaged, grained, plan, recoloured, spoilt
from tvface.supervised.shots import Shots

_SMALLEST = 0.86  # of a crop's side, the smallest square that training cuts from it
_AS_FILMED = 0.35  # of the windows take the pictures with the shot's own occluders and damage
_COMPRESSED = 0.5  # of the windows are compressed by JPEG
CODES = ("shape", "expression", "joints", "skin")


@dataclass(frozen=True)
class TaughtWindow(Window):
    """A window with its truth.

    shape (B,T,I), expression (B,T,E), joints (B,T,15) rad, axis-angle of root, neck, jaw and eyes; translation (B,T,3)
    m, of the head's origin in camera coordinates; camera (B,T,3) px of the window's pictures: focal length, optical
    axis; skin (B,T,3) mean painted colour; target (B,T,3,S,S) the pictures without the damage of single frames, in the
    window's cast: where ``masks`` are set they show the face.
    """

    shape: torch.Tensor
    expression: torch.Tensor
    joints: torch.Tensor
    translation: torch.Tensor
    camera: torch.Tensor
    skin: torch.Tensor
    target: torch.Tensor

    def to(self, device: torch.device) -> TaughtWindow:
        """See :meth:`Window.to`."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        placed: dict[str, Any] = {k: v if isinstance(v, tuple) else moved(v, device) for k, v in values.items()}
        return TaughtWindow(**placed)


@dataclass(frozen=True)
class Frames:
    """Frames of one shot at the network's size, with their truth in its pixels."""

    pictures: list[NDArray[np.uint8]]
    target: list[NDArray[np.uint8]]
    masks: NDArray[np.bool_]
    points: NDArray[np.float32]
    truth: dict[str, np.ndarray]


@dataclass(frozen=True)
class ShotSampler:
    """Draws the windows of training steps.

    Args:
        sets: of shots; a window of T frames comes from the shots with at least T.
        size: side of the network's input.
        lengths: frames per window; one of them is drawn for a whole step.
        budget: frames per step: the windows of a step are ``budget // T``.
        seed: of everything random.
        classes: of the face mask.
    """

    sets: Sequence[Shots]
    size: int
    lengths: Sequence[int]
    budget: int
    seed: int
    classes: Sequence[int]
    _pools: dict[int, NDArray[np.int64]] = field(default_factory=dict)
    _flow: Dis = field(default_factory=lambda: Dis(Flow(), CPU))

    @property
    def batch(self) -> int:
        """Windows of a step of the most frequent length."""
        return self.budget // self.frames

    @property
    def frames(self) -> int:
        """The most frequent length."""
        return max(self.lengths, key=list(self.lengths).count)

    def window(self, step: int, device: torch.device = CPU) -> TaughtWindow:
        """Return the windows of a step, on a device."""
        rng = np.random.default_rng((self.seed, 5, step))
        length, chosen = self._chosen(rng)
        parts = [self._training(number, length, rng) for number in chosen]
        return stacked(parts, self._names(chosen), self._flow).to(device)

    def names(self, step: int) -> tuple[str, ...]:
        """Return the names of a step's windows."""
        return self._names(self._chosen(np.random.default_rng((self.seed, 5, step)))[1])

    def _chosen(self, rng: np.random.Generator) -> tuple[int, NDArray[np.int64]]:
        length = int(self.lengths[int(rng.integers(len(self.lengths)))])
        pool = self._pool(length)
        count = self.budget // length
        return length, pool[rng.choice(len(pool), count, replace=count > len(pool))]

    def _pool(self, length: int) -> NDArray[np.int64]:
        """Return (N, 2): set and shot of every shot with at least this many frames."""
        if length not in self._pools:
            rows = [
                (number, shot)
                for number, shots in enumerate(self.sets)
                for shot, place in enumerate(shots.places)
                if place.frames >= length
            ]
            if not rows:
                raise ValueError(f"no shot has {length} frames; make longer shots or lower the windows' lengths")
            self._pools[length] = np.array(rows, np.int64)
        return self._pools[length]

    def _names(self, chosen: NDArray[np.int64]) -> tuple[str, ...]:
        return tuple(f"{self.sets[number].folder.name}/shot {shot}" for number, shot in chosen.tolist())

    def _training(self, chosen: NDArray[np.int64], length: int, rng: np.random.Generator) -> Frames:
        shots, shot = self.sets[int(chosen[0])], int(chosen[1])
        start = int(rng.integers(shots.places[shot].frames - length + 1))
        side = round(shots.size * float(rng.uniform(_SMALLEST, 1.0)))
        corner = rng.integers(0, shots.size - side + 1, 2)
        as_filmed = rng.random() < _AS_FILMED
        layer = "image" if as_filmed else "clean"
        frames = cut(shots, shot, start, length, self.size, self.classes, layer, (side, corner))
        target = pictures = recoloured(frames.pictures, rng)
        if not as_filmed:
            kinds, other = plan(length, rng), self._other(rng)
            pictures = [
                image if kind is None else spoilt(image, points, other, kind, rng)
                for image, points, kind in zip(target, frames.points, kinds, strict=True)
            ]
        level = 0.02 * float(rng.random()) ** 2
        quality = int(rng.integers(30, 96)) if rng.random() < _COMPRESSED else None
        pictures = [grained(image, level, quality, rng) for image in pictures]
        return Frames(pictures, target, frames.masks, frames.points, frames.truth)

    def _other(self, rng: np.random.Generator) -> NDArray[np.uint8]:
        shots = self.sets[0]
        place = shots.places[int(rng.integers(len(shots)))]
        return cv2.resize(np.asarray(shots.shards[place.shard]["clean"][place.row]), (self.size, self.size))  # type: ignore[return-value]


def cut(
    shots: Shots,
    shot: int,
    start: int,
    length: int,
    size: int,
    classes: Sequence[int],
    layer: str,
    square: tuple[int, NDArray[np.integer]] | None = None,
) -> Frames:
    """Cut a window from a shot and bring it to the network's size.

    Args:
        shots, shot, start, length: the frames.
        size: side of the result.
        classes: of the face mask.
        layer: ``clean`` or ``image``.
        square: side and corner (x, y) px of what is cut; None: the whole crop.
    """
    side, (x, y) = (shots.size, (0, 0)) if square is None else square
    arrays = shots.take(shot, start, length)
    part = (slice(None), slice(y, y + side), slice(x, x + side))
    way = cv2.INTER_AREA if side >= size else cv2.INTER_LINEAR
    pictures = [np.asarray(cv2.resize(image, (size, size), interpolation=way)) for image in arrays[layer][part]]
    hidden = np.where(arrays["occluder"][part], 0, arrays["labels"][part])
    labels = [cv2.resize(map_, (size, size), interpolation=cv2.INTER_NEAREST_EXACT) for map_ in hidden]
    ratio = size / side
    points = ((arrays["points"] + 0.5 - np.array([x, y])) * ratio - 0.5).astype(np.float32)
    focal, centre = arrays["camera"][:, :1] * ratio, (arrays["camera"][:, 1:] + 0.5 - np.array([x, y])) * ratio - 0.5
    truth = {name: arrays[name] for name in (*CODES, "translation")}
    truth["camera"] = np.concatenate([focal, centre], 1).astype(np.float32)
    return Frames(pictures, pictures, face_mask(np.stack(labels), classes), points, truth)


def stacked(parts: Sequence[Frames], names: tuple[str, ...], flow: Dis) -> TaughtWindow:
    """Return frames of several shots, of one length, as a window; the flow is that of the damaged pictures."""
    size = parts[0].pictures[0].shape[0]

    def images(name: str) -> torch.Tensor:
        return torch.from_numpy(np.stack([getattr(part, name) for part in parts])).permute(0, 1, 4, 2, 3).float() / 255

    uncut = np.zeros(len(parts[0].pictures), np.bool_)
    flows = torch.from_numpy(np.stack([sequence_flow(flow, part.pictures, size // 2, uncut) for part in parts])).float()
    points = torch.from_numpy(np.stack([part.points for part in parts]))
    return TaughtWindow(
        images=images("pictures"),
        masks=torch.from_numpy(np.stack([part.masks for part in parts]))[:, :, None].float(),
        landmarks=(points + 0.5) / size * 2 - 1,
        flows_backward=flows[:, 0],
        flows_forward=flows[:, 1],
        names=names,
        target=images("target"),
        **{name: torch.from_numpy(np.stack([part.truth[name] for part in parts])).float() for name in parts[0].truth},
    )


def conditioned(
    shots: Shots,
    shot: int,
    size: int,
    classes: Sequence[int],
    kind: Kind | None,
    hit: Sequence[bool],
    length: int,
    seed: int,
) -> Frames:
    """Return the first ``length`` frames of a shot, whole, with damage of a kind in the frames that are ``hit``.

    Args:
        shots, shot: what to test on.
        size, classes: as for :func:`cut`.
        kind: of the damage; None: none.
        hit: (length,) frames that get it, each its own.
        length: frames of the window.
        seed: of the damage.
    """
    rng = np.random.default_rng((seed, 6, shot))
    frames = cut(shots, shot, 0, length, size, classes, "clean")
    pictures = [
        damaged(image, points, kind, rng) if struck and kind is not None else image
        for image, points, struck in zip(frames.pictures, frames.points, hit, strict=True)
    ]
    return Frames(pictures, frames.target, frames.masks, frames.points, frames.truth)
