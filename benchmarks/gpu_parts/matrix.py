"""What the card reaches on large matrix products, on the encoder's commonest convolution, and in copying."""

from __future__ import annotations

import torch

from benchmarks.gpu_parts.job import Job
from benchmarks.rates import arithmetic, best_rates, copy_rate


def run(job: Job) -> None:
    """Tell the rates in float32, float32 by TF32 and bfloat16."""
    device = torch.device(job.device)
    for name, dtype, tf32 in (
        ("float32", torch.float32, False),
        ("float32, TF32", torch.float32, True),
        ("bfloat16", torch.bfloat16, True),
    ):
        with arithmetic(tf32):
            rates = best_rates(device, dtype)
        job.row(arithmetic=name, **{f"{work} [TFLOP/s]": rate / 1e12 for work, rate in rates.items()})
    job.note(f"copy in the device's memory: {copy_rate(device) / 1e12:.3f} TB/s, read and written bytes counted")
    job.note(
        "matrix product 8192 x 8192 (CPU: 1536), convolution 64 -> 64 channels of 64 maps (CPU: 4) of 112 px; "
        "the best of five"
    )
