"""Stacks of residual blocks: BasicVSR++'s without normalisation, and the paper's with one per block."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from tvface.networks.initialise import small_fan_in_normal

SLOPE = 0.1
"""Slope of the LeakyReLU after a stack's input convolution, as in BasicVSR++'s ``ResidualBlocksWithInputConv``."""


class ResidualBlock(nn.Module):
    """conv3x3, [batch normalisation,] ReLU, conv3x3, plus the input; no activation after the sum.

    Args:
        channels: of input and output.
        norm: one batch normalisation between the two convolutions, as in Table 1 of the paper.
    """

    def __init__(self, channels: int, *, norm: bool = False) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        self.bn = nn.BatchNorm2d(channels) if norm else None
        small_fan_in_normal(self)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return a map of the same shape (B, channels, H, W)."""
        inner = self.conv1(x)
        if self.bn is not None:
            inner = self.bn(inner)
        return x + self.conv2(F.relu(inner))


def residual_blocks(channels: int, blocks: int, *, norm: bool) -> nn.Sequential:
    """Return ``blocks`` residual blocks in a row."""
    return nn.Sequential(*(ResidualBlock(channels, norm=norm) for _ in range(blocks)))


class ResidualStack(nn.Module):
    """Input convolution, LeakyReLU 0.1, residual blocks (R in BasicVSR++).

    Args:
        inputs: channels of the input.
        channels: channels of everything else.
        blocks: residual blocks.
        norm: see :class:`ResidualBlock`.
    """

    def __init__(self, inputs: int, channels: int, blocks: int, *, norm: bool = False) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(inputs, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            residual_blocks(channels, blocks, norm=norm),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, channels, H, W) of (B, inputs, H, W)."""
        return self.main(x)

    # The input convolution is linear in its concatenated inputs, so the part of it that sees no recurrent state can
    # run for all frames at once; these two methods together are forward(cat([static, recurrent], 1)).

    def static_share(self, static: torch.Tensor) -> torch.Tensor:
        """Return the share (B, channels, H, W) of the leading channels (B, k, H, W) of the input, with the bias."""
        convolution = self._input_convolution()
        return F.conv2d(static, convolution.weight[:, : static.shape[1]], convolution.bias, padding=1)

    def forward_recurrent(self, share: torch.Tensor, recurrent: torch.Tensor) -> torch.Tensor:
        """Finish the stack from :meth:`static_share` and the remaining channels (B, inputs - k, H, W)."""
        weight = self._input_convolution().weight[:, -recurrent.shape[1] :]
        return self.main[1:](share + F.conv2d(recurrent, weight, padding=1))

    def _input_convolution(self) -> nn.Conv2d:
        convolution = self.main[0]
        assert isinstance(convolution, nn.Conv2d)
        return convolution


class ResidualDown(nn.Module):
    """Residual blocks, then one convolution of stride 2 (down1 and down2 of the paper's Table 1)."""

    def __init__(self, channels: int, blocks: int, *, norm: bool = True) -> None:
        super().__init__()
        self.blocks = residual_blocks(channels, blocks, norm=norm)
        self.down = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, channels, ceil(H/2), ceil(W/2)) of (B, channels, H, W)."""
        return self.down(self.blocks(x))
