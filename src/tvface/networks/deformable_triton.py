"""Modulated deformable convolution on a GPU as Triton kernels, without the matrix of samples in memory.

At the paper's size torchvision writes and reads a matrix of 1152 numbers per pixel in each of 16 calls per step, and
casts bfloat16 to float32 and back around it. Here a program takes a block of pixels, gathers the bilinear samples of a
block of groups for one tap, weighs them, and multiplies them by the weights at once. The backward pass gathers again.
Values and weights are float32 or bfloat16; positions, weights of samples and sums are float32.

The kernels work on maps with the channels last, so a group's channels are one or two wide reads, at an address
computed once per pixel and group. Gradients to the value are added atomically: their last bits depend on the order of
the programs.

The interpreter (``TRITON_INTERPRET=1`` before the first import of triton) runs them on a CPU.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False, disallow-untyped-decorators=False
from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from tvface.networks import deformable
from tvface.networks import deformable_triton_kernels as kernels
from tvface.runtime.device import name_of

PIXELS = 32
"""Pixels per program."""

CHANNELS = 32
"""Channels that a program multiplies at once, in whole groups: more if a group has more."""

OPTIONS = {"num_warps": 8, "num_stages": 1}
"""Compiler options. With these blocks no kernel needs more than 96 registers, the stack, or 18 kB of shared memory on
sm_80, sm_89 and sm_90 at the paper's size. More stages keep samples of several taps in shared memory, up to 150 kB."""

WEIGHT_PARTS = 64
"""Number of programs that share the pixels for the gradient to the weights of one tap and channel block."""

ADDRESSES = 2**31
"""From this many elements of a tensor on, addresses have 64 bits: they take twice the registers."""


def constants(group_channels: int, outputs: int, *, interpreted: bool = False, large: bool = False) -> dict[str, Any]:
    """Return the compile-time constants of the kernels.

    Args:
        group_channels: channels per group, 2^k.
        outputs: channels of the result.
        interpreted: run by Triton's interpreter, on a CPU.
        large: a tensor has ``ADDRESSES`` elements or more.
    """
    return {
        "group_channels": group_channels,
        "PIXEL_BLOCK": PIXELS,
        "GROUP_BLOCK": max(1, CHANNELS // group_channels),
        "OUTPUT_BLOCK": max(16, triton.next_power_of_2(outputs)),
        "PRECISION": "tf32" if torch.get_float32_matmul_precision() != "highest" else "ieee",
        "WIDE": interpreted,
        "INDEX": tl.int64 if large else tl.int32,
    }


def _launch(value: torch.Tensor, weight: torch.Tensor, offset: torch.Tensor) -> dict[str, Any]:
    """Return constants and compiler options for maps with the channels last and the weights as a matrix."""
    outputs = weight.shape[1]
    largest = max(value.numel(), offset.numel(), value.numel() // value.shape[3] * outputs)
    group_channels = value.shape[3] // (offset.shape[1] // 18)
    interpreted, large = value.device.type == "cpu", largest >= ADDRESSES
    return {**constants(group_channels, outputs, interpreted=interpreted, large=large), **OPTIONS}


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
    kernels.forward_kernel[grid](value, offset, mask, weight, bias, out, *sizes, **_launch(value, weight, offset))
    return out


@_deform.register_fake
def _(value, offset, weight, bias, mask):
    return value.new_empty(*value.shape[:3], weight.shape[1])


@torch.library.custom_op("tvface::deform_conv2d_backward", mutates_args=())
def _deform_backward(
    gradient: torch.Tensor, value: torch.Tensor, offset: torch.Tensor, weight: torch.Tensor, mask: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the gradients to value, offset, weight and mask; those to value and weight are summed in float32."""
    to_value, to_weight = (torch.zeros_like(tensor, dtype=torch.float32) for tensor in (value, weight))
    to_offset, to_mask = torch.empty_like(offset), torch.empty_like(mask)
    sizes, launch = _sizes(value, weight, offset), _launch(value, weight, offset)
    grid = (triton.cdiv(sizes[0], PIXELS),)
    kernels.backward_kernel[grid](gradient, value, offset, mask, weight, to_value, to_offset, to_mask, *sizes, **launch)
    parts = min(WEIGHT_PARTS, grid[0])
    grid = (9, triton.cdiv(sizes[5], launch["GROUP_BLOCK"]), parts)  # type: ignore[assignment]
    kernels.weight_kernel[grid](gradient, value, offset, mask, to_weight, *sizes, **launch)
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


def refusal(dtype: torch.dtype, offset_dtype: torch.dtype, width: int) -> str:
    """Return why the kernels cannot take these dtypes of values and offsets and this group width, "" if they can."""
    if dtype not in (torch.float32, torch.bfloat16) or offset_dtype != torch.float32:
        kinds = f"{name_of(dtype)} values and {name_of(offset_dtype)} offsets"
        return f"it takes float32 and bfloat16 values and float32 offsets, not {kinds}"
    if width not in deformable.WIDTHS:
        return f"it takes groups of {', '.join(map(str, deformable.WIDTHS))} channels only"
    return ""


def deform_conv2d(
    value: torch.Tensor,
    offset: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    mask: torch.Tensor,
) -> torch.Tensor:
    """See :func:`tvface.networks.deformable.deform_conv2d`.

    Raises:
        ValueError: the kernels do not take the dtypes or the number of channels per group.
    """
    reason = refusal(value.dtype, offset.dtype, value.shape[1] // (offset.shape[1] // 18))
    if reason:
        raise ValueError(f"the fused deformable convolution cannot be used: {reason}")
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
