"""Modulated deformable convolution by ``grid_sample``: plain torch, differentiable twice, on any device.

For the backward pass it keeps two copies of nine times the map. Its gradient on a CPU is still several times faster
than torchvision's, whose kernel visits 25 neighbours per sample.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F


def deform_conv2d(
    value: torch.Tensor,
    offset: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """See :func:`tvface.networks.deformable.deform_conv2d`; H, W > 1, and one dtype for all."""
    b, c, h, w = value.shape
    groups = offset.shape[1] // 18
    taps = torch.arange(-1, 2, device=offset.device, dtype=offset.dtype)
    rows = torch.arange(h, device=offset.device, dtype=offset.dtype)
    columns = torch.arange(w, device=offset.device, dtype=offset.dtype)
    moved = offset.view(b * groups, 9, 2, h, w)
    y = moved[:, :, 0] + taps.repeat_interleave(3).view(1, 9, 1, 1) + rows.view(1, 1, h, 1)
    x = moved[:, :, 1] + taps.repeat(3).view(1, 9, 1, 1) + columns
    grid = torch.stack([x * (2 / (w - 1)) - 1, y * (2 / (h - 1)) - 1], -1).flatten(1, 2)
    samples = F.grid_sample(
        value.reshape(b * groups, c // groups, h, w), grid, mode="bilinear", padding_mode="zeros", align_corners=True
    )
    weighed = samples.view(b, groups, c // groups, 9, h * w) * mask.view(b, groups, 1, 9, h * w)
    out = weight.flatten(1) @ weighed.reshape(b, c * 9, h * w)
    return out.view(b, -1, h, w) + bias.view(1, -1, 1, 1)
