"""Identity loss: cosine distance of face recognition features."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def identity_loss(predicted: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean of 1 - cosine.

    Args:
        predicted: (B, D) features of the rendered overlay.
        target: (B, D) features of the image.

    Returns:
        Scalar in [0, 2].
    """
    return (1 - F.cosine_similarity(predicted, target, dim=1)).mean()
