"""SPyNet (Ranjan and Black 2017) with its published weights, frozen; six levels as in BasicVSR++, or matched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.assets.reports import LoadReport
from tvface.assets.spynet_names import torch7_level
from tvface.flow.base import FlowBackend
from tvface.networks.loading import load_spynet, load_strictly
from tvface.networks.spynet import SPyNet
from tvface.networks.spynet_files import read_level
from tvface.settings.model import Flow

_BATCH = 32


class Backend(FlowBackend):
    """Runs ``networks.spynet`` on batches of pairs without gradient."""

    needs = ("spynet",)
    path_option = "weights_file"
    parts = "tvface.assets.spynet_names:weight_files"

    def __init__(self, settings: Flow, device: torch.device) -> None:
        """Load the weights; ``settings.levels`` as in :class:`tvface.networks.spynet.SPyNet`."""
        self.device = device
        (network,) = self.load_needs(settings)
        network.levels = settings.levels
        self.network = network.to(device).eval()

    @classmethod
    def load(cls, path: Path) -> tuple[SPyNet, LoadReport]:
        """See :meth:`tvface.assets.backends.Weighted.load`."""
        network = SPyNet()
        return network, load_spynet(network, path)

    @classmethod
    def report(cls, path: Path) -> LoadReport:
        """See :meth:`tvface.assets.backends.Weighted.report`; for a Torch7 file of the authors, of its level alone."""
        level = torch7_level(path)
        if level is None:
            return cls.load(path)[1]
        prefix = f"basic_module.{level}."
        state = {name.removeprefix(prefix): tensor for name, tensor in read_level(path, level).items()}
        return load_strictly(SPyNet().get_submodule(prefix.removesuffix(".")), state, str(path))

    @torch.no_grad()
    def flow(self, first: NDArray[np.uint8], second: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :meth:`FlowBackend.flow`."""
        flows = []
        for start in range(0, len(first), _BATCH):
            a, b = (self._tensor(images[start : start + _BATCH]) for images in (first, second))
            flows.append(self.network(a, b).float().cpu().numpy())
        return np.concatenate(flows)

    def _tensor(self, images: NDArray[np.uint8]) -> torch.Tensor:
        pictures = torch.from_numpy(np.ascontiguousarray(images.transpose(0, 3, 1, 2)))
        return pictures.to(self.device).float() / 255
