"""The rasteriser in plain torch, which is the one a GPU has where pytorch3d is absent."""

from __future__ import annotations

import torch

from benchmarks.gpu_parts.job import Job
from benchmarks.rasterize import Scene, formula_mesh, measured

BACKEND = "torch"
BATCHES = (2, 10)  # windows of a step, frames of a step
QUICK_BATCHES = (1,)
RUNS = 9


def run(job: Job) -> None:
    """Time it, and compare its faces with those that it chooses on the CPU.

    Raises:
        AssertionError: more than one pixel in a thousand has another face.
    """
    device, mesh = torch.device(job.device), formula_mesh()
    batches, runs = (QUICK_BATCHES, 1) if job.quick else (BATCHES, RUNS)
    for row in measured(mesh, batches, (False,), device, [BACKEND], BACKEND, runs):
        job.row(
            batch=row.batch,
            **{"pass": row.label, "ms": 1000 * row.seconds, "ms per image": 1000 * row.seconds / row.batch},
        )
    batch = batches[0]
    ours, expected = (Scene(mesh, batch, False, torch.device(name)).face(BACKEND).cpu() for name in (job.device, "cpu"))
    same = float((ours == expected).float().mean())
    job.note(
        f"{len(mesh.vertices)} vertices, {len(mesh.faces)} faces, 9 attributes interpolated; {100 * same:.4f} % of "
        f"{expected.numel()} pixels have the face that they have on the CPU"
    )
    assert same > 0.999, "the faces are others than on the CPU"
