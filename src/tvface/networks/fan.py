"""2D-FAN, the face alignment network (Bulat and Tzimiropoulos 2017), from the ``face_alignment`` package.

Only the network class of the package is used: constructing it downloads nothing. Weights come from a file.
"""

from __future__ import annotations

import copy
from pathlib import Path

import torch
from face_alignment.models import FAN
from face_alignment.models.fan import ConvBlock, HourGlass
from torch import nn
from torch.nn import functional as F
from torch.nn.utils.fusion import fuse_conv_bn_eval

from tvface.assets.reports import LoadReport
from tvface.networks.loading import load_fan

STACKS = 4
POINTS = 68
INPUT_SIDE = 256
HEATMAP_SIDE = 64
DEPTH = 4  # halvings of an hourglass


def build() -> nn.Module:
    """Return 2DFAN-4 with random weights.

    Its ``forward`` takes (B, 3, 256, 256) RGB in [0, 1] and returns a list of four heat maps (B, 68, 64, 64); the last
    one is the result.
    """
    return FAN(num_modules=STACKS)


def load(path: Path, device: torch.device | str = "cpu") -> tuple[nn.Module, LoadReport]:
    """Return 2DFAN-4 in evaluation mode with the weights of a file, see :func:`tvface.networks.loading.load_fan`.

    Raises:
        CheckpointError: the file is neither a state dict nor a TorchScript archive, or does not fit.
    """
    network = build()
    report = load_fan(network, path)
    return network.to(device).eval(), report


class LastHeatmaps(nn.Module):
    """The heat maps of the last stack of a :class:`FAN`, with its parameters, arranged for inference.

    Layers that only training needs are left out, sums are computed in place, normalisations after a convolution are
    folded into it, and the input of the next stack (features through one 1 x 1 convolution, plus heat maps through
    another) is one convolution. Results differ from those of the network by rounding.
    """

    def __init__(self, net: FAN) -> None:
        super().__init__()
        net = copy.deepcopy(net).eval()
        self.first = fuse_conv_bn_eval(net.conv1, net.bn1)
        self.blocks = nn.ModuleList([net.conv2, net.conv3, net.conv4])
        stacks = range(net.num_modules)
        self.hourglasses = nn.ModuleList([getattr(net, f"m{stack}") for stack in stacks])
        self.tops = nn.ModuleList([getattr(net, f"top_m_{stack}") for stack in stacks])
        self.features = nn.ModuleList(
            [fuse_conv_bn_eval(getattr(net, f"conv_last{stack}"), getattr(net, f"bn_end{stack}")) for stack in stacks]
        )
        self.handed_on = nn.ModuleList(
            [_sum_of(getattr(net, f"bl{k}"), getattr(net, f"al{k}"), getattr(net, f"l{k}")) for k in stacks[:-1]]
        )
        self.heatmaps: nn.Module = getattr(net, f"l{stacks[-1]}")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, 68, 64, 64) heat maps of (B, 3, 256, 256) RGB pictures in [0, 1]."""
        x = _block(self.blocks[0], F.relu_(self.first(images)))
        x = _block(self.blocks[2], _block(self.blocks[1], F.avg_pool2d(x, 2)))
        for stack, (hourglass, top, features) in enumerate(
            zip(self.hourglasses, self.tops, self.features, strict=True)
        ):
            y = F.relu_(features(_block(top, _hourglass(hourglass, DEPTH, x))))
            if stack < len(self.handed_on):
                x += self.handed_on[stack](y)
        heatmaps: torch.Tensor = self.heatmaps(y)
        return heatmaps


def _sum_of(direct: nn.Conv2d, second: nn.Conv2d, first: nn.Conv2d) -> nn.Conv2d:
    """Return the 1 x 1 convolution that equals ``direct(x) + second(first(x))``."""
    outer, inner = second.weight.detach().double()[..., 0, 0], first.weight.detach().double()[..., 0, 0]
    convolution = nn.Conv2d(direct.in_channels, direct.out_channels, 1)
    assert (
        convolution.bias is not None and direct.bias is not None and second.bias is not None and first.bias is not None
    )
    with torch.no_grad():
        convolution.weight.copy_(direct.weight.double() + (outer @ inner)[..., None, None])
        convolution.bias.copy_(direct.bias.double() + second.bias.double() + outer @ first.bias.double())
    return convolution


def _block(block: ConvBlock, x: torch.Tensor) -> torch.Tensor:
    first = block.conv1(F.relu_(block.bn1(x)))
    second = block.conv2(F.relu_(block.bn2(first)))
    third = block.conv3(F.relu_(block.bn3(second)))
    joined = torch.cat([first, second, third], 1)
    joined += x if block.downsample is None else block.downsample(x)
    return joined


def _hourglass(net: HourGlass, level: int, x: torch.Tensor) -> torch.Tensor:
    def part(name: str) -> ConvBlock:
        return getattr(net, f"{name}_{level}")

    high = _block(part("b1"), x)
    low = _block(part("b2"), F.avg_pool2d(x, 2))
    low = _hourglass(net, level - 1, low) if level > 1 else _block(part("b2_plus"), low)
    high += F.interpolate(_block(part("b3"), low), scale_factor=2, mode="nearest")
    return high
