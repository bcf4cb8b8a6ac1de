"""Modulated deformable convolution (Zhu et al. 2019), 3x3, stride 1: one function with four backends.

``numba`` (CPU), ``triton`` (CUDA), ``torchvision`` (any device) and ``grid`` (plain torch on any device, used under
``torch.compile`` on a CPU). ``auto`` takes the fastest that works on the tensors' device; the environment variable
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

# Test cases: channels, outputs, groups, height, width, dtype: partial blocks; the paper's channels in both dtypes.
_COMPARED = (
    (36, 18, 9, 5, 9, torch.float32),
    (128, 64, 16, 4, 7, torch.float32),
    (128, 64, 16, 4, 7, torch.bfloat16),
)

_FAULTS: dict[str, str] = {}
"""Device -> fault of the fused kernels there, "" if there is none; see :func:`fault`."""

_WARNED: set[tuple[str, str]] = set()
_log = logging.getLogger("tvface.networks.deformable")


@dataclass(frozen=True)
class Choice:
    """A backend, and the reason why it is not the fastest one for the device ("" if it is)."""

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
        ValueError: the number of offsets does not fit the channels, or the backend is unknown or does not work on this
            device.
    """
    groups = offset.shape[1] // 18
    if offset.shape[1] % 18 or groups == 0 or value.shape[1] % groups or mask.shape[1] != 9 * groups:
        raise ValueError(f"{offset.shape[1]} offsets and {mask.shape[1]} weights do not fit {value.shape[1]} channels")
    # A number from WIDTHS, so that it is a constant also where torch.compile treats sizes as variables.
    width = next((width_constant for width_constant in WIDTHS if width_constant == value.shape[1] // groups), 0)
    selected = _backend(value.device, value.dtype, offset.dtype, width, backend, torch.compiler.is_compiling())
    if selected == "triton":
        from tvface.networks import deformable_triton  # triton does not exist on every platform

        return deformable_triton.deform_conv2d(value, offset, weight, bias, mask)
    precise = [tensor.to(offset.dtype) for tensor in (value, weight, bias)]
    if selected == "grid" and min(value.shape[2:]) < 2:
        selected = "torchvision"  # a map one pixel wide has no normalised positions
    if selected == "torchvision":
        from tvface.networks import deformable_torchvision  # its import takes longer than all others here

        out = deformable_torchvision.deform_conv2d(precise[0], offset, precise[1], precise[2], mask)
    else:
        function = {"numba": deformable_numba, "grid": deformable_grid}[selected].deform_conv2d
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
    """Return the backend of :func:`deform_conv2d`. If that is torchvision on a GPU, the log says why, once.

    Args:
        device: of the tensors. The first call for a GPU compares the fused kernels with torchvision's.
        dtype: of the value.
        offset_dtype: of offsets and weights of samples.
        width: channels per group; 0 for a number that is not in ``WIDTHS``.
        backend: one of ``BACKENDS``; the environment variable overrides "auto".
        compiling: the call is part of a graph that ``torch.compile`` traces.

    Raises:
        ValueError: the backend is unknown or does not work on the device.
    """
    requested = os.environ.get(VARIABLE, backend) if backend == "auto" else backend
    if requested not in BACKENDS:
        raise ValueError(f"deformable convolution {requested!r} is unknown: use one of {', '.join(BACKENDS)}")
    kind = _kind(device)
    if requested == "numba" and kind != "cpu":
        raise ValueError(f"deformable convolution 'numba' works on the CPU, the tensors are on {device}")
    if requested == "triton" and not (has_triton() and (kind == "cuda" or interpreted())):
        raise ValueError(
            f"deformable convolution 'triton' needs the package triton and a CUDA device; the tensors are on {device}"
        )
    if requested != "auto":
        return Choice(requested, f"{VARIABLE} asks for it" if backend == "auto" else "asked for")
    if kind == "cpu":
        # numba's functions are closed to torch.compile, and would cut the graph in pieces.
        return Choice("grid", "numba's is closed to torch.compile") if compiling else Choice("numba")
    if kind != "cuda":
        return Choice("torchvision")
    reason = _refusal(device, dtype, offset_dtype, width)
    if not reason:
        return Choice("triton")
    if (str(device), reason) not in _WARNED:
        _WARNED.add((str(device), reason))
        _log.warning(
            "torchvision's deformable convolution is used on %s and not the fused one, which is faster and needs less "
            "memory: %s. %s=triton insists on the fused one and shows the error",
            device,
            reason,
            VARIABLE,
        )
    return Choice("torchvision", reason)


def choose(device: torch.device, backend: str = "auto") -> str:
    """Return the backend for float32 tensors on a device; see :func:`decide`."""
    return decide(device, backend=backend).backend


@torch.compiler.assume_constant_result  # type: ignore[untyped-decorator]
def _backend(
    device: torch.device, dtype: torch.dtype, offset_dtype: torch.dtype, width: int, backend: str, compiling: bool
) -> str:
    """Return the backend of :func:`decide`; torch.compile does not trace it but calls it while tracing."""
    return decide(device, dtype, offset_dtype, width, backend, compiling).backend


def _kind(device: torch.device) -> str:
    return device.type


def _refusal(device: torch.device, dtype: torch.dtype, offset_dtype: torch.dtype, width: int) -> str:
    """Return why the fused kernels cannot be used, "" if they can."""
    if not has_triton():
        return "the package triton is not installed"
    from tvface.networks import deformable_triton

    return deformable_triton.refusal(dtype, offset_dtype, width) or fault(device)


def verified(device: torch.device) -> bool:
    """Return whether the fused kernels work on a device, see :func:`fault`."""
    return not fault(device)


def fault(device: torch.device) -> str:
    """Return what is wrong with the fused kernels on a device, "" if nothing is; they are compared with torchvision's.

    The comparison runs once per process, since the kernels are compiled for this GPU by the installed triton. It covers
    output and all gradients on a small map: the paper's 128 channels in 16 groups to 64, in float32 and bfloat16, and
    channels that do not fill a block.
    """
    fault_text = _FAULTS.get(str(device))
    if fault_text is None:
        with torch.inference_mode(False), torch.enable_grad(), torch.autocast(device.type, enabled=False):
            fault_text = _FAULTS[str(device)] = next(filter(None, (_fault(device, *case) for case in _COMPARED)), "")
    return fault_text


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
    # Some samples lie outside the map.
    offset, mask = 8 * uniform(1, 18 * groups, height, width), uniform(1, 9 * groups, height, width)
    tensors = (value, offset.to(device), weight, bias, mask.to(device))
    cotangent = uniform(1, outputs, height, width).to(device, dtype).float()

    def results(function: Callable[..., torch.Tensor], inputs: list[torch.Tensor]) -> list[torch.Tensor]:
        inputs = [tensor.detach().clone().requires_grad_() for tensor in inputs]
        out = function(*inputs)
        return [out.detach().float(), *torch.autograd.grad((out.float() * cotangent).sum(), inputs)]

    name = f"{channels} to {outputs} channels in {groups} groups, {name_of(dtype)}"
    try:
        ours = results(deformable_triton.deform_conv2d, list(tensors))
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # errors of a kernel are raised late
    except (TritonError, RuntimeError, AssertionError, OSError, subprocess.SubprocessError) as error:
        return f"it does not run ({name}): {error}"
    theirs = results(deformable_torchvision.deform_conv2d, [tensor.float() for tensor in tensors])
    errors = [(a.float() - b).abs().max() / b.abs().max() for a, b in zip(ours, theirs, strict=True)]
    worst = float(torch.stack(errors).max())  # NaN where one is
    # TF32 keeps 10 bits of the factors; a sample is rounded to the 7 bits of bfloat16 before it is multiplied.
    limit = 2e-2 if dtype == torch.bfloat16 else 1e-2
    return "" if worst < limit else f"it is wrong by {worst:.2g} of the largest number ({name})"


@functools.cache
def has_triton() -> bool:
    """Return whether the package triton is installed."""
    return importlib.util.find_spec("triton") is not None


def interpreted() -> bool:
    """Return whether triton's kernels run in its interpreter, on the CPU."""
    return os.environ.get("TRITON_INTERPRET") == "1"
