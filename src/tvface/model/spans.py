"""Long windows in overlapping spans, blended, so that inference sees as many frames at once as training did.

A network over time that was trained on windows of a few frames is not asked for more at once, and its codes do not jump
where one span ends: spans overlap, and each counts most in its middle.
"""

from __future__ import annotations

import torch

from tvface.model.face_model import Codes, FaceModel
from tvface.model.window import Window


def spans(count: int, length: int, overlap: int) -> list[tuple[int, int]]:
    """Return (start, stop) of spans that cover ``count`` frames in order; the last one ends with them.

    Args:
        count: frames, at least 1.
        length: of a span; fewer frames make one shorter span.
        overlap: frames that neighbouring spans share at least, less than ``length``.

    Raises:
        ValueError: the overlap is negative, or not less than the length.
    """
    if not 0 <= overlap < length:
        raise ValueError(f"an overlap of {overlap} frames does not fit spans of {length}")
    if count <= length:
        return [(0, count)]
    starts = [*range(0, count - length, length - overlap), count - length]
    return [(start, start + length) for start in starts]


def encode_spans(model: FaceModel, window: Window, length: int, overlap: int, *, detail: bool = True) -> Codes:
    """Return the codes of all frames of a window, (B T, ...), encoded span by span.

    Codes are blended linearly; so are axis-angle vectors, which differ little between two spans of the same frame.

    Args:
        model: in evaluation mode.
        window: B sequences of T frames.
        length, overlap: of :func:`spans`.
        detail: encode the detail codes too.
    """
    batch, count = window.images.shape[:2]
    if model.spec.over_time is None:  # it sees frames one by one in any case
        length, overlap = count, 0
    sums: dict[str, torch.Tensor] = {}
    weights = window.images.new_zeros(count)
    for start, stop in spans(count, length, overlap):
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
