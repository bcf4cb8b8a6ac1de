"""Weighted 2D landmark loss."""

from __future__ import annotations

import torch

from tvface.runtime.device import constant

_HEAVIER = {
    2.0: (5, 6, 10, 11),
    1.5: (*range(27, 36), *range(48, 68)),
    3.0: (30, 31, 35, 48, 54),
}


def _weights() -> tuple[float, ...]:
    weights = [1.0] * 68
    for weight, points in _HEAVIER.items():  # weight 3 is last and overrides the others
        for point in points:
            weights[point] = weight
    return tuple(weights)


WEIGHTS = _weights()
"""Weight of each of the 68 points: 2 on four of the jaw, 1.5 on nose and mouth, 3 on five of those, 1 elsewhere."""


def landmark_loss(
    predicted: torch.Tensor,
    target: torch.Tensor,
    visibility: torch.Tensor | None = None,
    weights: tuple[float, ...] = WEIGHTS,
) -> torch.Tensor:
    """Mean absolute difference of coordinates, weighted by point and visibility.

    Args:
        predicted: (B, 68, 2 or more) normalised image coordinates; only x and y count.
        target: (B, 68, 2 or more), likewise.
        visibility: (B, 68) weight of each target point, such as a confidence; None: all visible.
        weights: of the points; all ones give the unweighted variant.

    Returns:
        Scalar: sum of w v (|dx| + |dy|) over twice the sum of w v.
    """
    w = constant(weights, predicted).expand(target.shape[:2])
    if visibility is not None:
        w = w * visibility
    difference = (predicted[..., :2] - target[..., :2]).abs().sum(dim=-1)
    return (w * difference).sum() / (2 * w.sum() + 1e-8)
