"""Sequences of the dataset in memory, and windows cut from them.

Everything is decoded once and held as uint8 and float16: the paper's 3000 crops of 224 px take 0.5 GB.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from tvface.conventions.pixels import normalise
from tvface.manifests.base import ManifestError
from tvface.media.images import decode_labels, read_image
from tvface.media.tarstore import read_bytes
from tvface.model.window import Window
from tvface.model.window_transforms import mirror, move
from tvface.runtime.device import moved

CPU = torch.device("cpu")


@dataclass(frozen=True)
class Clip:
    """One sequence of N frames at the network's size S.

    images (N,S,S,3) uint8 RGB; masks (N,S,S) uint8, 255 inside the face mask with soft edges; landmarks (N,68,2) f32,
    normalised (:func:`normalise`); flow (2,N-1,2,S/2,S/2) f16, backward then forward, px of the S/2 grid;
    crossing (N,) bool, a shot boundary lies before the frame. side: side of the stored crops in px. half_pixel: see
    :func:`normalise`.
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
        """Both normalised coordinates of the centre of the picture."""
        return -1 / self.side if self.half_pixel else 0.0


class DataError(ValueError):
    """The dataset cannot be trained on; the message says which setting to change."""


@dataclass(frozen=True)
class StoredWindow:
    """A compact window: a seventh of the bytes of the tensors that :meth:`window` makes from it on the device.

    images (B,T,S,S,3) uint8; masks (B,T,S,S) uint8; landmarks (B,T,68,2) f32; flow (B,2,T-1,2,S/2,S/2) f16; scale (B,)
    or (B,T) and shift (B,2) or (B,T,2) f32 of the augmentation, or None; flipped (B,) bool, which windows are mirrored
    before scale and shift, or None; centre: of the pictures, in normalised coordinates (:func:`normalise`).
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
    """Return frames of several clips as one window.

    Args:
        clips: B clips of one size.
        starts: first frame in each clip.
        length: T, frames of each clip.
    """
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
    """Return the first frames of all windows of a length.

    Windows that a shot boundary cuts are left out, unless all are cut.

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
