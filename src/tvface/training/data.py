"""The dataset in memory, and the windows which a training step takes from it.

Everything is decoded once and kept as uint8 and float16: the paper's 3000 crops of 224 px are 0.5 GB. Which window a
step sees depends on the seed and the step alone, so a resumed or distributed run sees what an uninterrupted one sees.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from tvface.device import moved
from tvface.manifests.base import ManifestError
from tvface.media.images import decode_labels, read_image
from tvface.media.tarstore import read_bytes
from tvface.training.augmentation import mirror, move
from tvface.training.window import Window

CPU = torch.device("cpu")


class DataError(ValueError):
    """The dataset cannot be trained on; the message says which setting to turn."""


@dataclass(frozen=True)
class Clip:
    """One sequence of N frames at the network's size S.

    images (N,S,S,3) uint8 RGB; masks (N,S,S) uint8, 255 inside the face mask with soft edges; landmarks (N,68,2) f32,
    normalised (:func:`normalise`); flow (2,N-1,2,S/2,S/2) f16, backward then forward, px of the S/2 grid;
    crossing (N,) bool, a shot boundary lies before the frame. side: px a side of the stored crops. half_pixel: how the
    landmarks are normalised.
    """

    name: str
    images: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    landmarks: NDArray[np.float32]
    flow: NDArray[np.float16]
    crossing: NDArray[np.bool_]
    side: int
    half_pixel: bool = True

    def __len__(self) -> int:
        return len(self.images)

    @property
    def centre(self) -> float:
        """Where the picture's centre has its normalised coordinates, both of them."""
        return -1 / self.side if self.half_pixel else 0.0


@dataclass(frozen=True)
class StoredWindow:
    """A window as it is kept: a seventh of the bytes of the tensors that are made of it, on the device, by `window`.

    images (B,T,S,S,3) uint8; masks (B,T,S,S) uint8; landmarks (B,T,68,2) f32; flow (B,2,T-1,2,S/2,S/2) f16; scale (B,)
    or (B,T) and shift (B,2) or (B,T,2) f32 of the augmentation, or None; flipped (B,) bool, mirrored before that, or
    None; centre: of the pictures, in the landmarks' normalised coordinates (:func:`normalise`).
    """

    images: torch.Tensor
    masks: torch.Tensor
    landmarks: torch.Tensor
    flow: torch.Tensor
    names: tuple[str, ...]
    scale: torch.Tensor | None = None
    shift: torch.Tensor | None = None
    flipped: torch.Tensor | None = None
    centre: float = 0.0

    def window(self, device: torch.device) -> Window:
        """Return the window on a device, in float32, mirrored, enlarged and shifted."""
        images, masks, landmarks, flow = (
            moved(tensor, device) for tensor in (self.images, self.masks, self.landmarks, self.flow)
        )
        flow = flow.float()
        window = Window(
            images.permute(0, 1, 4, 2, 3).float() / 255,
            masks[:, :, None].float() / 255,
            landmarks,
            flow[:, 0],
            flow[:, 1],
            self.names,
        )
        if self.flipped is not None:
            window = mirror(window, moved(self.flipped, device), self.centre)
        if self.scale is not None and self.shift is not None:
            window = move(window, moved(self.scale, device), moved(self.shift, device), self.centre)
        return window


def normalise(points: NDArray[np.float32], side: int, half_pixel: bool = True) -> NDArray[np.float32]:
    """Return pixel coordinates (..., 2), pixel centres at integers, of a square picture in normalised coordinates.

    Args:
        side: of the picture in px.
        half_pixel: as DECA: index / side, half a pixel up and left of where the renderer has that pixel's centre. The
            published weights expect it. False: -1 and 1 are the picture's edges, as in the renderer.
    """
    return np.asarray((points + (0.0 if half_pixel else 0.5)) / side * 2 - 1, np.float32)


def to_pixels(points: torch.Tensor, side: int, half_pixel: bool = True) -> torch.Tensor:
    """Return normalised coordinates in pixels: the inverse of :func:`normalise`."""
    return (points + 1) / 2 * side - (0.0 if half_pixel else 0.5)


