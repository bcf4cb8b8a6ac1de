"""The frozen networks whose features terms of the loss compare."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import nn

from tvface.assets import registry as assets
from tvface.losses.table import terms_of
from tvface.networks.loading import load_vgg19, load_vggface2
from tvface.networks.vgg19 import EARLY_LAYERS, NAMED_LAYERS, Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.settings.model import Original
from tvface.settings.phases import Terms


@dataclass(frozen=True)
class LossNetworks:
    """Networks by their name in the registry of assets, and the digests of their files by name.

    It holds only the networks of terms with a weight above 0.
    """

    networks: Mapping[str, nn.Module] = field(default_factory=dict)
    digests: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def load(
        cls, loss_weights: Terms, phase: str, device: torch.device, original: Original | None = None
    ) -> LossNetworks:
        """Load the networks that the phase's loss weights need.

        Raises:
            MissingAsset: a term has a weight above 0 and its network's file is missing; the message names the source of
                the file. A weight of 0 switches the term off.
        """
        networks: dict[str, nn.Module] = {}
        digests: dict[str, str] = {}
        for term in terms_of(phase):
            if term.network is not None and getattr(loss_weights, term.name) > 0:
                files = assets.located(term.network)
                digests |= assets.digests(files)
                network = _LOADERS[term.network](files[0][1], original or Original())
                networks[term.network] = network.to(device).eval()
        return cls(networks, digests)

    def network(self, name: str) -> nn.Module:
        """Return a network by its name in the registry.

        Raises:
            RuntimeError: it was not loaded.
        """
        if name not in self.networks:
            raise RuntimeError(f"a term of the loss has a weight but its network '{name}' was not loaded")
        return self.networks[name]


def _vggface2(path: Path, _: Original) -> VggFace2:
    network = VggFace2()
    load_vggface2(network, path)
    return network


def _vgg19(path: Path, original: Original) -> Vgg19:
    network = Vgg19(EARLY_LAYERS if original.early_mrf_layers else NAMED_LAYERS)
    load_vgg19(network, path)
    return network


_LOADERS: Mapping[str, Callable[[Path, Original], nn.Module]] = {"vggface2": _vggface2, "vgg19": _vgg19}
