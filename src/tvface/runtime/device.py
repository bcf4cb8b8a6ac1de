"""The device and the precision of the networks."""

from __future__ import annotations

import functools

import torch


def torch_device(name: str) -> torch.device:
    """Return the device of the setting ``device``; ``auto`` is CUDA where available."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else torch.device(name)


def arithmetic(precision: str, device: torch.device) -> torch.dtype:
    """Return the dtype of the setting ``precision``; ``auto`` is bfloat16 where ``device`` computes it.

    A processor that lacks the instructions emulates them: the results are the same, at a lower speed than float32.
    """
    if precision != "auto":
        return {"float32": torch.float32, "bfloat16": torch.bfloat16}[precision]
    if device.type == "cuda":
        native = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        native = any(present is True for name, present in torch.cpu.get_capabilities().items() if "bf16" in name)
    return torch.bfloat16 if native else torch.float32


def name_of(dtype: torch.dtype) -> str:
    """Return ``float32`` or ``bfloat16``, as settings and provenance write it."""
    return str(dtype).removeprefix("torch.")


def single_precision(device: torch.device) -> torch.autocast:
    """Return a context in which float32 is computed in float32, also inside mixed precision.

    It is for values that bfloat16 cannot hold: coordinates, geometry, losses, and the last layers that produce them.
    The steps of a camera's scale near 8 would be 0.8 %. Tensors that are already bfloat16 stay so: widen them first.
    """
    return torch.autocast(device.type, enabled=False)


def moved(tensor: torch.Tensor, device: torch.device) -> torch.Tensor:
    """Return a tensor of the CPU on a device; the copy to a GPU does not block the processor."""
    if device.type == "cuda" and tensor.device.type == "cpu":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def constant(values: tuple[float, ...], like: torch.Tensor) -> torch.Tensor:
    """Return constants as a tensor (n,) in the dtype and on the device of ``like``; never write to it.

    The tensor is copied to a device once and cached: a copy in every step would make the processor wait for a GPU.
    """
    return _constant(values, like.dtype, like.device)


@functools.lru_cache(maxsize=256)
def _constant(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    with torch.inference_mode(False):  # cached, so it must also work where gradients are computed
        return torch.tensor(values, dtype=dtype, device=device)
