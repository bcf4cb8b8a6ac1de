"""Modulated deformable convolution on the CPU, compiled with numba.

One pass over the map gathers every moved sample, weighs it and writes it as a row of a matrix, which BLAS multiplies
with the weights. Samples of one offset group lie side by side in memory, so the four corners of a bilinear sample are
four short vectors. The backward pass gathers again instead of keeping the matrix, nine times the size of the map.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import torch
from torch.autograd.function import once_differentiable

# mypy: disallow-untyped-defs=False, check-untyped-defs=True
# The compiled functions have no annotations: numba takes their types from the arguments.

TILE = 16
"""Pixels whose samples are gathered together: their offsets fill a cache line, and their rows stay in the cache."""

# Sums may be reordered, or else short vectors would be summed one by one; NaN and infinity keep their meaning.
_COMPILED: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"reassoc", "contract", "nsz"},
}


@functools.cache
def _gather(width: int) -> Callable[..., None]:
    """Return the forward kernel for groups of ``width`` channels, a constant so that the inner loops unroll."""

    @numba.njit(**_COMPILED)
    def gather(value, offset, mask, first, last, columns):
        """Fill columns (H, W, G, 9, width) for groups first .. last - 1.

        value (G, H, W, width); offset (G, 9, 2, H, W); mask (G, 9, H, W).
        """
        height, length = value.shape[1], value.shape[2]
        real = value.dtype.type  # float32 and an integer would give float64
        one = real(1)
        for row in range(height):
            for start in range(0, length, TILE):
                stop = min(start + TILE, length)
                for g in range(first, last):
                    for tap in range(9):
                        for column in range(start, stop):
                            y = offset[g, tap, 0, row, column] + real(row + tap // 3 - 1)
                            x = offset[g, tap, 1, row, column] + real(column + tap % 3 - 1)
                            m = mask[g, tap, row, column]
                            out = columns[row, column, g, tap]
                            if y <= -1 or x <= -1 or y >= height or x >= length:
                                for c in range(width):
                                    out[c] = real(0) * m
                                continue
                            if y != y or x != x:
                                for c in range(width):
                                    out[c] = y + x
                                continue
                            y0, x0 = int(np.floor(y)), int(np.floor(x))
                            ly, lx = y - real(y0), x - real(x0)
                            for c in range(width):
                                out[c] = 0
                            if y0 >= 0:
                                if x0 >= 0:
                                    w = (one - ly) * (one - lx) * m
                                    for c in range(width):
                                        out[c] += w * value[g, y0, x0, c]
                                if x0 + 1 < length:
                                    w = (one - ly) * lx * m
                                    for c in range(width):
                                        out[c] += w * value[g, y0, x0 + 1, c]
                            if y0 + 1 < height:
                                if x0 >= 0:
                                    w = ly * (one - lx) * m
                                    for c in range(width):
                                        out[c] += w * value[g, y0 + 1, x0, c]
                                if x0 + 1 < length:
                                    w = ly * lx * m
                                    for c in range(width):
                                        out[c] += w * value[g, y0 + 1, x0 + 1, c]

    return gather  # type: ignore[no-any-return]


@functools.cache
def _scatter(width: int) -> Callable[..., None]:
    """Return the backward kernel for groups of ``width`` channels."""

    @numba.njit(**_COMPILED)
    def scatter(value, offset, mask, first, last, columns, to_value, to_offset, to_mask):
        """Turn the gradient in columns into the three gradients; leave the columns' values in its place."""
        height, length = value.shape[1], value.shape[2]
        real = value.dtype.type  # float32 and an integer would give float64
        one = real(1)
        for row in range(height):
            for start in range(0, length, TILE):
                stop = min(start + TILE, length)
                for g in range(first, last):
                    for tap in range(9):
                        for column in range(start, stop):
                            y = offset[g, tap, 0, row, column] + real(row + tap // 3 - 1)
                            x = offset[g, tap, 1, row, column] + real(column + tap % 3 - 1)
                            m = mask[g, tap, row, column]
                            cell = columns[row, column, g, tap]
                            if not (y > -1 and x > -1 and y < height and x < length):
                                nothing = real(0) * (y + x) * m
                                for c in range(width):
                                    cell[c] = nothing
                                to_offset[g, tap, 0, row, column] = nothing
                                to_offset[g, tap, 1, row, column] = nothing
                                to_mask[g, tap, row, column] = nothing
                                continue
                            y0, x0 = int(np.floor(y)), int(np.floor(x))
                            ly, lx = y - real(y0), x - real(x0)
                            hy, hx = one - ly, one - lx
                            # d is the product of gradient and corner; weights of the corners follow from it.
                            d00 = d01 = d10 = d11 = real(0)
                            if y0 >= 0:
                                if x0 >= 0:
                                    w = hy * hx * m
                                    for c in range(width):
                                        d00 += cell[c] * value[g, y0, x0, c]
                                        to_value[g, y0, x0, c] += w * cell[c]
                                if x0 + 1 < length:
                                    w = hy * lx * m
                                    for c in range(width):
                                        d01 += cell[c] * value[g, y0, x0 + 1, c]
                                        to_value[g, y0, x0 + 1, c] += w * cell[c]
                            if y0 + 1 < height:
                                if x0 >= 0:
                                    w = ly * hx * m
                                    for c in range(width):
                                        d10 += cell[c] * value[g, y0 + 1, x0, c]
                                        to_value[g, y0 + 1, x0, c] += w * cell[c]
                                if x0 + 1 < length:
                                    w = ly * lx * m
                                    for c in range(width):
                                        d11 += cell[c] * value[g, y0 + 1, x0 + 1, c]
                                        to_value[g, y0 + 1, x0 + 1, c] += w * cell[c]
                            to_mask[g, tap, row, column] = hy * (hx * d00 + lx * d01) + ly * (hx * d10 + lx * d11)
                            to_offset[g, tap, 0, row, column] = m * (hx * (d10 - d00) + lx * (d11 - d01))
                            to_offset[g, tap, 1, row, column] = m * (hy * (d01 - d00) + ly * (d11 - d10))
                            for c in range(width):
                                cell[c] = 0
                            if y0 >= 0:
                                if x0 >= 0:
                                    w = hy * hx * m
                                    for c in range(width):
                                        cell[c] += w * value[g, y0, x0, c]
                                if x0 + 1 < length:
                                    w = hy * lx * m
                                    for c in range(width):
                                        cell[c] += w * value[g, y0, x0 + 1, c]
                            if y0 + 1 < height:
                                if x0 >= 0:
                                    w = ly * hx * m
                                    for c in range(width):
                                        cell[c] += w * value[g, y0 + 1, x0, c]
                                if x0 + 1 < length:
                                    w = ly * lx * m
                                    for c in range(width):
                                        cell[c] += w * value[g, y0 + 1, x0 + 1, c]

    return scatter  # type: ignore[no-any-return]


def _in_parts(batch: int, groups: int, function: Callable[[int, int, int], None]) -> None:
    """Call ``function(image, first group, last group)`` over everything, on as many threads as torch may use.

    Groups share no memory, so the result does not depend on the split.
    """
    threads = torch.get_num_threads()
    parts = max(1, min(groups, -(-threads // batch)))
    edges = [groups * part // parts for part in range(parts + 1)]
    work = [(b, edges[part], edges[part + 1]) for b in range(batch) for part in range(parts)]
    if threads == 1:
        for arguments in work:
            function(*arguments)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda arguments: function(*arguments), work))


class _Deformable(torch.autograd.Function):
    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        value: torch.Tensor,
        offset: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor,
        mask: torch.Tensor,
    ) -> torch.Tensor:
        b, c, h, w = value.shape
        groups = offset.shape[1] // 18
        width = c // groups
        ctx.save_for_backward(value, offset, weight, mask)
        kernel, packed = _gather(width), _packed(value, groups)
        offsets, masks = _views(offset, mask, groups)
        columns = value.new_empty(b, h, w, groups, 9, width)
        whole = columns.numpy()
        _in_parts(b, groups, lambda i, k, n: kernel(packed[i], offsets[i], masks[i], k, n, whole[i]))
        out = torch.addmm(bias, columns.view(b * h * w, -1), _matrix(weight, groups).t())
        return out.view(b, h, w, -1).permute(0, 3, 1, 2).contiguous()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:  # type: ignore[override]
        value, offset, weight, mask = ctx.saved_tensors
        b, c, h, w = value.shape
        groups = offset.shape[1] // 18
        width = c // groups
        kernel, packed = _scatter(width), _packed(value, groups)
        offsets, masks = _views(offset, mask, groups)
        flat = gradient.permute(0, 2, 3, 1).reshape(b * h * w, -1)
        columns = (flat @ _matrix(weight, groups)).view(b, h, w, groups, 9, width)
        whole = columns.numpy()
        to_value = value.new_zeros(b, groups, h, w, width)
        to_offset, to_mask = offset.new_empty(offset.shape), mask.new_empty(mask.shape)
        values, moves, scales = to_value.numpy(), *_views(to_offset, to_mask, groups)

        def part(i: int, first: int, last: int) -> None:
            kernel(packed[i], offsets[i], masks[i], first, last, whole[i], values[i], moves[i], scales[i])

        _in_parts(b, groups, part)
        to_weight = (flat.t() @ columns.view(b * h * w, -1)).view(-1, groups, 9, width).transpose(2, 3)
        return (
            to_value.permute(0, 1, 4, 2, 3).reshape(value.shape),
            to_offset,
            to_weight.reshape(weight.shape),
            flat.sum(0),
            to_mask,
        )


def _packed(value: torch.Tensor, groups: int) -> np.ndarray:
    """Return (B, C, H, W) as (B, G, H, W, C / G)."""
    b, c, h, w = value.shape
    return value.detach().view(b, groups, c // groups, h, w).permute(0, 1, 3, 4, 2).contiguous().numpy()


def _views(offset: torch.Tensor, mask: torch.Tensor, groups: int) -> tuple[np.ndarray, np.ndarray]:
    b, _, h, w = offset.shape
    return (
        offset.detach().view(b, groups, 9, 2, h, w).numpy(),
        mask.detach().view(b, groups, 9, h, w).numpy(),
    )


def _matrix(weight: torch.Tensor, groups: int) -> torch.Tensor:
    """Return (D, C, 3, 3) as (D, G 9 C / G), in the order of the columns."""
    d, c = weight.shape[:2]
    return weight.detach().view(d, groups, c // groups, 9).transpose(2, 3).reshape(d, -1)


def deform_conv2d(
    value: torch.Tensor,
    offset: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """See :func:`tvface.networks.deformable.deform_conv2d`; on the CPU, all float32 or all float64."""
    return _Deformable.apply(value.contiguous(), offset.contiguous(), weight.contiguous(), bias, mask.contiguous())
