"""Inference of whole sequences, in evaluation mode and without gradients."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.flow.base import resized
from tvface.model.clips import Clip, resize_flow, stack
from tvface.model.face_model import Codes, Detail, FaceModel, Geometry
from tvface.model.spans import encode_spans
from tvface.model.window import Window


@dataclass(frozen=True)
class Reconstruction:
    """Codes, heads and detail (if the model has any) of the N frames of one sequence, on the model's device."""

    codes: Codes
    geometry: Geometry
    detail: Detail | None


@torch.no_grad()
def encode(model: FaceModel, window: Window, first: int = 0) -> Codes:
    """Return the codes of a window of one or more sequences, of any length, detail included.

    Args:
        model: trained.
        window: of T frames.
        first: number of its first frame (:func:`tvface.model.spans.spans`).
    """
    model.eval()
    return encode_spans(model, window.to(next(model.parameters()).device), first, detail=model.spec.detail)


@torch.no_grad()
def decode(model: FaceModel, codes: Codes) -> Reconstruction:
    """Return the heads of codes."""
    model.eval()
    geometry = model.geometry(codes)
    return Reconstruction(codes, geometry, model.detail(codes, geometry) if model.spec.detail else None)


def encode_clip(model: FaceModel, clip: Clip) -> Codes:
    """Return the codes of a whole sequence of N frames."""
    return encode(model, stack([clip], [0], len(clip)).window(next(model.parameters()).device))


def encode_images(
    model: FaceModel, images: Sequence[NDArray[np.uint8]], flow: NDArray[np.float16], first: int = 0
) -> Codes:
    """Return the codes of the neighbouring crops of one face, detail included.

    Args:
        model: trained; defines device and input size.
        images: N square crops (H,H,3) uint8 RGB, cropped with one transform per sequence (or a slowly moving one).
        flow: (2,N-1,2,S,S) from :func:`tvface.flow.base.sequence_flow`, any S.
        first: number of the first picture; pictures of one face may then come in several calls that overlap.

    Raises:
        ValueError: the flow does not belong to these images.
    """
    count, size = len(images), model.spec.image_size
    if flow.shape[:3] != (2, max(count - 1, 0), 2):
        raise ValueError(f"{count} images need flow of shape (2, {count - 1}, 2, S, S), got {flow.shape}")
    pictures = torch.from_numpy(resized(images, size)).permute(0, 3, 1, 2)[None].float() / 255
    flows = torch.from_numpy(resize_flow(flow, size // 2)).float()
    return encode(model, _window(pictures, flows[None, 0], flows[None, 1]), first)


def share_identity(codes: dict[str, Codes], tracks: dict[str, tuple[str, int]]) -> dict[str, Codes]:
    """Give all frames of a track the mean of their shape codes; a track is one person by construction.

    Args:
        codes: codes by sequence.
        tracks: (episode, track) by sequence.
    """
    members = defaultdict(list)
    for name in codes:
        members[tracks[name]].append(name)
    shared = {}
    for names in members.values():
        mean = torch.cat([codes[name].shape for name in names]).mean(0, keepdim=True)
        for name in names:
            shared[name] = codes[name].replaced(shape=mean.expand_as(codes[name].shape).contiguous())
    return {name: shared[name] for name in codes}


@torch.no_grad()
def neutral_heads(model: FaceModel, images: Sequence[NDArray[np.uint8]]) -> Geometry:
    """Return the heads of unrelated crops with neutral expression and pose, from their shape codes alone.

    Args:
        model: trained; defines device and input size. A temporal model sees each crop as a sequence of one frame.
        images: N square crops (H,H,3) uint8 RGB.
    """
    model.eval()
    size = model.spec.image_size
    pictures = torch.from_numpy(resized(images, size)).permute(0, 3, 1, 2)[:, None].float() / 255
    none = torch.zeros(len(images), 0, 2, size // 2, size // 2)
    window = _window(pictures, none, none).to(next(model.parameters()).device)
    codes = model.encode_coarse(window)
    return model.geometry(
        codes.replaced(expression=torch.zeros_like(codes.expression), pose=torch.zeros_like(codes.pose))
    )


def _window(images: torch.Tensor, backward: torch.Tensor, forward: torch.Tensor) -> Window:
    """Return images (B,T,3,S,S) and flow as a window; masks and landmarks, which no encoder reads, are empty."""
    batch, frames, _, size, _ = images.shape
    return Window(
        images,
        torch.ones(batch, frames, 1, size, size),
        torch.zeros(batch, frames, 68, 2),
        backward,
        forward,
        tuple(f"images[{i}]" for i in range(batch)),
    )