def load_clips(rows: pd.DataFrame, size: int, mask_classes: Sequence[int], half_pixel: bool = True) -> list[Clip]:
    """Decode the sequences of a dataset manifest.

    Args:
        rows: rows of ``DATASET`` (whole sequences), any order.
        size: side S of the network's input in px, even.
        mask_classes: classes (zllrunning order) of the face mask.
        half_pixel: normalisation of the landmarks, see :func:`normalise`.

    Raises:
        MediaError, EOFError: a picture or a store is broken.
        ManifestError: the stored flow does not fit the sequence.
    """
    if size % 2:
        raise DataError(f"train.image_size: {size} is odd; flow lives at half the size, so it must be even")
    inside = np.zeros(256, np.uint8)
    inside[list(mask_classes)] = 255
    return [
        _load_clip(str(name), frames, size, inside, half_pixel) for name, frames in rows.groupby("sequence", sort=True)
    ]


def _load_clip(name: str, frames: pd.DataFrame, size: int, inside: NDArray[np.uint8], half_pixel: bool) -> Clip:
    frames = frames.sort_values("position")
    images, masks, landmarks = [], [], []
    for row in frames.itertuples():
        image = read_image(row.image_file, row.image_offset, row.image_length)
        labels = decode_labels(read_bytes(row.labels_file, row.labels_offset, row.labels_length))
        landmarks.append(normalise(np.asarray(row.points68, np.float32).reshape(68, 2), image.shape[0], half_pixel))
        images.append(_resize(image, size))
        masks.append(_resize(inside[labels], size))
    first = frames.iloc[0]
    data = read_bytes(first["flow_file"], first["flow_offset"], first["flow_length"])
    side, pairs = int(first["flow_size"]), len(frames) - 1
    if len(data) != 2 * pairs * 2 * side * side * 2:
        raise ManifestError(f"{first['flow_file']}: the flow of {name} is not (2, {pairs}, 2, {side}, {side}) float16")
    flow = np.frombuffer(data, "<f2").reshape(2, pairs, 2, side, side)
    return Clip(
        name,
        np.stack(images),
        np.stack(masks),
        np.stack(landmarks),
        resize_flow(flow, size // 2),
        frames["crossing"].to_numpy(bool),
        image.shape[0],
        half_pixel,
    )


def resize_flow(flow: NDArray[np.float16], side: int) -> NDArray[np.float16]:
    """Return (..., 2, side, side) float16 flow resampled from (..., 2, S, S), with vectors in px of the new grid."""
    old = flow.shape[-1]
    if old == side:
        return flow
    if flow.size == 0:  # a single frame has no pairs
        return np.zeros((*flow.shape[:-2], side, side), np.float16)
    flat = torch.from_numpy(flow.astype(np.float32)).reshape(-1, 2, old, old)
    small = F.interpolate(flat, (side, side), mode="bilinear", align_corners=False, antialias=True) * (side / old)
    return np.asarray(small.numpy().reshape(*flow.shape[:-2], side, side), np.float16)


def _resize(picture: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    if picture.shape[0] == size:
        return picture
    method = cv2.INTER_AREA if picture.shape[0] > size else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(picture, (size, size), interpolation=method), np.uint8)


def stack(clips: Sequence[Clip], starts: Sequence[int], length: int) -> StoredWindow:
    """Return the frames ``start .. start + length - 1`` of each clip as one window."""
    cut = [slice(start, start + length) for start in starts]
    pairs = [slice(start, start + length - 1) for start in starts]
    images = np.stack([clip.images[c] for clip, c in zip(clips, cut, strict=True)])
    masks = np.stack([clip.masks[c] for clip, c in zip(clips, cut, strict=True)])
    landmarks = np.stack([clip.landmarks[c] for clip, c in zip(clips, cut, strict=True)])
    flow = np.stack([clip.flow[:, p] for clip, p in zip(clips, pairs, strict=True)])
    return StoredWindow(
        torch.from_numpy(images),
        torch.from_numpy(masks),
        torch.from_numpy(landmarks),
        torch.from_numpy(flow),
        tuple(f"{clip.name}[{start}]" for clip, start in zip(clips, starts, strict=True)),
        centre=clips[0].centre,
    )


def starts_of(clip: Clip, length: int) -> list[int]:
    """Return the first frames of the windows of this length, without those that a shot boundary cuts if any are whole.

    Raises:
        DataError: the sequence is shorter than the window.
    """
    if len(clip) < length:
        raise DataError(
            f"sequence {clip.name} has {len(clip)} frames, fewer than train.frames {length}: "
            "lower train.frames or raise sequences.length"
        )
    every = list(range(len(clip) - length + 1))
    whole = [start for start in every if not clip.crossing[start + 1 : start + length].any()]
    return whole or every


def rounds(first: int, batch: int, count: int, seed: int, stream: int) -> list[int]:
    """Return which of ``count`` items the numbers ``first .. first + batch - 1`` of an endless row are.

    The row goes through all items again and again, each time in another order; seed and stream decide the orders.
    """
    orders = {
        turn: np.random.default_rng((seed, stream, turn)).permutation(count)
        for turn in range(first // count, (first + batch - 1) // count + 1)
    }
    return [int(orders[number // count][number % count]) for number in range(first, first + batch)]


@dataclass(frozen=True)
class Sampler:
    """Which sequences and frames a training step takes: a function of seed and step.

    The sequences are shuffled once per epoch and the epochs follow each other without a gap, so that every batch is
    full and every sequence is seen once per epoch. With several processes a step takes ``batch`` windows per process.
    ``augment_frames``: each frame of a window is scaled and moved by itself, as DECA's loaders do. ``augment_flip``:
    half of the windows are mirrored.
    """

    clips: Sequence[Clip]
    batch: int
    frames: int
    seed: int
    rank: int = 0
    world: int = 1
    augment_scale: float = 0.0
    augment_shift: float = 0.0
    augment_frames: bool = False
    augment_flip: bool = False

    def steps(self, epochs: int) -> int:
        """Return the steps of this many passes over the sequences, rounded up."""
        return -(-len(self.clips) * epochs // (self.batch * self.world))

    def window(self, step: int, device: torch.device = CPU) -> Window:
        """Return this process's windows of a step (counted from 0) on a device."""
        return self.stored(step).window(device)

    def names(self, step: int) -> tuple[str, ...]:
        """Return the names of a step's windows."""
        return self.stored(step).names

    def stored(self, step: int) -> StoredWindow:
        """Return the windows of a step as they are kept."""
        first = (step * self.world + self.rank) * self.batch
        chosen, starts, drawn, flipped = [], [], [], []
        for number, index in enumerate(rounds(first, self.batch, len(self.clips), self.seed, 1), first):
            clip = self.clips[index]
            options = starts_of(clip, self.frames)
            generator = np.random.default_rng((self.seed, 2, number))
            chosen.append(clip)
            starts.append(options[generator.integers(len(options))])
            drawn.append(generator.uniform(-1, 1, (self.frames if self.augment_frames else 1, 3)))
            flipped.append(bool(generator.integers(2)))
        window = stack(chosen, starts, self.frames)
        if self.augment_flip:
            window = dataclasses.replace(window, flipped=torch.tensor(flipped))
        if self.augment_scale == 0 and self.augment_shift == 0:
            return window
        numbers = np.stack(drawn)
        scale, shift = 1 + self.augment_scale * numbers[..., 0], self.augment_shift * numbers[..., 1:]
        return dataclasses.replace(window, scale=torch.from_numpy(scale).float(), shift=torch.from_numpy(shift).float())


def fixed_windows(clips: Sequence[Clip], frames: int, batch: int, device: torch.device = CPU) -> Iterator[Window]:
    """Yield the middle window of every sequence in batches (the last may be smaller): the same at every validation."""
    for start in range(0, len(clips), batch):
        group = clips[start : start + batch]
        options = [starts_of(clip, frames) for clip in group]
        yield stack(group, [choice[len(choice) // 2] for choice in options], frames).window(device)
