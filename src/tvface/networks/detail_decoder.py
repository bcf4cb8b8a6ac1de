"""DECA's detail decoder F_d: maps expression, jaw and detail code to a displacement map in UV."""

from __future__ import annotations

import torch
from torch import nn

from tvface.networks.warp import at_least_float32
from tvface.runtime.device import single_precision

CHANNELS = (128, 64, 64, 32, 16)
"""Channels after each doubling, from 8x8 to 256x256."""

START = 8
"""Side of the first map."""

LAST = -2
"""Index of the last convolution; it and its Tanh stay in float32 in mixed precision."""

STAGE_EPS = 0.8
"""Epsilon of BatchNorm: the original passes 0.8 as the second positional argument, intended as the momentum.

Released weights are trained with it. With another value they load without an error but give wrong wrinkles.
"""


class DetailDecoder(nn.Module):
    """Maps a code to displacement along the normal (``Generator`` in DECA's ``decoders.py``).

    Args:
        inputs: length of the code, 181 = jaw pose 3, expression 50, detail 128, in this order.
        size: side of the UV map: 8 times a power of two from 16 on. 256 is the original; smaller maps leave out
            the widest first stages, larger ones repeat the last.
        scale: largest displacement, in metres.

    Raises:
        ValueError: ``size`` is not 8 times a power of two, or below 16.
    """

    def __init__(self, inputs: int = 181, size: int = 256, scale: float = 0.01) -> None:
        super().__init__()
        stages = (size // START).bit_length() - 1
        if stages < 1 or START << stages != size:
            raise ValueError(f"uv size {size}: the detail decoder makes maps of 16, 32, 64, 128, 256, 512, ... pixels")
        widths = CHANNELS[-stages:] if stages <= len(CHANNELS) else CHANNELS + CHANNELS[-1:] * (stages - len(CHANNELS))
        self.size, self.scale = size, scale
        self.l1 = nn.Sequential(nn.Linear(inputs, CHANNELS[0] * START * START))
        parts: list[nn.Module] = [nn.BatchNorm2d(CHANNELS[0])]
        channels = CHANNELS[0]
        for width in widths:
            parts += [
                nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False),
                nn.Conv2d(channels, width, 3, padding=1),
                nn.BatchNorm2d(width, eps=STAGE_EPS),
                nn.LeakyReLU(0.2),
            ]
            channels = width
        parts += [nn.Conv2d(channels, 1, 3, padding=1), nn.Tanh()]
        self.conv_blocks = nn.Sequential(*parts)
        # Few channels on large maps: with channels last a step on the CPU takes a third less time.
        self.conv_blocks.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, code: torch.Tensor) -> torch.Tensor:
        """Return the displacement along the normal (B, 1, size, size) in m, within +-scale, of codes (B, inputs).

        It is at least float32.
        """
        start = self.l1(code).unflatten(1, (CHANNELS[0], START, START))
        maps = self.conv_blocks[:LAST](start)
        with single_precision(code.device):  # bfloat16 would show as terraces in the normals
            return self.scale * self.conv_blocks[LAST:](at_least_float32(maps))
