"""Mixed precision as this project means it: layers in bfloat16, everything that goes in and comes out as it is."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric.plugins import MixedPrecision


class NetworksInBfloat16(MixedPrecision):
    """bfloat16 by autocast, layer by layer; what a task is given is not rounded.

    Fabric's own plugin casts every tensor among a module's arguments first: landmarks and flow, which are coordinates
    that bfloat16 rounds to a pixel, and the images that the losses compare. It also cannot: a window is a frozen
    dataclass. Autocast casts what a layer multiplies when it multiplies it, and
    :func:`tvface.runtime.device.single_precision` says where it does not.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__("bf16-mixed", device.type)

    def convert_input(self, data: Any) -> Any:
        """Return the arguments as they are."""
        return data
