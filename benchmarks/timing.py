"""Timing that is fair to both sides: one process, in turns, medians, waiting for the device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch

CPU = torch.device("cpu")
AWAKE = 0.5
"""Seconds of work that bring a GPU from its idle clock to its working one."""


def synchronise(device: torch.device) -> None:
    """Wait until a device has done all that it was asked for."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def seconds_of(function: Callable[[], object], device: torch.device = CPU) -> float:
    """Return the seconds of one call: on a GPU between two events on its stream, on a CPU by the wall's clock.

    The device is waited for before and after, so what was asked of it earlier does not count.
    """
    synchronise(device)
    if device.type != "cuda":
        start = time.perf_counter()
        function()
        return time.perf_counter() - start
    with torch.cuda.device(device):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        first.record()
        function()
        last.record()
        last.synchronize()
    return first.elapsed_time(last) / 1000  # it tells milliseconds


def timed(runs: int, warm_up: int, device: torch.device, function: Callable[[], object]) -> float:
    """Return the median seconds of a call, after ``warm_up`` calls that do not count."""
    for _ in range(warm_up):
        function()
    return statistics.median(seconds_of(function, device) for _ in range(runs))


def awake(function: Callable[[], object], device: torch.device, seconds: float = AWAKE) -> None:
    """Keep a GPU busy for a while: an idle one runs at a fraction of its clock. On a CPU call once."""
    end = time.perf_counter() + (seconds if device.type == "cuda" else 0)
    function()
    synchronise(device)
    while time.perf_counter() < end:
        function()
        synchronise(device)


def interleaved(
    functions: dict[str, Callable[[], object]], runs: int, device: torch.device | None = None
) -> dict[str, float]:
    """Return the median seconds of each function, run in turns (a b a b ...) after one warm-up each."""
    device = device or CPU
    for function in functions.values():
        function()
    times: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(runs):
        for name, function in functions.items():
            times[name].append(seconds_of(function, device))
    return {name: statistics.median(values) for name, values in times.items()}
