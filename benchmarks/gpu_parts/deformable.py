"""The deformable convolution beside torchvision's, at the shape of the paper's alignment: error and time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torchvision.ops

from benchmarks.gpu_parts.job import Job
from benchmarks.kernels import alignment_inputs
from benchmarks.rates import arithmetic
from benchmarks.timing import interleaved
from tvface.networks import deformable

SIDE, CHANNELS = 112, 128  # two features of 64 channels, side by side, at half of 224 px
QUICK_SIDE, QUICK_CHANNELS = 28, 32
GROUPS = 16
RUNS = 20
RESULTS = ("output", "to value", "to offset", "to weight", "to bias", "to mask")
TOLERANCE = {"float32": 1e-4, "float32, TF32": 1e-2, "bfloat16": 3e-2}
"""Of the largest entry: sums of 1152 products in float32; TF32 keeps 10 bits of a factor and bfloat16 7, and the
gradients to offsets and weights add up rounded results."""

Convolution = Callable[..., torch.Tensor]


def run(job: Job) -> None:
    """Compare and time.

    Raises:
        RuntimeError: a CUDA device has no fused kernel; torchvision's was timed.
        AssertionError: the results are further from float64's than the arithmetic explains.
    """
    device = torch.device(job.device)
    side, channels = (QUICK_SIDE, QUICK_CHANNELS) if job.quick else (SIDE, CHANNELS)
    tensors = [tensor.detach().to(device) for tensor in alignment_inputs(side, channels, groups=GROUPS)]
    choice = deformable.decide(device, width=channels // GROUPS)
    backend = choice.backend
    job.note(f"{channels} -> 64 channels, {GROUPS} groups, 2 maps of {side} px; tvface runs {choice}")
    poor = []
    kinds = [("float32", torch.float32, False), ("bfloat16", torch.bfloat16, True)]
    if job.cuda:
        kinds.insert(1, ("float32, TF32", torch.float32, True))
    for kind, dtype, tf32 in kinds:
        inputs = [tensor.to(dtype) if index in (0, 2, 3) else tensor for index, tensor in enumerate(tensors)]
        generator = torch.Generator(device).manual_seed(1)
        cotangent = torch.randn(2, 64, side, side, generator=generator, device=device).to(dtype)
        with arithmetic(tf32):
            expected = results(torchvisions, [tensor.double() for tensor in inputs], cotangent.double())
            sides = {f"tvface, {backend}": own, "torchvision": torchvisions}
            errors = {name: _errors(results(side, inputs, cotangent), expected) for name, side in sides.items()}
            times = _times(sides, inputs, cotangent, device, 2 if job.quick else RUNS)
        for name, (forward, backward) in times.items():
            cells = {f"error {result}": error for result, error in zip(RESULTS, errors[name], strict=True)}
            timing = {"forward ms": 1000 * forward, "backward ms": 1000 * backward}
            job.row(arithmetic=kind, implementation=name, **timing, **cells)
        worst = float(torch.tensor(errors[f"tvface, {backend}"]).max())  # not a number stays so
        if not worst < TOLERANCE[kind]:
            poor.append(f"{kind}: off by {worst:.2g} of the largest entry, at most {TOLERANCE[kind]:g} was expected")
    job.note("errors: the largest, against float64 on the same device, over the largest entry")
    if poor:
        raise AssertionError("; ".join(poor))
    if job.cuda and backend != "triton":
        raise RuntimeError(f"the fused kernels do not run here, what was timed is {choice}")


def own(
    value: torch.Tensor, offset: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """What the alignment calls."""
    return deformable.deform_conv2d(value, offset, weight, bias, mask)


def torchvisions(
    value: torch.Tensor, offset: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """torchvision's, which has no bfloat16: as under its autocast, in the offsets' dtype and back."""
    precise = [tensor.to(offset.dtype) for tensor in (value, weight, bias)]
    out = torchvision.ops.deform_conv2d(precise[0], offset, precise[1], precise[2], padding=1, mask=mask)
    return out.to(value.dtype)


def results(function: Convolution, inputs: Sequence[torch.Tensor], cotangent: torch.Tensor) -> list[torch.Tensor]:
    """Return the output and the gradients to all five inputs."""
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]
    out = function(*leaves)
    return [out.detach(), *torch.autograd.grad(out, leaves, cotangent)]


def _errors(ours: list[torch.Tensor], expected: list[torch.Tensor]) -> list[float]:
    return [float((a.double() - b).abs().max() / b.abs().max()) for a, b in zip(ours, expected, strict=True)]


def _times(
    sides: dict[str, Convolution],
    inputs: Sequence[torch.Tensor],
    cotangent: torch.Tensor,
    device: torch.device,
    runs: int,
) -> dict[str, tuple[float, float]]:
    """Return the median seconds of forward and of backward, in turns."""
    leaves = [tensor.clone().requires_grad_() for tensor in inputs]

    def forward(function: Convolution) -> Callable[[], object]:
        def once() -> None:
            with torch.no_grad():
                function(*leaves)

        return once

    def backward(function: Convolution) -> Callable[[], object]:
        out = function(*leaves)
        return lambda: torch.autograd.grad(out, leaves, cotangent, retain_graph=True)

    there = interleaved({name: forward(function) for name, function in sides.items()}, runs, device)
    back = interleaved({name: backward(function) for name, function in sides.items()}, runs, device)
    return {name: (there[name], back[name]) for name in sides}
