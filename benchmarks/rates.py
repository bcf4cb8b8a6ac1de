"""Peak rates of a device on its best workloads: the reference for a training step."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from benchmarks.timing import awake, seconds_of

RUNS = 5


def best_rates(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """Return the FLOP/s of a large matrix product and of the encoder's commonest convolution, each the best of five.

    Whether float32 is multiplied with TF32 is up to the process's settings.
    """
    side, images = (8192, 64) if device.type == "cuda" else (1536, 4)
    a, b = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    maps = torch.randn(images, 64, 112, 112, device=device, dtype=dtype)
    weight = torch.randn(64, 64, 3, 3, device=device, dtype=dtype)
    if device.type == "cuda":
        maps, weight = (tensor.to(memory_format=torch.channels_last) for tensor in (maps, weight))

    def convolve() -> None:
        torch.nn.functional.conv2d(maps, weight, padding=1)

    def multiply() -> None:
        torch.mm(a, b)

    work = {"matrix product": (multiply, side**3), "convolution": (convolve, images * 112 * 112 * 64 * 64 * 9)}
    return {name: 2 * macs / _best(once, device) for name, (once, macs) in work.items()}


def copy_rate(device: torch.device) -> float:
    """Return the bytes/s of a copy in the device's memory, read and written ones counted, the best of five."""
    source = torch.randint(256, (2**30 if device.type == "cuda" else 2**27,), dtype=torch.uint8, device=device)
    target = torch.empty_like(source)

    def copy() -> None:
        target.copy_(source)

    return 2 * source.numel() / _best(copy, device)


def _best(once: Callable[[], object], device: torch.device) -> float:
    awake(once, device)
    return min(seconds_of(once, device) for _ in range(RUNS))


@contextmanager
def arithmetic(tf32: bool) -> Iterator[None]:
    """Multiply float32 with TF32, or not, in matrix products and convolutions alike; afterwards as it was before."""
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("high" if tf32 else "highest")
    torch.backends.cudnn.allow_tf32 = tf32
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
