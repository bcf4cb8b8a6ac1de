"""Features of VGG19 (Simonyan and Zisserman 2015; torchvision's numbering) for the ID-MRF loss."""

from __future__ import annotations

import torch
from torch import nn

from tvface.networks.normalise import imagenet_normalise

POOL = 0
LAYOUT = (64, 64, POOL, 128, 128, POOL, 256, 256, 256, 256, POOL, 512, 512)
EARLY_LAYERS = (11, 20)
"""ReLUs after the first convolution of blocks 3 and 4.

DECA calls them relu3_2 and relu4_2, because its counter counts convolutions and ReLUs alike (``VGG19FeatLayer``).
"""
NAMED_LAYERS = (13, 22)
"""The ReLUs that bear these names in VGG19: after the second convolution of blocks 3 and 4."""


class Vgg19(nn.Module):
    """The layers of torchvision's ``vgg19().features`` up to the last one in ``layers``.

    Parameters need no gradient; gradients flow through the features to the images.

    Args:
        layers: the two layers whose maps are returned, by torchvision's numbers.
    """

    def __init__(self, layers: tuple[int, int] = EARLY_LAYERS) -> None:
        super().__init__()
        self.layers = layers
        parts: list[nn.Module] = []
        channels = 3
        for width in LAYOUT:
            if width == POOL:
                parts.append(nn.MaxPool2d(2))
            else:
                parts += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
                channels = width
        self.features = nn.Sequential(*parts[: layers[-1] + 1])
        self.requires_grad_(False)

    def forward(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return two maps of images (B, 3, H, W), RGB in [0, 1]: (B, 256, H/4, W/4) and (B, 512, H/8, W/8)."""
        x = imagenet_normalise(images)
        taken = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self.layers:
                taken.append(x)
        return taken[0], taken[1]
