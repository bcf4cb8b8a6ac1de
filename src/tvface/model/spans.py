"""Long windows in overlapping spans, blended, so that inference sees about as many frames at once as training did.

Codes do not jump where one span ends: spans overlap by half, and each counts most in its middle. Spans lie on a fixed
grid of frame numbers, so a frame's codes do not depend on the block of a video in which it is encoded, as long as its
block comes with :data:`SPAN` frames of its neighbours.
"""

from __future__ import annotations

import torch

from tvface.model.face_model import Codes, FaceModel
from tvface.model.window import Window

SPAN = 10
"""Frames of a span: the paper's sequences have as many."""
STRIDE = SPAN // 2


def spans(count: int, first: int = 0, length: int = SPAN, stride: int = STRIDE) -> list[tuple[int, int]]:
    """Return (start, stop) of the spans that cover ``count`` frames, in order.

    Args:
        count: frames, at least 1.
        first: number of the first frame; spans start at multiples of ``stride``.
        length: of a span. Spans that reach beyond the frames are cut, and left out if another covers the rest.
        stride: between spans, at most ``length``.

    Raises:
        ValueError: no frames, or the stride is not between 1 and the length.
    """
    if count < 1 or not 1 <= stride <= length:
        raise ValueError(f"{count} frames in spans of {length} every {stride}: need frames, and 1 <= stride <= length")
    grid = range(-(-(first - length + 1) // stride) * stride, first + count, stride)
    cut = [(max(start - first, 0), min(start - first + length, count)) for start in grid]
    kept: list[tuple[int, int]] = []
    for start, stop in cut:
        if kept and kept[-1][0] == start:
            kept.pop()  # the one before ends earlier
        if not kept or stop > kept[-1][1]:
            kept.append((start, stop))
    return kept


def encode_spans(
    model: FaceModel, window: Window, first: int = 0, length: int = SPAN, stride: int = STRIDE, *, detail: bool = True
) -> Codes:
    """Return the codes of all frames of a window, (B T, ...), encoded span by span.

    Codes are blended linearly; so are axis-angle vectors, which differ little between two spans of one frame. A model
    that sees frames one by one encodes all of them at once.

    Args:
        model: in evaluation mode.
        window: B sequences of T frames.
        first, length, stride: of :func:`spans`.
        detail: encode the detail codes too.
    """
    batch, count = window.images.shape[:2]
    parts = [(0, count)] if model.spec.over_time is None else spans(count, first, length, stride)
    sums: dict[str, torch.Tensor] = {}
    weights = window.images.new_zeros(count)
    for start, stop in parts:
        part = part_of(window, start, stop)
        codes = model.encode_coarse(part)
        if detail:
            codes = codes.replaced(detail=model.encode_detail(part))
        place = torch.arange(stop - start, device=weights.device)
        weight = torch.minimum(place + 1, stop - start - place).to(weights)
        weights[start:stop] += weight
        for name, value in codes.items():
            rows = value.unflatten(0, (batch, stop - start))
            if name not in sums:
                sums[name] = rows.new_zeros(batch, count, *rows.shape[2:])
            sums[name][:, start:stop] += rows * weight.view(1, -1, *[1] * (rows.dim() - 2))
    return Codes(
        **{name: (total / weights.view(1, -1, *[1] * (total.dim() - 2))).flatten(0, 1) for name, total in sums.items()}
    )


def part_of(window: Window, start: int, stop: int) -> Window:
    """Return frames ``start .. stop - 1`` of a window."""
    frames, pairs = slice(start, stop), slice(start, max(stop - 1, start))
    return Window(
        window.images[:, frames],
        window.masks[:, frames],
        window.landmarks[:, frames],
        window.flows_backward[:, pairs],
        window.flows_forward[:, pairs],
        window.names,
    )
