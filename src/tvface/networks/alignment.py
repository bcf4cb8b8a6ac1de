"""Second-order flow-guided deformable alignment (BasicVSR++, Chan et al. 2022, section 3.2).

The value holds two features side by side: the propagated feature of the last visited neighbour and the one before it.
Optical flow moves the sampling positions of both; a small network adds residues to them and weighs every sample.

Shape letters: B images, C channels, G offset groups, K = 9 taps of a 3x3 kernel.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from tvface.networks import deformable
from tvface.networks.warp import at_least_float32
from tvface.runtime.device import single_precision

TAPS = 9
SLOPE = 0.1


class SecondOrderDeformableAlignment(nn.Module):
    """Modulated deformable 3x3 convolution, 2C -> C, whose offsets are flow plus bounded residues.

    Offsets are laid out [group][tap][(y, x)]; the first half of the groups reads the first C channels of the value
    and follows ``flow_1``, the second half the others and ``flow_2``.

    Args:
        channels: C.
        groups: G, even, and a divisor of 2C.
        max_residue: largest residue added to the flow, in pixels of the map.

    Raises:
        ValueError: G is odd or does not divide 2C.
    """

    def __init__(self, channels: int = 64, groups: int = 16, max_residue: float = 10.0) -> None:
        super().__init__()
        if groups % 2 or (2 * channels) % groups:
            raise ValueError(f"{groups} offset groups: need an even divisor of {2 * channels} (twice the channels)")
        self.channels, self.groups, self.max_residue = channels, groups, max_residue
        self.weight = nn.Parameter(torch.empty(channels, 2 * channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(channels))
        bound = 1 / math.sqrt(2 * channels * TAPS)
        nn.init.uniform_(self.weight, -bound, bound)
        self.conv_offset = nn.Sequential(
            nn.Conv2d(3 * channels + 4, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.LeakyReLU(SLOPE),
            nn.Conv2d(channels, 3 * TAPS * groups, 3, padding=1),
        )
        # Initially the offsets equal the flow and every sample weighs one half.
        for parameter in self.conv_offset[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, value: torch.Tensor, condition: torch.Tensor, flow_1: torch.Tensor, flow_2: torch.Tensor
    ) -> torch.Tensor:
        """Align two features to the current frame.

        Args:
            value: (B, 2C, H, W) the features of the two frames visited before.
            condition: (B, 3C, H, W) first feature warped by ``flow_1``, feature of the current frame, second feature
                warped by ``flow_2``.
            flow_1: (B, 2, H, W) flow (dx, dy) in pixels from the current frame to the first.
            flow_2: (B, 2, H, W) to the second.

        Returns:
            (B, C, H, W).
        """
        hidden = self.conv_offset[0](torch.cat([condition, flow_1, flow_2], dim=1))
        return self._sample(value, hidden, flow_1, flow_2)

    # The same function in two parts: the share of the first offset convolution that sees neither propagated feature
    # runs for all frames at once, the rest per frame.

    def static_share(self, current: torch.Tensor, flow_1: torch.Tensor, flow_2: torch.Tensor) -> torch.Tensor:
        """Convolve the current feature (B, C, H, W) and both flows (B, 2, H, W) -> (B, C, H, W)."""
        first, c = self._first_convolution(), self.channels
        weight = torch.cat([first.weight[:, c : 2 * c], first.weight[:, 3 * c :]], dim=1)
        return F.conv2d(torch.cat([current, flow_1, flow_2], dim=1), weight, first.bias, padding=1)

    def forward_recurrent(
        self,
        share: torch.Tensor,
        features: tuple[torch.Tensor, torch.Tensor | None],
        warped: tuple[torch.Tensor, torch.Tensor | None],
        flow_1: torch.Tensor,
        flow_2: torch.Tensor,
    ) -> torch.Tensor:
        """Finish the alignment from :meth:`static_share`.

        Args:
            share: (B, C, H, W).
            features: the propagated features of the first and the second neighbour, each (B, C, H, W); None where
                there is no second neighbour, which equals zeros and skips half of the work.
            warped: the same features warped by ``flow_1`` and ``flow_2``.
            flow_1: (B, 2, H, W).
            flow_2: (B, 2, H, W), not used without a second neighbour.

        Returns:
            (B, C, H, W).
        """
        weight, c = self._first_convolution().weight, self.channels
        hidden = share + F.conv2d(warped[0], weight[:, :c], padding=1)
        if features[1] is None or warped[1] is None:
            return self._sample(features[0], hidden, flow_1, None)
        hidden = hidden + F.conv2d(warped[1], weight[:, 2 * c : 3 * c], padding=1)
        return self._sample(torch.cat([features[0], features[1]], dim=1), hidden, flow_1, flow_2)

    def _first_convolution(self) -> nn.Conv2d:
        convolution = self.conv_offset[0]
        assert isinstance(convolution, nn.Conv2d)
        return convolution

    def _last_convolution(self) -> nn.Conv2d:
        convolution = self.conv_offset[-1]
        assert isinstance(convolution, nn.Conv2d)
        return convolution

    def _sample(
        self, value: torch.Tensor, hidden: torch.Tensor, flow_1: torch.Tensor, flow_2: torch.Tensor | None
    ) -> torch.Tensor:
        """Turn the first offset convolution's output into offsets and weights, and convolve.

        Without ``flow_2`` the value is only the first C channels, and only the first half of the groups is used.
        """
        pairs = TAPS * self.groups  # (y, x) pairs of all groups
        hidden, last = self.conv_offset[1:-1](hidden), self._last_convolution()
        assert last.bias is not None
        if flow_2 is None:
            # The other half of the offsets and weights would not be used: 144 + 72 of 432 channels at G = 16.
            used = [slice(0, pairs), slice(2 * pairs, 2 * pairs + pairs // 2)]
            weight, bias = (torch.cat([parameter[part] for part in used]) for parameter in (last.weight, last.bias))
            raw, flows, pairs = F.conv2d(hidden, weight, bias, padding=1), [flow_1], pairs // 2
        else:
            raw, flows = last(hidden), [flow_1, flow_2]
        raw = at_least_float32(raw)
        b, _, h, w = raw.shape
        residue = self.max_residue * torch.tanh(raw[:, : 2 * pairs]).view(b, len(flows), -1, 2, h, w)
        flow = torch.stack([at_least_float32(flow).flip(1) for flow in flows], dim=1)[:, :, None]
        # Under autocast torchvision would convert everything to float32 and back, and the other kernels would fail.
        with single_precision(value.device):
            return deformable.deform_conv2d(
                value,
                (residue + flow).view(b, 2 * pairs, h, w),
                self.weight[:, : value.shape[1]],
                self.bias,
                torch.sigmoid(raw[:, 2 * pairs :]),
            )
