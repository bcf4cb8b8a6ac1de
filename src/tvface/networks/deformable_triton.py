"""Modulated deformable convolution on a GPU as Triton kernels, without the matrix of samples in memory.

At the paper's size torchvision writes and reads a matrix of 1152 numbers per pixel in each of 16 calls per step, and
casts bfloat16 to float32 and back around it. Here a program takes a block of pixels, gathers the bilinear samples of a
block of channels for one tap, weighs them, and multiplies them with the weights at once. The backward pass gathers
again. Values and weights are float32 or bfloat16; positions, weights of samples and sums are float32.

The kernels work on maps with the channels last. They are plain on purpose: offsets are read once per channel and not
once per group (they come from the cache), and gradients to the value are added with atomics, so that their last bits
depend on the order of the programs.

The interpreter (``TRITON_INTERPRET=1`` before the first import of triton) runs them on a CPU.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False
from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

PIXELS = 64
"""Pixels per program."""

WEIGHT_PARTS = 64
"""Programs among which the pixels are divided for the gradient to the weights of one tap and channel block."""


@triton.jit
def _positions(offset, mask, pixel, channel, tap, height, width, groups, group_channels, valid):
    """Row and column (float32) and weight of the sample of every pixel and channel, and the pixel's image."""
    area = height * width
    image = pixel // area
    place = pixel % area
    entry = (image[:, None] * groups + channel[None, :] // group_channels) * 9 + tap
    y = tl.load(offset + (entry * 2) * area + place[:, None], mask=valid, other=0.0)
    x = tl.load(offset + (entry * 2 + 1) * area + place[:, None], mask=valid, other=0.0)
    m = tl.load(mask + entry * area + place[:, None], mask=valid, other=0.0)
    y += (place // width + tap // 3 - 1).to(tl.float32)[:, None]
    x += (place % width + tap % 3 - 1).to(tl.float32)[:, None]
    # Far outside is outside: the conversion to an integer must not overflow. NaN stays NaN.
    y = tl.clamp(y, -2.0, height + 1.0, propagate_nan=tl.PropagateNan.ALL)
    x = tl.clamp(x, -2.0, width + 1.0, propagate_nan=tl.PropagateNan.ALL)
    return y, x, m, image


@triton.jit
def _corner(value, image, y, x, channel, height, width, channels, valid):
    """Value of a corner (pixel, channel), 0 outside of the map; its address and whether it is inside."""
    inside = valid & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    address = ((image[:, None] * height + y) * width + x) * channels + channel[None, :]
    return tl.load(value + address, mask=inside, other=0.0).to(tl.float32), address, inside


@triton.jit
def _samples(value, offset, mask, pixel, channel, tap, height, width, channels, groups, group_channels, valid):
    """Weighed samples (pixel, channel) in float32."""
    y, x, m, image = _positions(offset, mask, pixel, channel, tap, height, width, groups, group_channels, valid)
    y_floor, x_floor = tl.floor(y), tl.floor(x)
    ly, lx = y - y_floor, x - x_floor
    y0, x0 = y_floor.to(tl.int64), x_floor.to(tl.int64)
    v00, _, _ = _corner(value, image, y0, x0, channel, height, width, channels, valid)
    v01, _, _ = _corner(value, image, y0, x0 + 1, channel, height, width, channels, valid)
    v10, _, _ = _corner(value, image, y0 + 1, x0, channel, height, width, channels, valid)
    v11, _, _ = _corner(value, image, y0 + 1, x0 + 1, channel, height, width, channels, valid)
    return m * ((1 - ly) * ((1 - lx) * v00 + lx * v01) + ly * ((1 - lx) * v10 + lx * v11))


@triton.jit
def _product(a, b, PRECISION: tl.constexpr, WIDE: tl.constexpr):
    """Matrix product in float32. The interpreter multiplies the bits of bfloat16, so there both are widened before."""
    if WIDE:
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, input_precision=PRECISION)


@triton.jit
def _forward_kernel(
    value,
    offset,
    mask,
    weight,
    bias,
    out,
    pixels,
    height,
    width,
    channels,
    outputs,
    groups,
    group_channels: tl.constexpr,
    PIXEL_BLOCK: tl.constexpr,
    CHANNEL_BLOCK: tl.constexpr,
    OUTPUT_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDE: tl.constexpr,
):
    pixel = tl.program_id(0).to(tl.int64) * PIXEL_BLOCK + tl.arange(0, PIXEL_BLOCK)
    output = tl.arange(0, OUTPUT_BLOCK)
    real = pixel < pixels
    total = tl.zeros((PIXEL_BLOCK, OUTPUT_BLOCK), tl.float32)
    for tap in range(9):
        for first in range(0, channels, CHANNEL_BLOCK):
            channel = first + tl.arange(0, CHANNEL_BLOCK)
            valid = real[:, None] & (channel < channels)[None, :]
            sample = _samples(
                value, offset, mask, pixel, channel, tap, height, width, channels, groups, group_channels, valid
            )
            address = (tap * channels + channel)[:, None] * outputs + output[None, :]
            known = (channel < channels)[:, None] & (output < outputs)[None, :]
            matrix = tl.load(weight + address, mask=known, other=0.0)
            total += _product(sample.to(matrix.dtype), matrix, PRECISION, WIDE)
    total += tl.load(bias + output, mask=output < outputs, other=0.0).to(tl.float32)[None, :]
    address = pixel[:, None] * outputs + output[None, :]
    tl.store(out + address, total.to(out.dtype.element_ty), mask=real[:, None] & (output < outputs)[None, :])


@triton.jit
def _backward_kernel(
    gradient,
    value,
    offset,
    mask,
    weight,
    to_value,
    to_offset,
    to_mask,
    pixels,
    height,
    width,
    channels,
    outputs,
    groups,
    group_channels: tl.constexpr,
    PIXEL_BLOCK: tl.constexpr,
    CHANNEL_BLOCK: tl.constexpr,
    OUTPUT_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Gradients to value, offset and mask; a block of channels holds whole groups."""
    GROUP_BLOCK: tl.constexpr = CHANNEL_BLOCK // group_channels
    pixel = tl.program_id(0).to(tl.int64) * PIXEL_BLOCK + tl.arange(0, PIXEL_BLOCK)
    output = tl.arange(0, OUTPUT_BLOCK)
    real = pixel < pixels
    area = height * width
    address = pixel[:, None] * outputs + output[None, :]
    grad = tl.load(gradient + address, mask=real[:, None] & (output < outputs)[None, :], other=0.0)
    for tap in range(9):
        for first in range(0, channels, CHANNEL_BLOCK):
            channel = first + tl.arange(0, CHANNEL_BLOCK)
            valid = real[:, None] & (channel < channels)[None, :]
            address = (tap * channels + channel)[None, :] * outputs + output[:, None]
            known = (channel < channels)[None, :] & (output < outputs)[:, None]
            matrix = tl.load(weight + address, mask=known, other=0.0)
            cell = _product(grad, matrix, PRECISION, WIDE)  # gradient to the weighed samples
            y, x, m, image = _positions(offset, mask, pixel, channel, tap, height, width, groups, group_channels, valid)
            y_floor, x_floor = tl.floor(y), tl.floor(x)
            ly, lx = y - y_floor, x - x_floor
            hy, hx = 1 - ly, 1 - lx
            y0, x0 = y_floor.to(tl.int64), x_floor.to(tl.int64)
            v00, a00, i00 = _corner(value, image, y0, x0, channel, height, width, channels, valid)
            v01, a01, i01 = _corner(value, image, y0, x0 + 1, channel, height, width, channels, valid)
            v10, a10, i10 = _corner(value, image, y0 + 1, x0, channel, height, width, channels, valid)
            v11, a11, i11 = _corner(value, image, y0 + 1, x0 + 1, channel, height, width, channels, valid)
            weighed = m * cell
            tl.atomic_add(to_value + a00, hy * hx * weighed, mask=i00)
            tl.atomic_add(to_value + a01, hy * lx * weighed, mask=i01)
            tl.atomic_add(to_value + a10, ly * hx * weighed, mask=i10)
            tl.atomic_add(to_value + a11, ly * lx * weighed, mask=i11)
            for_mask = cell * (hy * (hx * v00 + lx * v01) + ly * (hx * v10 + lx * v11))
            for_y = weighed * (hx * (v10 - v00) + lx * (v11 - v01))
            for_x = weighed * (hy * (v01 - v00) + ly * (v11 - v10))
            group = first // group_channels + tl.arange(0, GROUP_BLOCK)
            entry = ((pixel // area)[:, None] * groups + group[None, :]) * 9 + tap
            place = (pixel % area)[:, None]
            stored = real[:, None] & (group < groups)[None, :]
            shape: tl.constexpr = (PIXEL_BLOCK, GROUP_BLOCK, group_channels)
            tl.store(to_mask + entry * area + place, tl.sum(tl.reshape(for_mask, shape), 2), mask=stored)
            tl.store(to_offset + entry * 2 * area + place, tl.sum(tl.reshape(for_y, shape), 2), mask=stored)
            tl.store(to_offset + (entry * 2 + 1) * area + place, tl.sum(tl.reshape(for_x, shape), 2), mask=stored)


@triton.jit
def _weight_kernel(
    gradient,
    value,
    offset,
    mask,
    to_weight,
    pixels,
    height,
    width,
    channels,
    outputs,
    groups,
    group_channels: tl.constexpr,
    PIXEL_BLOCK: tl.constexpr,
    CHANNEL_BLOCK: tl.constexpr,
    OUTPUT_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDE: tl.constexpr,
):
    """Gradient to the weights of one tap and block of channels, from every n-th block of pixels."""
    tap = tl.program_id(0)
    channel = tl.program_id(1) * CHANNEL_BLOCK + tl.arange(0, CHANNEL_BLOCK)
    output = tl.arange(0, OUTPUT_BLOCK)
    total = tl.zeros((CHANNEL_BLOCK, OUTPUT_BLOCK), tl.float32)
    for block in range(tl.program_id(2), tl.cdiv(pixels, PIXEL_BLOCK), tl.num_programs(2)):
        pixel = tl.cast(block, tl.int64) * PIXEL_BLOCK + tl.arange(0, PIXEL_BLOCK)
        real = pixel < pixels
        valid = real[:, None] & (channel < channels)[None, :]
        sample = _samples(
            value, offset, mask, pixel, channel, tap, height, width, channels, groups, group_channels, valid
        )
        address = pixel[:, None] * outputs + output[None, :]
        grad = tl.load(gradient + address, mask=real[:, None] & (output < outputs)[None, :], other=0.0)
        total += _product(tl.trans(sample.to(grad.dtype)), grad, PRECISION, WIDE)
    address = (tap * channels + channel)[:, None] * outputs + output[None, :]
    tl.atomic_add(to_weight + address, total, mask=(channel < channels)[:, None] & (output < outputs)[None, :])


def _blocks(value: torch.Tensor, weight: torch.Tensor, offset: torch.Tensor) -> dict[str, Any]:
    group_channels = value.shape[3] // (offset.shape[1] // 18)
    return {
        "group_channels": group_channels,
        "PIXEL_BLOCK": PIXELS,
        "CHANNEL_BLOCK": max(32, group_channels),
        "OUTPUT_BLOCK": max(16, triton.next_power_of_2(weight.shape[1])),
        "PRECISION": "tf32" if torch.get_float32_matmul_precision() != "highest" else "ieee",
        "WIDE": value.device.type == "cpu",
    }


def _sizes(value: torch.Tensor, weight: torch.Tensor, offset: torch.Tensor) -> tuple[int, ...]:
    b, h, w, c = value.shape
    return b * h * w, h, w, c, weight.shape[1], offset.shape[1] // 18


@torch.library.custom_op("tvface::deform_conv2d", mutates_args=())
def _deform(
    value: torch.Tensor, offset: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """(B, H, W, C), (B, 18 G, H, W), (9 C, D), (D,), (B, 9 G, H, W), all contiguous -> (B, H, W, D)."""
    out = value.new_empty(*value.shape[:3], weight.shape[1])
    sizes = _sizes(value, weight, offset)
    grid = (triton.cdiv(sizes[0], PIXELS),)
    _forward_kernel[grid](value, offset, mask, weight, bias, out, *sizes, **_blocks(value, weight, offset))
    return out


@_deform.register_fake
def _(value, offset, weight, bias, mask):
    return value.new_empty(*value.shape[:3], weight.shape[1])


@torch.library.custom_op("tvface::deform_conv2d_backward", mutates_args=())
def _deform_backward(
    gradient: torch.Tensor, value: torch.Tensor, offset: torch.Tensor, weight: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gradients to value, offset, weight and mask; those to value and weight are summed in float32."""
    to_value, to_weight = (torch.zeros_like(tensor, dtype=torch.float32) for tensor in (value, weight))
    to_offset, to_mask = torch.empty_like(offset), torch.empty_like(mask)
    sizes, blocks = _sizes(value, weight, offset), _blocks(value, weight, offset)
    grid = (triton.cdiv(sizes[0], PIXELS),)
    _backward_kernel[grid](gradient, value, offset, mask, weight, to_value, to_offset, to_mask, *sizes, **blocks)
    parts = min(WEIGHT_PARTS, grid[0])
    grid = (9, triton.cdiv(value.shape[3], blocks["CHANNEL_BLOCK"]), parts)  # type: ignore[assignment]
    _weight_kernel[grid](gradient, value, offset, mask, to_weight, *sizes, **blocks)
    return to_value.to(value.dtype), to_offset, to_weight.to(weight.dtype), to_mask


@_deform_backward.register_fake
def _(gradient, value, offset, weight, mask):
    return tuple(torch.empty_like(tensor) for tensor in (value, offset, weight, mask))


def _setup(ctx: Any, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
    value, offset, weight, _, mask = inputs
    ctx.save_for_backward(value, offset, weight, mask)


def _backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
    value, offset, weight, mask = ctx.saved_tensors
    gradient = gradient.contiguous()
    to_value, to_offset, to_weight, to_mask = _deform_backward(gradient, value, offset, weight, mask)
    to_bias = gradient.flatten(0, 2).sum(0, dtype=torch.float32).to(gradient.dtype)
    return to_value, to_offset, to_weight, to_bias, to_mask


_deform.register_autograd(_backward, setup_context=_setup)


def supports(value: torch.Tensor, offset: torch.Tensor) -> bool:
    """Say whether the kernels take these: float32 or bfloat16 by float32 offsets, groups of 2^k channels."""
    width = value.shape[1] // (offset.shape[1] // 18)
    kinds = value.dtype in (torch.float32, torch.bfloat16) and offset.dtype == torch.float32
    return kinds and width & (width - 1) == 0 and width <= 128


def deform_conv2d(
    value: torch.Tensor,
    offset: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """See :func:`tvface.networks.deformable.deform_conv2d`.

    Raises:
        ValueError: dtypes or a number of channels per group that the kernels do not take.
    """
    if not supports(value, offset):
        raise ValueError(
            "the triton deformable convolution takes float32 and bfloat16 values, float32 offsets and groups of 2^k "
            f"channels; these are {value.dtype}, {offset.dtype}, {value.shape[1]} channels, {offset.shape[1]} offsets"
        )
    d, c = weight.shape[:2]
    matrix = weight.permute(2, 3, 1, 0).reshape(9 * c, d).to(value.dtype).contiguous()
    out = _deform(
        value.permute(0, 2, 3, 1).contiguous(),
        offset.contiguous(),
        matrix,
        bias.to(value.dtype),
        mask.contiguous(),
    )
    return out.permute(0, 3, 1, 2)
