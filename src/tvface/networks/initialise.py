"""Initial weights where the originals do not use PyTorch's defaults."""

from __future__ import annotations

import torch
from torch import nn


def fan_out_normal(module: nn.Module) -> None:
    """Give every convolution below ``module`` weights of variance 2 / (k k out), as ResNets start (He et al. 2015)."""
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")


def small_fan_in_normal(module: nn.Module, scale: float = 0.1) -> None:
    """Give every convolution below ``module`` ``scale`` times He's fan-in weights and zero bias.

    Small residual branches keep a deep stack close to the identity initially (ESRGAN, BasicVSR++).
    """
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")
            with torch.no_grad():
                layer.weight.mul_(scale)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)
