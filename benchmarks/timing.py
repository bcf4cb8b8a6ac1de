"""Timing that is fair to both sides: one process, in turns, medians, waiting for the device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch


def synchronise(device: torch.device) -> None:
    """Wait until a device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def interleaved(
    functions: dict[str, Callable[[], object]], runs: int, device: torch.device | None = None
) -> dict[str, float]:
    """Return the median seconds of each function, run in turns (a b a b ...) after one warm-up each."""
    device = device or torch.device("cpu")
    times: dict[str, list[float]] = {name: [] for name in functions}
    for function in functions.values():
        function()
    synchronise(device)
    for _ in range(runs):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            synchronise(device)
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}
