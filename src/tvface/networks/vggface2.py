"""Identity features: ResNet-50 trained on VGGFace2 (Cao et al. 2018), as DECA's identity loss uses it."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from tvface.networks.resnet import ResNet
from tvface.runtime.device import constant

MEAN_BGR = (91.4953, 103.8827, 131.0912)
SIDE = 224
MARGIN = 10


def preprocess(images: torch.Tensor, doubled: bool = True) -> torch.Tensor:
    """Prepare images for the network.

    Args:
        images: (B, 3, H, W) RGB in [0, 1]. A margin is cropped, 10 pixels of 224 and in proportion at other sizes.
        doubled: as in DECA: the mean is subtracted from the grey levels, and then 2x - 1 is applied. That is odd, but
            the loss weight was tuned with it. False: grey levels minus their mean, as the network was trained.

    Returns:
        (B, 3, 224, 224) BGR.
    """
    mean = constant(MEAN_BGR, images).view(1, 3, 1, 1)
    x = images.flip(1) * 255 - mean
    h, w = x.shape[-2:]
    top, left = round(MARGIN * h / SIDE), round(MARGIN * w / SIDE)
    x = x[..., top : h - top, left : w - left]
    if doubled:
        x = 2 * x - 1
    return F.interpolate(x, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


class VggFace2(ResNet):
    """ResNet-50 in the Caffe layout: maps an image to a 2048-vector.

    The classifier ``fc`` of the published file is not part of it. Parameters need no gradient; gradients flow through
    the features to the images.
    """

    def __init__(self) -> None:
        super().__init__(caffe=True)
        self.requires_grad_(False)

    def features_of(self, images: torch.Tensor, doubled: bool = True) -> torch.Tensor:
        """Return the features (B, 2048) of images (B, 3, H, W), RGB in [0, 1], as :func:`preprocess` prepares them."""
        return self(preprocess(images, doubled))
