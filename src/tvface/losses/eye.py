"""Eye closure loss: opening of the eyes, whatever their position."""

from __future__ import annotations

import torch

from tvface.losses.pairs import pair_distances

UPPER = (37, 38, 43, 44)
LOWER = (41, 40, 47, 46)


def eye_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean difference of the distances between upper and lower lids.

    Args:
        predicted: (B, 68, 2 or more) normalised image coordinates.
        target: (B, 68, 2 or more).

    Returns:
        Scalar, mean over batch and four pairs.
    """
    return (pair_distances(predicted, UPPER, LOWER) - pair_distances(target, UPPER, LOWER)).abs().mean()
