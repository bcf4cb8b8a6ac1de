"""SPyNet, the optical flow network of BasicVSR++ (Ranjan and Black 2017; parameters named as in mmagic)."""

from __future__ import annotations

import itertools
from typing import Literal

import torch
from torch import nn
from torch.nn import functional as F

from tvface.networks.normalise import IMAGENET_MEAN, IMAGENET_STD
from tvface.networks.warp import flow_warp

LEVELS = 6
MULTIPLE = 32
"""Sides are enlarged to a multiple of this, so that five halvings leave no remainder."""

CHANNELS = (8, 32, 64, 32, 16, 2)


class _Convolution(nn.Module):
    """A 7x7 convolution, followed by ReLU unless it is the last one."""

    def __init__(self, inputs: int, outputs: int, *, last: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, 7, padding=3)
        self.last = last

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return x if self.last else F.relu(x)


class _Level(nn.Module):
    """One pyramid level: reference, warped support and upsampled flow (8 channels) to a residue of the flow."""

    def __init__(self) -> None:
        super().__init__()
        pairs = list(itertools.pairwise(CHANNELS))
        self.basic_module = nn.Sequential(
            *(_Convolution(i, o, last=k == len(pairs) - 1) for k, (i, o) in enumerate(pairs))
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.basic_module(x)


class SPyNet(nn.Module):
    """Coarse-to-fine optical flow.

    Args:
        levels: "all" runs the six levels at every size, as BasicVSR++ does; "matched" halves only while a side
            exceeds 32 pixels and leaves the finest nets out, as the original does (four levels at 224, three at 128).
            On small pictures "matched" is more accurate: its end-point error is 2 to 15 % smaller on the three pairs
            of FlyingChairs that come with its published code, at sides of 224 and 112.

    Raises:
        ValueError: ``levels`` is neither.
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, levels: Literal["all", "matched"] = "all") -> None:
        super().__init__()
        if levels not in ("all", "matched"):
            raise ValueError(f"levels {levels!r}: valid are 'all' and 'matched'")
        self.levels = levels
        self.basic_module = nn.ModuleList(_Level() for _ in range(LEVELS))
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))

    def forward(self, reference: torch.Tensor, support: torch.Tensor) -> torch.Tensor:
        """Estimate the flow from ``reference`` to ``support``; ``support`` warped by it aligns to ``reference``.

        Args:
            reference: (B, 3, H, W) RGB in [0, 1], any size.
            support: the same shape.

        Returns:
            (B, 2, H, W) flow, (dx, dy) in pixels.

        Raises:
            ValueError: the shapes differ.
        """
        if reference.shape != support.shape:
            raise ValueError(f"pictures of {tuple(reference.shape)} and {tuple(support.shape)} have no flow")
        h, w = reference.shape[-2:]
        up_h, up_w = (-(-side // MULTIPLE) * MULTIPLE for side in (h, w))
        if (up_h, up_w) == (h, w):
            return self._pyramid(reference, support)
        reference, support = (
            F.interpolate(image, size=(up_h, up_w), mode="bilinear", align_corners=False)
            for image in (reference, support)
        )
        flow = F.interpolate(self._pyramid(reference, support), size=(h, w), mode="bilinear", align_corners=False)
        return flow * flow.new_tensor((w / up_w, h / up_h)).view(1, 2, 1, 1)

    def _pyramid(self, reference: torch.Tensor, support: torch.Tensor) -> torch.Tensor:
        """Return the flow of a pair whose sides are multiples of 32."""
        count = LEVELS if self.levels == "all" else matched_levels(*reference.shape[-2:])
        pyramid = [((reference - self.mean) / self.std, (support - self.mean) / self.std)]
        for _ in range(count - 1):
            pyramid.append((F.avg_pool2d(pyramid[-1][0], 2), F.avg_pool2d(pyramid[-1][1], 2)))
        b, _, h, w = pyramid[-1][0].shape
        flow = reference.new_zeros(b, 2, h, w)
        # Nets count from the coarsest level; with fewer levels the finest nets stay unused.
        for level, (ref, supp) in enumerate(reversed(pyramid)):
            if level > 0:
                flow = 2 * F.interpolate(flow, scale_factor=2, mode="bilinear", align_corners=True)
            warped = flow_warp(supp, flow, padding="border")
            flow = flow + self.basic_module[level](torch.cat([ref, warped, flow], dim=1))
        return flow


def matched_levels(height: int, width: int) -> int:
    """Return the number of levels of the original: it halves while a side exceeds 32 pixels, at most five times."""
    levels = 1
    while levels < LEVELS and max(height, width) > MULTIPLE:
        height, width, levels = height // 2, width // 2, levels + 1
    return levels


def neighbour_flows(network: SPyNet, frames: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the flows between neighbouring frames, all pairs and both directions in one call of the network.

    Args:
        network: with weights.
        frames: (T, 3, H, W) RGB in [0, 1], or (B, T, 3, H, W).

    Returns:
        ``backward`` (T-1, 2, H, W) from frame i to i+1, and ``forward`` (T-1, 2, H, W) from frame i+1 to i; of a batch
        (B, T-1, 2, H, W).
    """
    *lead, _, height, width = frames.shape
    lead[-1] -= 1
    if lead[-1] == 0:
        empty = frames.new_zeros(*lead, 2, height, width)
        return empty, empty.clone()
    first, second = (
        part.reshape(-1, 3, height, width) for part in (frames[..., :-1, :, :, :], frames[..., 1:, :, :, :])
    )
    flows = network(torch.cat([first, second]), torch.cat([second, first]))
    backward, forward = (half.reshape(*lead, 2, height, width) for half in flows.chunk(2))
    return backward, forward
