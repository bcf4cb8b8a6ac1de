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
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import torch

from tvface.networks import deformable_grid, deformable_numba
from tvface.runtime.device import name_of

BACKENDS = ("auto", "numba", "triton", "torchvision", "grid")
VARIABLE = "TVFACE_DEFORMABLE"

WIDTHS = (1, 2, 4, 8, 16, 32, 64, 128)
"""Channels per group that the fused kernels take."""

# Channels, outputs, groups, height, width, dtype: blocks that are not full; the paper's channels in both arithmetics.
_COMPARED = (
    (36, 18, 9, 5, 9, torch.float32),
    (128, 64, 16, 4, 7, torch.float32),
    (128, 64, 16, 4, 7, torch.bfloat16),
)

_FAULTS: dict[str, str] = {}
"""Device to what is wrong with the fused kernels there, "" where nothing is; see :func:`fault`."""

_TOLD: set[tuple[str, str]] = set()
_log = logging.getLogger("tvface.networks.deformable")


@dataclass(frozen=True)
class Choice:
    """A backend, and why it is not the fastest that there is for the device ("" where it is)."""

    backend: str
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.backend}: {self.reason}" if self.reason else self.backend


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
    groups = offset.shape[1] // 18
    if offset.shape[1] % 18 or groups == 0 or value.shape[1] % groups or mask.shape[1] != 9 * groups:
        raise ValueError(f"{offset.shape[1]} offsets and {mask.shape[1]} weights do not fit {value.shape[1]} channels")
    # A number of this list, so that it is a constant also where torch.compile takes sizes for variables.
    width = next((known for known in WIDTHS if known == value.shape[1] // groups), 0)
    chosen = _backend(value.device, value.dtype, offset.dtype, width, backend, torch.compiler.is_compiling())
    if chosen == "triton":
        from tvface.networks import deformable_triton  # triton is not there on every platform

        return deformable_triton.deform_conv2d(value, offset, weight, bias, mask)
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


def decide(
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    offset_dtype: torch.dtype = torch.float32,
    width: int = 8,
    backend: str = "auto",
    compiling: bool = False,
) -> Choice:
    """Return what :func:`deform_conv2d` takes. Where that is torchvision's on a GPU, the log says why, once.

    Args:
        device: where the tensors are. The first question for a GPU compares the fused kernels with torchvision's.
        dtype: of the value.
        offset_dtype: of offsets and weights of samples.
        width: channels per group; 0 for a number that is not in ``WIDTHS``.
        backend: one of ``BACKENDS``; the environment variable stands above "auto".
        compiling: the call is part of a graph that ``torch.compile`` makes.

    Raises:
        ValueError: no such backend, or it does not work there.
    """
    asked = os.environ.get(VARIABLE, backend) if backend == "auto" else backend
    if asked not in BACKENDS:
        raise ValueError(f"deformable convolution {asked!r} is unknown: use one of {', '.join(BACKENDS)}")
    kind = _kind(device)
    if asked == "numba" and kind != "cpu":
        raise ValueError(f"deformable convolution 'numba' works on the CPU, the tensors are on {device}")
    if asked == "triton" and not (has_triton() and (kind == "cuda" or interpreted())):
        raise ValueError(
            f"deformable convolution 'triton' needs the package triton and a CUDA device; the tensors are on {device}"
        )
    if asked != "auto":
        return Choice(asked, f"{VARIABLE} asks for it" if backend == "auto" else "asked for")
    if kind == "cpu":
        # numba's functions are closed to torch.compile, and would cut the graph in pieces.
        return Choice("grid", "numba's is closed to torch.compile") if compiling else Choice("numba")
    if kind != "cuda":
        return Choice("torchvision")
    reason = _refusal(device, dtype, offset_dtype, width)
    if not reason:
        return Choice("triton")
    if (str(device), reason) not in _TOLD:
        _TOLD.add((str(device), reason))
        _log.warning(
            "torchvision's deformable convolution is used on %s and not the fused one, which is faster and needs less "
            "memory: %s. %s=triton insists on the fused one and shows the error",
            device,
            reason,
            VARIABLE,
        )
    return Choice("torchvision", reason)


def choose(device: torch.device, backend: str = "auto") -> str:
    """Return the backend that float32 tensors on a device get; see :func:`decide`."""
    return decide(device, backend=backend).backend


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _backend(
    device: torch.device, dtype: torch.dtype, offset_dtype: torch.dtype, width: int, backend: str, compiling: bool
) -> str:
    """Return the backend of :func:`decide`. torch.compile does not look into this, it calls it while it traces."""
    return decide(device, dtype, offset_dtype, width, backend, compiling).backend


def _kind(device: torch.device) -> str:
    return device.type


def _refusal(device: torch.device, dtype: torch.dtype, offset_dtype: torch.dtype, width: int) -> str:
    """Say why the fused kernels cannot be used, "" where they can."""
    if not has_triton():
        return "the package triton is not installed"
    from tvface.networks import deformable_triton

    return deformable_triton.refusal(dtype, offset_dtype, width) or fault(device)


def verified(device: torch.device) -> bool:
    """Say whether the fused kernels work on this device, see :func:`fault`."""
    return not fault(device)


def fault(device: torch.device) -> str:
    """Say what is wrong with the fused kernels on this device, "" if nothing is: compared with torchvision's once.

    Kernels are compiled for the GPU at hand, by the triton at hand. The paper's 128 channels in 16 groups to 64 are
    compared in float32 and bfloat16, and channels that fill no block, on a small map: output and all gradients.
    """
    known = _FAULTS.get(str(device))
    if known is None:
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
            known = _FAULTS[str(device)] = next(filter(None, (_fault(device, *case) for case in _COMPARED)), "")
    return known


def _fault(
    device: torch.device, channels: int, outputs: int, groups: int, height: int, width: int, dtype: torch.dtype
) -> str:
    from triton.errors import TritonError

    from tvface.networks import deformable_torchvision, deformable_triton

    generator = torch.Generator().manual_seed(0)

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator) - 0.5

    value, weight, bias = (
        tensor.to(device, dtype)
        for tensor in (uniform(1, channels, height, width), uniform(outputs, channels, 3, 3), uniform(outputs))
    )
    # Some samples lie outside of the map.
    offset, mask = 8 * uniform(1, 18 * groups, height, width), uniform(1, 9 * groups, height, width)
    given = (value, offset.to(device), weight, bias, mask.to(device))
    cotangent = uniform(1, outputs, height, width).to(device, dtype).float()

    def results(function: Callable[..., torch.Tensor], inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        inputs = [tensor.detach().clone().requires_grad_() for tensor in inputs]
        out = function(*inputs)
        return [out.detach().float(), *torch.autograd.grad((out.float() * cotangent).sum(), inputs)]

    name = f"{channels} to {outputs} channels in {groups} groups, {name_of(dtype)}"
    try:
        ours = results(deformable_triton.deform_conv2d, list(given))
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # errors of a kernel come late
    except (TritonError, RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as error:
        return f"it does not run ({name}): {error}"
    theirs = results(deformable_torchvision.deform_conv2d, [tensor.float() for tensor in given])
    errors = [(a.float() - b).abs().max() / b.abs().max() for a, b in zip(ours, theirs, strict=True)]
    worst = float(torch.stack(errors).max())  # NaN where one is
    # TF32 keeps 10 bits of the factors; a sample is rounded to the 7 of bfloat16 before it is multiplied.
    limit = 2e-2 if dtype == torch.bfloat16 else 1e-2
    return "" if worst < limit else f"it is wrong by {worst:.2g} of the largest number ({name})"


@functools.cache
def has_triton() -> bool:
    """Say whether the package triton is installed."""
    return importlib.util.find_spec("triton") is not None


def interpreted() -> bool:
    """Say whether triton's kernels run in its interpreter, on the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"
