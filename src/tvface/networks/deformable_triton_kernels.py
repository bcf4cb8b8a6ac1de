"""Triton kernels of the modulated deformable convolution; :mod:`tvface.networks.deformable_triton` launches them.

Maps have their channels last: ``value`` (B, H, W, C), ``gradient`` and ``out`` (B, H, W, D), ``weight`` (9 C, D) in the
order [tap][channel]. ``offset`` (B, 18 G, H, W) and ``mask`` (B, 9 G, H, W) have them first. Values and weights are
float32 or bfloat16; positions, weights of samples and sums are float32. A block of groups has 2^k channels.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False
from __future__ import annotations

import triton
import triton.language as tl


@triton.jit
def _positions(offset, mask, pixel, group, tap, height, width, groups, valid):
    """Row and column (float32) and weight of the sample of every pixel and group, and the pixel's image."""
    area = height * width
    image = pixel // area
    place = pixel % area
    entry = (image[:, None] * groups + group[None, :]) * 9 + tap
    y = tl.load(offset + (entry * 2 * area + place[:, None]), mask=valid, other=0.0)
    x = tl.load(offset + ((entry * 2 + 1) * area + place[:, None]), mask=valid, other=0.0)
    m = tl.load(mask + (entry * area + place[:, None]), mask=valid, other=0.0)
    y += (place // width + tap // 3 - 1).to(tl.float32)[:, None]
    x += (place % width + tap % 3 - 1).to(tl.float32)[:, None]
    # Far outside is outside: the conversion to an integer must not overflow. NaN stays NaN.
    y = tl.clamp(y, -2.0, height + 1.0, propagate_nan=tl.PropagateNan.ALL)
    x = tl.clamp(x, -2.0, width + 1.0, propagate_nan=tl.PropagateNan.ALL)
    return y, x, m, image


@triton.jit
def _corner(image, group, y, x, height, width, channels, group_channels: tl.constexpr, valid):
    """Addresses of a corner's channels (pixel, group, channel of the group), and whether it is inside of the map."""
    inside = valid & (y >= 0) & (y < height) & (x >= 0) & (x < width)
    first = ((image[:, None] * height + y) * width + x) * channels + group[None, :] * group_channels
    return first[:, :, None] + tl.arange(0, group_channels)[None, None, :], inside[:, :, None]


@triton.jit
def _samples(value, offset, mask, pixel, group, tap, height, width, channels, groups, group_channels, valid):
    """Weighed samples (pixel, channel) in float32 of a block of groups."""
    y, x, m, image = _positions(offset, mask, pixel, group, tap, height, width, groups, valid)
    y_floor, x_floor = tl.floor(y), tl.floor(x)
    ly, lx = y - y_floor, x - x_floor
    hy, hx = m * (1 - ly), 1 - lx
    ly = m * ly
    y0, x0 = y_floor.to(pixel.dtype), x_floor.to(pixel.dtype)
    a, i = _corner(image, group, y0, x0, height, width, channels, group_channels, valid)
    above = (hy * hx)[:, :, None] * tl.load(value + a, mask=i, other=0.0).to(tl.float32)
    a, i = _corner(image, group, y0, x0 + 1, height, width, channels, group_channels, valid)
    above += (hy * lx)[:, :, None] * tl.load(value + a, mask=i, other=0.0).to(tl.float32)
    a, i = _corner(image, group, y0 + 1, x0, height, width, channels, group_channels, valid)
    below = (ly * hx)[:, :, None] * tl.load(value + a, mask=i, other=0.0).to(tl.float32)
    a, i = _corner(image, group, y0 + 1, x0 + 1, height, width, channels, group_channels, valid)
    below += (ly * lx)[:, :, None] * tl.load(value + a, mask=i, other=0.0).to(tl.float32)
    # Not `above + below`: the compiler would move the samples to where the matrix unit wants them before it adds them
    # up, all four corners, to every warp that multiplies them. It does not look through a sum over an axis.
    sample = tl.sum(tl.join(above, below), 3)
    return tl.reshape(sample, (sample.shape[0], sample.shape[1] * sample.shape[2]))


@triton.jit
def _product(a, b, PRECISION: tl.constexpr, WIDE: tl.constexpr):
    """Matrix product in float32. The interpreter multiplies the bits of bfloat16, so there both are widened before."""
    if WIDE:
        a, b = a.to(tl.float32), b.to(tl.float32)
    return tl.dot(a, b, input_precision=PRECISION)


@triton.jit
def forward_kernel(
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
    GROUP_BLOCK: tl.constexpr,
    OUTPUT_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDE: tl.constexpr,
    INDEX: tl.constexpr,
):
    """The convolution of a block of pixels."""
    pixel = tl.program_id(0).to(INDEX) * PIXEL_BLOCK + tl.arange(0, PIXEL_BLOCK)
    output = tl.arange(0, OUTPUT_BLOCK)
    real = pixel < pixels
    total = tl.zeros((PIXEL_BLOCK, OUTPUT_BLOCK), tl.float32)
    for tap in range(9):
        for first in range(0, groups, GROUP_BLOCK):
            group = first + tl.arange(0, GROUP_BLOCK)
            valid = real[:, None] & (group < groups)[None, :]
            sample = _samples(
                value, offset, mask, pixel, group, tap, height, width, channels, groups, group_channels, valid
            )
            channel = first * group_channels + tl.arange(0, GROUP_BLOCK * group_channels)
            row = (tap * channels + channel)[:, None] * outputs + output[None, :]
            known = (channel < channels)[:, None] & (output < outputs)[None, :]
            matrix = tl.load(weight + row, mask=known, other=0.0)
            total += _product(sample.to(matrix.dtype), matrix, PRECISION, WIDE)
    total += tl.load(bias + output, mask=output < outputs, other=0.0).to(tl.float32)[None, :]
    address = pixel[:, None] * outputs + output[None, :]
    tl.store(out + address, total.to(out.dtype.element_ty), mask=real[:, None] & (output < outputs)[None, :])


@triton.jit
def _share(value, to_value, address, inside, scale, cell):
    """Add a corner's share of ``cell``, (pixel, group) ``scale``, to its gradient; return corner times ``cell``."""
    corner = tl.load(value + address, mask=inside, other=0.0).to(tl.float32)
    tl.atomic_add(to_value + address, scale[:, :, None] * cell, mask=inside, sem="relaxed")
    return tl.sum(cell * corner, 2)


@triton.jit
def backward_kernel(
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
    GROUP_BLOCK: tl.constexpr,
    OUTPUT_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDE: tl.constexpr,
    INDEX: tl.constexpr,
):
    """Gradients to value, offset and mask."""
    pixel = tl.program_id(0).to(INDEX) * PIXEL_BLOCK + tl.arange(0, PIXEL_BLOCK)
    output = tl.arange(0, OUTPUT_BLOCK)
    real = pixel < pixels
    area = height * width
    place = (pixel % area)[:, None]
    address = pixel[:, None] * outputs + output[None, :]
    grad = tl.load(gradient + address, mask=real[:, None] & (output < outputs)[None, :], other=0.0)
    for tap in range(9):
        for first in range(0, groups, GROUP_BLOCK):
            group = first + tl.arange(0, GROUP_BLOCK)
            valid = real[:, None] & (group < groups)[None, :]
            channel = first * group_channels + tl.arange(0, GROUP_BLOCK * group_channels)
            column = (tap * channels + channel)[None, :] * outputs + output[:, None]
            known = (channel < channels)[None, :] & (output < outputs)[:, None]
            matrix = tl.load(weight + column, mask=known, other=0.0)
            # Gradient to the weighed samples.
            cell = tl.reshape(_product(grad, matrix, PRECISION, WIDE), (PIXEL_BLOCK, GROUP_BLOCK, group_channels))
            y, x, m, image = _positions(offset, mask, pixel, group, tap, height, width, groups, valid)
            y_floor, x_floor = tl.floor(y), tl.floor(x)
            ly, lx = y - y_floor, x - x_floor
            hy, hx = 1 - ly, 1 - lx
            y0, x0 = y_floor.to(INDEX), x_floor.to(INDEX)
            a, i = _corner(image, group, y0, x0, height, width, channels, group_channels, valid)
            d00 = _share(value, to_value, a, i, m * hy * hx, cell)
            a, i = _corner(image, group, y0, x0 + 1, height, width, channels, group_channels, valid)
            d01 = _share(value, to_value, a, i, m * hy * lx, cell)
            a, i = _corner(image, group, y0 + 1, x0, height, width, channels, group_channels, valid)
            d10 = _share(value, to_value, a, i, m * ly * hx, cell)
            a, i = _corner(image, group, y0 + 1, x0 + 1, height, width, channels, group_channels, valid)
            d11 = _share(value, to_value, a, i, m * ly * lx, cell)
            entry = (image[:, None] * groups + group[None, :]) * 9 + tap
            for_mask = hy * (hx * d00 + lx * d01) + ly * (hx * d10 + lx * d11)
            for_y = m * (hx * (d10 - d00) + lx * (d11 - d01))
            for_x = m * (hy * (d01 - d00) + ly * (d11 - d10))
            tl.store(to_mask + (entry * area + place), for_mask, mask=valid)
            tl.store(to_offset + (entry * 2 * area + place), for_y, mask=valid)
            tl.store(to_offset + ((entry * 2 + 1) * area + place), for_x, mask=valid)


@triton.jit
def weight_kernel(
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
    GROUP_BLOCK: tl.constexpr,
    OUTPUT_BLOCK: tl.constexpr,
    PRECISION: tl.constexpr,
    WIDE: tl.constexpr,
    INDEX: tl.constexpr,
):
    """Gradient to the weights of one tap and block of groups, from every n-th block of pixels."""
    tap = tl.program_id(0)
    first = tl.program_id(1) * GROUP_BLOCK
    group = first + tl.arange(0, GROUP_BLOCK)
    channel = first * group_channels + tl.arange(0, GROUP_BLOCK * group_channels)
    output = tl.arange(0, OUTPUT_BLOCK)
    total = tl.zeros((GROUP_BLOCK * group_channels, OUTPUT_BLOCK), tl.float32)
    for block in range(tl.program_id(2), tl.cdiv(pixels, PIXEL_BLOCK), tl.num_programs(2)):
        pixel = tl.cast(block, INDEX) * PIXEL_BLOCK + tl.arange(0, PIXEL_BLOCK)
        real = pixel < pixels
        valid = real[:, None] & (group < groups)[None, :]
        sample = _samples(
            value, offset, mask, pixel, group, tap, height, width, channels, groups, group_channels, valid
        )
        address = pixel[:, None] * outputs + output[None, :]
        grad = tl.load(gradient + address, mask=real[:, None] & (output < outputs)[None, :], other=0.0)
        total += _product(tl.trans(sample.to(grad.dtype)), grad, PRECISION, WIDE)
    row = (tap * channels + channel)[:, None] * outputs + output[None, :]
    known = (channel < channels)[:, None] & (output < outputs)[None, :]
    tl.atomic_add(to_weight + row, total, mask=known, sem="relaxed")
