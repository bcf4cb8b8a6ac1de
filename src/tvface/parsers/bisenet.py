"""BiSeNet face parsing with zllrunning's weights (``79999_iter.pth``; CelebAMask-HQ) or yakhyo's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn import functional as F

from tvface.assets.reports import LoadReport
from tvface.networks.bisenet import BiSeNet, Scores
from tvface.networks.inference import folded, prepared
from tvface.networks.loading import load_bisenet
from tvface.networks.normalise import imagenet_normalise
from tvface.parsers.base import Parser
from tvface.runtime.device import arithmetic, name_of
from tvface.settings.labels import Masks

SIDE = 512


class Backend(Parser):
    """The main head's classes at 512 x 512, resampled to the crop's size by nearest neighbour.

    Crops are square and resized bilinearly (averaging where they shrink, as Pillow does). Of the 512 x 512 logits only
    the rows and columns that the crop's pixels read are computed.
    """

    needs = ("bisenet",)

    def __init__(self, settings: Masks, device: torch.device, net: nn.Module | None = None) -> None:
        """Load the weights, or take ``net``.

        ``net`` is a :class:`~tvface.networks.bisenet.BiSeNet`, or maps (N, 3, 512, 512) normalised pictures to
        (N, 19, h, h) logits whose corners lie on the picture's corners.
        """
        self.settings = settings
        self.device = device
        self.weights = {}
        if net is None:
            (net,) = self.load_needs(settings)
        self.dtype = arithmetic(settings.precision, device)
        self.precision = name_of(self.dtype)
        self.net = prepared(folded(Scores(net)) if isinstance(net, BiSeNet) else net, device, self.dtype)

    @classmethod
    def load(cls, path: Path) -> tuple[BiSeNet, LoadReport]:
        """See :meth:`tvface.assets.backends.Weighted.load`."""
        return load_bisenet(path)

    def parse(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See :meth:`Parser.parse`."""
        labels = np.zeros(crops.shape[:3], np.uint8)
        # On a CPU one by one, whatever the setting: the maps of one picture fit the cache; with eight each picture
        # takes a fifth longer.
        step = 1 if self.device.type == "cpu" else self.settings.batch
        for start in range(0, len(crops), step):
            labels[start : start + step] = self._label(crops[start : start + step])
        return labels

    @torch.inference_mode()
    def _label(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        # One by one: enlarged logits of a whole batch take much memory.
        labels = torch.stack([largest(logits, crops.shape[1]) for logits in self.logits(crops)])
        return np.asarray(labels.cpu().numpy(), np.uint8)

    @torch.inference_mode()
    def logits(self, crops: NDArray[np.uint8]) -> torch.Tensor:
        """Return the network's (N, 19, 64, 64) float32 logits of (N, S, S, 3) uint8 crops, before enlargement."""
        pictures = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).float()
        resized = F.interpolate(pictures, (SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
        # Pillow, which the original resizes with, rounds to whole grey levels.
        images = imagenet_normalise(resized.round().clamp(0, 255) / 255)
        logits: torch.Tensor = self.net(images.to(self.dtype)).float()
        return logits


def largest(logits: torch.Tensor, side: int) -> torch.Tensor:
    """Return the classes (side, side) uint8 of (C, h, h) logits, enlarged to 512 and read at ``side`` points per axis.

    The enlargement is bilinear with aligned corners, the reading takes the nearest pixel; of equal logits the first
    wins.
    """
    weights = _reading(logits.shape[-1], side, logits.device)
    enlarged = weights @ (logits @ weights.T)
    # Not argmax, which takes four times as long; both give the first of equal ones.
    return enlarged.max(0).indices.to(torch.uint8)


def _reading(count: int, side: int, device: torch.device) -> torch.Tensor:
    """Return the (side, count) weights of the entries of a row of logits in the pixels of a row of the crop."""
    pixels = torch.arange(side, device=device)
    # In integers: the pixel of 512 that holds the centre of the crop's pixel.
    nearest = (2 * pixels + 1) * SIDE // (2 * side)
    place = nearest.double() * ((count - 1) / (SIDE - 1))
    return (1 - (place[:, None] - torch.arange(count, device=device)).abs()).clamp_min(0).float()
