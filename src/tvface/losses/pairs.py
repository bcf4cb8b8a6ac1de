"""Distances between pairs of landmarks, which the eye and the lip loss compare."""

from __future__ import annotations

import torch


def pair_distances(points: torch.Tensor, first: tuple[int, ...], second: tuple[int, ...]) -> torch.Tensor:
    """Euclidean distances in the image plane.

    Args:
        points: (B, 68, 2 or more).
        first: K indices.
        second: K indices.

    Returns:
        (B, K). The original takes the square root of the squared length, whose gradient is not a number where two
        points coincide (closed lips); here the gradient is zero there, and the value is exact: no epsilon is needed.
    """
    # One by one: a list of indices would be copied to the device in every step.
    upper, lower = (torch.stack([points[:, i, :2] for i in which], dim=1) for which in (first, second))
    difference = upper - lower
    return torch.linalg.vector_norm(difference, dim=-1)
