"""Lip distance loss: opening of the mouth, whatever its position."""

from __future__ import annotations

import torch

from tvface.losses.pairs import pair_distances

UPPER = (61, 62, 63)
LOWER = (67, 66, 65)


def lip_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean difference of the distances between the inner upper and lower lip.

    Args:
        predicted: (B, 68, 2 or more) normalised image coordinates.
        target: (B, 68, 2 or more).

    Returns:
        Scalar, mean over batch and three pairs.
    """
    return (pair_distances(predicted, UPPER, LOWER) - pair_distances(target, UPPER, LOWER)).abs().mean()
