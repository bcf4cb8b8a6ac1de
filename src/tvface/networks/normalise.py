"""ImageNet's normalisation, which several public networks expect."""

from __future__ import annotations

import torch

from tvface.runtime.device import constant

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def imagenet_normalise(images: torch.Tensor) -> torch.Tensor:
    """Subtract ImageNet's mean from (..., 3, H, W) RGB in [0, 1] and divide by its standard deviation."""
    mean = constant(IMAGENET_MEAN, images).view(3, 1, 1)
    std = constant(IMAGENET_STD, images).view(3, 1, 1)
    return (images - mean) / std
