"""SPyNet (Ranjan and Black 2017) with its published weights, frozen; six levels as in BasicVSR++, or matched."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray

from tvface.flow.base import FlowBackend
from tvface.manifests.base import digest
from tvface.networks.loading import load_spynet
from tvface.networks.spynet import SPyNet
from tvface.networks.spynet_files import spynet_files
from tvface.settings.base import SettingsError

_BATCH = 32


class Backend(FlowBackend):
    """Runs ``networks.spynet`` on batches of pairs without gradient."""

    def __init__(self, weights: str | Path, device: str = "cpu", levels: Literal["all", "matched"] = "all") -> None:
        """Load the weights; ``levels`` as in :class:`tvface.networks.spynet.SPyNet`.

        Raises:
            CheckpointError: the file is not SPyNet in a known layout.
            SettingsError: the file is absent; the weights are for research only, so tvface does not ship them.
        """
        path = Path(weights)
        if not path.is_file():
            raise SettingsError(
                f"dataset.flow.backend: spynet needs its weights at {path} (research use only, see "
                "resources/assets.tsv): put them there or name their place in dataset.flow.weights, "
                "or choose the backend 'dis', which needs none"
            )
        self.weights = {file.name: digest(file) for file in spynet_files(path)}
        self.device = torch.device(device)
        self.network = SPyNet(levels)
        load_spynet(self.network, path)
        self.network.to(self.device).eval()

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
