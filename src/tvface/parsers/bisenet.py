"""BiSeNet face parsing with zllrunning's weights (``79999_iter.pth``; CelebAMask-HQ) or yakhyo's. Facts: spec B4."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from tvface import assets
from tvface.networks.loading import load_bisenet
from tvface.networks.normalise import imagenet_normalise
from tvface.parsers.base import Parser
from tvface.settings.labels import Masks

ASSET = "bisenet"
SIDE = 512


class Backend(Parser):
    """The main head's classes at 512 x 512, brought to the crop's size by the nearest neighbour.

    Crops are resized bilinearly (averaging where they shrink, as Pillow does), aspect kept because they are square.
    """

    def __init__(self, settings: Masks, device: torch.device, net: nn.Module | None = None) -> None:
        """Load the weights, or take ``net`` (a :class:`~tvface.networks.bisenet.BiSeNet`) as it is."""
        self.settings = settings
        self.device = device
        self.weights = {}
        if net is None:
            path = assets.locate(ASSET)
            net, _ = load_bisenet(path)
            self.weights = {path.name: assets.verify(path)}
        self.net = net.eval().to(device)

    def parse(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        labels = np.zeros(crops.shape[:3], np.uint8)
        for start in range(0, len(crops), self.settings.batch):
            labels[start : start + self.settings.batch] = self._label(crops[start : start + self.settings.batch])
        return labels

    @torch.inference_mode()
    def _label(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        pictures = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).float()
        resized = F.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
        # Pillow, which the original resizes with, rounds to whole grey levels.
        images = imagenet_normalise(resized.round().clamp(0, 255) / 255)
        classes = self.net(images).argmax(1, keepdim=True).float()
        found = F.interpolate(classes, crops.shape[1:3], mode="nearest-exact")[:, 0]
        return np.asarray(found.to(torch.uint8).cpu().numpy(), np.uint8)
