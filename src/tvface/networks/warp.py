"""Warping by optical flow.

Convention: a flow is (B, 2, H, W), channels (dx, dy), in pixels of its map. The flow from A to B at a pixel of A is the
shift to its position in B, so warping B by it aligns B to A.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn import functional as F


def at_least_float32(x: torch.Tensor) -> torch.Tensor:
    """Return ``x`` in float32 if it is in half precision, else unchanged.

    A normalised coordinate in bfloat16 moves in steps of 0.2 px and more at a side of 112, so coordinates never
    stay in half precision.
    """
    return x.to(torch.promote_types(x.dtype, torch.float32))


def flow_warp(x: torch.Tensor, flow: torch.Tensor, padding: Literal["zeros", "border"] = "zeros") -> torch.Tensor:
    """Sample ``x`` bilinearly at pixel + flow.

    Args:
        x: (B, C, H, W).
        flow: (B, 2, H, W), (dx, dy) in pixels.
        padding: values outside ``x``: zeros, or the nearest pixel of the border.

    Returns:
        (B, C, H, W) in the dtype of ``x``. A flow of -1 everywhere moves the content by one pixel to the lower right.

    Raises:
        ValueError: the two sizes differ.
    """
    if x.shape[-2:] != flow.shape[-2:] or flow.shape[1] != 2:
        raise ValueError(f"a map of {tuple(x.shape)} cannot be warped by a flow of {tuple(flow.shape)}")
    height, width = x.shape[-2:]
    flow = at_least_float32(flow)
    columns = torch.arange(width, dtype=flow.dtype, device=flow.device)
    rows = torch.arange(height, dtype=flow.dtype, device=flow.device)[:, None]
    grid = torch.stack(
        (
            2 * (columns + flow[:, 0]) / max(width - 1, 1) - 1,
            2 * (rows + flow[:, 1]) / max(height - 1, 1) - 1,
        ),
        dim=-1,
    )
    dtype = torch.promote_types(x.dtype, grid.dtype)
    sampled = F.grid_sample(x.to(dtype), grid.to(dtype), mode="bilinear", padding_mode=padding, align_corners=True)
    return sampled.to(x.dtype)
