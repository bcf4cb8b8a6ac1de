"""Modulated deformable convolution (Zhu et al. 2019), 3x3, stride 1: one function, four ways to compute it.

``numba`` (CPU), ``triton`` (CUDA), ``torchvision`` (any device) and ``grid`` (plain torch, any device, and what
``torch.compile`` sees on a CPU). ``auto`` takes the fastest that works where the tensors are; the environment variable
``TVFACE_DEFORMABLE`` names another one for the whole process.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
from collections.abc import Callable

import torch

from tvface.networks import deformable_grid, deformable_numba

BACKENDS = ("auto", "numba", "triton", "torchvision", "grid")
VARIABLE = "TVFACE_DEFORMABLE"

_VERIFIED: dict[str, bool] = {}
_log = logging.getLogger("tvface.networks.deformable")


def deform_conv2d(
    value: torch.Tensor,
    offset: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor,
    mask: torch.Tensor,
    backend: str = "auto",
) -> torch.Tensor:
    """Convolve with a moved, weighted 3x3 neighbourhood (stride 1, padding 1), as ``torchvision.ops.deform_conv2d``.

    Args:
        value: (B, C, H, W); samples outside are zero, and fade to it over one pixel.
        offset: (B, 18 G, H, W) px, laid out [group][tap][(y, x)], for G groups of C / G channels; float32 or float64.
        weight: (D, C, 3, 3).
        bias: (D,).
        mask: (B, 9 G, H, W) weight of each sample, [group][tap], in the dtype of ``offset``.
        backend: one of ``BACKENDS``.

    Returns:
        (B, D, H, W) in the dtype of ``value``. ``value``, ``weight`` and ``bias`` may be bfloat16: positions, weights
        of samples and sums stay in float32.

    Raises:
        ValueError: the number of offsets does not fit the channels, or no such backend, or one that does not work on
            this device.
    """
    groups, rest = divmod(offset.shape[1], 18)
    if rest or groups == 0 or value.shape[1] % groups or mask.shape[1] != 9 * groups:
        raise ValueError(f"{offset.shape[1]} offsets and {mask.shape[1]} weights do not fit {value.shape[1]} channels")
    wanted = os.environ.get(VARIABLE, backend) if backend == "auto" else backend
    chosen = choose(value.device, wanted)
    if chosen == "triton":
        from tvface.networks import deformable_triton  # triton is not there on every platform

        if wanted == "triton" or deformable_triton.supports(value, offset):
            return deformable_triton.deform_conv2d(value, offset, weight, bias, mask)
        chosen = "torchvision"
    precise = [tensor.to(offset.dtype) for tensor in (value, weight, bias)]
    if chosen == "grid" and min(value.shape[2:]) < 2:
        chosen = "torchvision"  # a map one pixel wide has no normalised positions
    if chosen == "torchvision":
        from tvface.networks import deformable_torchvision  # it takes longer to import than all else here

        out = deformable_torchvision.deform_conv2d(precise[0], offset, precise[1], precise[2], mask)
    else:
        function = {"numba": deformable_numba, "grid": deformable_grid}[chosen].deform_conv2d
        out = function(precise[0], offset, precise[1], precise[2], mask)
    return out.to(value.dtype)


def choose(device: torch.device, backend: str = "auto") -> str:
    """Return the backend that a device gets.

    Raises:
        ValueError: no such backend, or it does not work there.
    """
    if backend not in BACKENDS:
        raise ValueError(f"deformable convolution {backend!r} is unknown: use one of {', '.join(BACKENDS)}")
    if backend == "auto":
        if device.type == "cpu":
            # numba's functions are closed to torch.compile, and would cut the graph in pieces.
            return "grid" if torch.compiler.is_compiling() else "numba"
        return "triton" if device.type == "cuda" and has_triton() and verified(device) else "torchvision"
    if backend == "numba" and device.type != "cpu":
        raise ValueError(f"deformable convolution 'numba' works on the CPU, the tensors are on {device}")
    if backend == "triton" and not (has_triton() and (device.type == "cuda" or interpreted())):
        raise ValueError(
            f"deformable convolution 'triton' needs the package triton and a CUDA device; the tensors are on {device}"
        )
    return backend


def verified(device: torch.device) -> bool:
    """Say whether the fused kernels work on this device: compared with torchvision once, on a small map.

    Kernels are compiled for the GPU at hand, by the triton at hand. Where they fail or give other numbers, the log says
    so and torchvision's take their place; ``TVFACE_DEFORMABLE=triton`` insists on them, and shows the error.
    """
    known = _VERIFIED.get(str(device))
    if known is None and torch.compiler.is_compiling():
        return False  # a graph is no place to try kernels; training tries them before it compiles
    if known is None:
        known = _VERIFIED[str(device)] = _agrees(device)
    return known


def _agrees(device: torch.device) -> bool:
    from triton.errors import TritonError

    from tvface.networks import deformable_torchvision, deformable_triton

    generator = torch.Generator().manual_seed(0)
    shapes = ((1, 32, 9, 11), (1, 18 * 4, 9, 11), (16, 32, 3, 3), (16,), (1, 9 * 4, 9, 11))
    given = [(torch.rand(shape, generator=generator) - 0.5).to(device) for shape in shapes]
    cotangent = torch.rand(1, 16, 9, 11, generator=generator).to(device)

    def results(function: Callable[..., torch.Tensor]) -> list[torch.Tensor]:
        inputs = [tensor.clone().requires_grad_() for tensor in given]
        with torch.enable_grad():
            out = function(*inputs)
            return [out.detach(), *torch.autograd.grad((out * cotangent).sum(), inputs)]

    try:
        ours = results(deformable_triton.deform_conv2d)
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # errors of a kernel come late
    except (TritonError, RuntimeError, AssertionError) as error:
        _log.warning("the fused deformable convolution does not run on %s, torchvision's is used: %s", device, error)
        return False
    worst = max(
        float((a - b).abs().max() / b.abs().max())
        for a, b in zip(ours, results(deformable_torchvision.deform_conv2d), strict=True)
    )
    # TF32 keeps 10 bits of the factors.
    if not worst < 1e-2:
        _log.warning(
            "the fused deformable convolution is wrong by %.2g on %s, torchvision's is used instead", worst, device
        )
        return False
    return True


@functools.cache
def has_triton() -> bool:
    """Say whether the package triton is installed."""
    return importlib.util.find_spec("triton") is not None


def interpreted() -> bool:
    """Say whether triton's kernels run in its interpreter, on the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"
