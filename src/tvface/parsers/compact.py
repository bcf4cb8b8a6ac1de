"""The bundled parser: a small U-Net trained on tvface's renders. Needs no download."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from tvface.assets.reports import LoadReport
from tvface.conventions.classes import MIRROR
from tvface.networks.bundles import PARSER, Bundle, load_with_report
from tvface.networks.compact import CompactParser
from tvface.networks.inference import folded, prepared
from tvface.parsers.base import Parser
from tvface.runtime.device import arithmetic, name_of
from tvface.settings.labels import Masks


class Backend(Parser):
    """19 classes from the whole picture shrunk to the network's size, averaged with its mirror image.

    The network has seen faces whose 68 points fill about half of the picture's side, as ``masks.context`` frames them.
    """

    needs = ("compact_parser",)

    def __init__(self, settings: Masks, device: torch.device, bundle: Bundle | None = None) -> None:
        """Load the bundled weights, or take ``bundle``."""
        self.settings = settings
        self.device = device
        if bundle is None:
            (bundle,) = self.load_needs(settings)
        else:
            self.weights = {PARSER: bundle.sha256}
        if not isinstance(bundle.net, CompactParser):
            raise TypeError(f"expected a CompactParser network, got {type(bundle.net).__name__}")
        self.dtype = arithmetic(settings.precision, device)
        self.precision = name_of(self.dtype)
        self.net = prepared(folded(bundle.net), device, self.dtype)
        self.size = bundle.size

    @classmethod
    def load(cls, path: Path) -> tuple[Bundle, LoadReport]:
        """See :meth:`tvface.assets.backends.Weighted.load`."""
        return load_with_report(path)

    def parse(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """See :meth:`Parser.parse`."""
        labels = np.zeros(crops.shape[:3], np.uint8)
        for start in range(0, len(crops), self.settings.batch):
            labels[start : start + self.settings.batch] = self._label(crops[start : start + self.settings.batch])
        return labels

    @torch.inference_mode()
    def _label(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        side = crops.shape[1]
        pictures = torch.from_numpy(crops).to(self.device).permute(0, 3, 1, 2).float() / 255
        size = (self.size, self.size)
        images = F.interpolate(pictures, size, mode="bilinear", align_corners=False, antialias=True).to(self.dtype)
        mirror = torch.from_numpy(MIRROR.astype(np.int64)).to(self.device)
        logits = self.net(images).float().softmax(1)
        logits = logits + self.net(images.flip(-1)).float().softmax(1)[:, mirror].flip(-1)
        # Probabilities are enlarged, not labels: edges stay smooth. One picture at a time keeps the memory small.
        labels = [
            F.interpolate(picture_logits[None], (side, side), mode="bilinear", align_corners=False).argmax(1)[0]
            for picture_logits in logits
        ]
        return np.asarray(torch.stack(labels).to(torch.uint8).cpu().numpy(), np.uint8)
