"""Implicit diversified Markov random field loss (Wang et al. 2018), as DECA uses it."""

from __future__ import annotations

import torch
from torch.utils.checkpoint import checkpoint

SIGMA = 0.5
BIAS = 1.0
DISTANCE_EPS = 1e-5

RECOMPUTE_FROM = 32 * 32
"""Number of places per map from which on the pairs are recomputed for the gradient instead of kept.

At 64 x 64 places one image compares 4096 x 4096 pairs, a third of a gigabyte with its intermediate results.
"""


def mrf_loss(predicted: tuple[torch.Tensor, torch.Tensor], target: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    """Style of both layers plus content of the deeper one, which has the same formula: L(first) + 2 L(second).

    Args:
        predicted: maps of the predicted image, as :class:`tvface.networks.vgg19.Vgg19` returns them.
        target: maps of the target.

    Returns:
        Scalar, SUMMED over the batch.
    """
    return mrf_term(predicted[0], target[0]) + 2 * mrf_term(predicted[1], target[1])


def mrf_term(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return how exclusively some place of the prediction resembles each place of the target.

    Images are taken one by one, to bound memory.

    Args:
        predicted: (B, C, h, w) features.
        target: (B, C, h, w).

    Returns:
        Scalar: minus the logarithm of the mean relative similarity, summed over the batch.
    """
    recompute = predicted.shape[-2] * predicted.shape[-1] >= RECOMPUTE_FROM
    terms = []
    for one, other in zip(predicted.flatten(2), target.flatten(2), strict=True):
        terms.append(checkpoint(_one_image, one, other, use_reentrant=False) if recompute else _one_image(one, other))
    return torch.stack(terms).sum()


def _one_image(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Return the term of one image; both arguments are (C, places)."""
    mean = target.mean(dim=0, keepdim=True)
    cosine = _unit(predicted - mean).T @ _unit(target - mean)  # (places of the prediction, places of the target)
    distance = (1 - cosine) / 2
    relative = distance / (distance.amin(dim=1, keepdim=True) + DISTANCE_EPS)
    similarity = torch.exp((BIAS - relative) / SIGMA)
    similarity = similarity / similarity.sum(dim=1, keepdim=True)
    return -torch.log(similarity.amax(dim=0).mean())


def _unit(x: torch.Tensor) -> torch.Tensor:
    """Scale the columns of (C, places) to unit length.

    The original divides zero by zero for a place whose features are all alike (a black, masked region); here it stays
    zero, similar to nothing, and its gradient is finite.
    """
    length = torch.linalg.vector_norm(x, dim=0, keepdim=True)
    return x / torch.where(length > 0, length, torch.ones_like(length))
