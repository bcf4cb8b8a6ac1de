"""Mixed precision of this project: layers run in bfloat16, inputs and outputs keep their dtype."""

from __future__ import annotations

from typing import Any

import torch
from lightning_fabric.plugins import MixedPrecision


class NetworksInBfloat16(MixedPrecision):
    """bfloat16 by autocast, layer by layer; the arguments of a task are not rounded.

    Fabric's plugin casts every tensor among a module's arguments first: landmarks and flow, which are coordinates that
    bfloat16 rounds to a pixel, and the images that the losses compare. It also fails here, because a window is a frozen
    dataclass. Autocast casts the operands of each layer, and :func:`tvface.runtime.device.single_precision` marks the
    code where it does not.
    """

    def __init__(self, device: torch.device) -> None:
        super().__init__("bf16-mixed", device.type)

    def convert_input(self, data: Any) -> Any:
        """Return the arguments as they are."""
        return data
