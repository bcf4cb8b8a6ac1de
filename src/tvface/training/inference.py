"""Apply a model to whole sequences, in evaluation mode and without gradient."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.flow.base import resized
from tvface.training.data import Clip, Window, resize_flow, stack
from tvface.training.model import Codes, Detail, FaceModel, Geometry


@dataclass(frozen=True)
class Reconstruction:
    """Codes (with detail), heads and detail of the N frames of one sequence, on the model's device."""

    codes: Codes
    geometry: Geometry
    detail: Detail


@torch.no_grad()
def encode(model: FaceModel, window: Window) -> Codes:
    """Return the codes of a window of one or more sequences, detail included."""
    model.eval()
    window = window.to(next(model.parameters()).device)
    return model.encode_coarse(window).replaced(detail=model.encode_detail(window))


@torch.no_grad()
def decode(model: FaceModel, codes: Codes) -> Reconstruction:
    """Return the heads of codes."""
    model.eval()
    geometry = model.geometry(codes)
    return Reconstruction(codes, geometry, model.detail(codes, geometry))


def encode_clip(model: FaceModel, clip: Clip) -> Codes:
    """Return the codes of a whole sequence: its N frames are one window, whatever length the training used."""
    return encode(model, stack([clip], [0], len(clip)).window(next(model.parameters()).device))


def reconstruct_images(
    model: FaceModel, images: Sequence[NDArray[np.uint8]], flow: NDArray[np.float16], longest: int = 32
) -> Reconstruction:
    """Reconstruct the neighbouring crops of one face, as ``tvface reconstruct clip.mp4`` does.

    Args:
        model: trained; decides device and input size.
        images: N square crops (H,H,3) uint8 RGB, made with one transform per sequence (or slowly moving).
        flow: (2,N-1,2,S,S) from :func:`tvface.flow.sequence_flow`, any S.
        longest: frames encoded at once; longer input is cut, to bound memory.

    Returns:
        The N frames, in order. Projections are in normalised coordinates of the crops.

    Raises:
        ValueError: the flow does not belong to these images.
    """
    count, size = len(images), model.spec.image_size
    if flow.shape[:3] != (2, max(count - 1, 0), 2):
        raise ValueError(f"{count} images need flow of shape (2, {count - 1}, 2, S, S), got {flow.shape}")
    pictures = torch.from_numpy(resized(images, size)).permute(0, 3, 1, 2)[None].float() / 255
    flows = torch.from_numpy(resize_flow(flow, size // 2)).float()
    parts = []
    for start in range(0, count, longest):
        stop = min(start + longest, count)
        window = Window(
            pictures[:, start:stop],
            torch.ones(1, stop - start, 1, size, size),
            torch.zeros(1, stop - start, 68, 2),
            flows[None, 0, start : stop - 1],
            flows[None, 1, start : stop - 1],
            (f"frames {start}..{stop - 1}",),
        )
        parts.append(encode(model, window))
    joined = {name: torch.cat([getattr(part, name) for part in parts]) for name, _ in parts[0].items()}
    return decode(model, Codes(**joined))
