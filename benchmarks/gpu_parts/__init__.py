"""The parts of ``benchmarks/gpu.py``, in the order in which they run: what tells most comes first, in case the time is
up before the end.

Nothing here imports torch: a part is imported in its own process.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Part:
    """One part.

    Attributes:
        name: for ``--parts``.
        title: heads its table.
        target: ``module:function``; the function takes a :class:`benchmarks.gpu_parts.job.Job`.
        limit: seconds after which it is stopped.
        options: further words for the function.
        only_cuda: why it has no meaning on a CPU; empty: it has.
        in_quick: whether ``--quick`` runs it without being asked for it by name. One that is left out takes minutes of
            compilation, and another part has its lines.
    """

    name: str
    title: str
    target: str
    limit: float
    options: tuple[str, ...] = ()
    only_cuda: str = ""
    in_quick: bool = True


_HERE = "benchmarks.gpu_parts"
_STEP = f"{_HERE}.steps:run"
_GRAPHS = "CUDA graphs need a CUDA device"

PARTS = (
    Part("card", "Card and software", f"{_HERE}.card:run", 120),
    Part("matrix", "Rates that a step is measured by", f"{_HERE}.matrix:run", 60),
    Part("deformable", "Deformable convolution beside torchvision's", f"{_HERE}.deformable:run", 120),
    Part("rasteriser", "Rasteriser, 224 px", f"{_HERE}.rasteriser:run", 60),
    Part("step", "Training step, float32 (TF32), beside a plain reading", _STEP, 130, ("32-true", "none")),
    Part("step-bf16", "Training step, bfloat16", _STEP, 90, ("bf16-mixed", "none")),
    Part("training", "200 steps of the demo's training", f"{_HERE}.training:run", 110),
    Part("resume", "A training that is killed and goes on", f"{_HERE}.resume:run", 110),
    Part("tests", "Tests that need a GPU", f"{_HERE}.gpu_tests:run", 120, ("gpu and not slow",)),
    Part("detection", "Face detection beside facenet-pytorch", f"{_HERE}.networks:detection", 40),
    Part("fan", "2D-FAN beside face-alignment", f"{_HERE}.networks:fan", 40),
    Part("bisenet", "BiSeNet beside the published scripts", f"{_HERE}.networks:bisenet", 40),
    Part(
        "step-graphs-bf16",
        "Training step, bfloat16, compiled, CUDA graphs",
        _STEP,
        170,
        ("bf16-mixed", "reduce-overhead"),
        only_cuda=_GRAPHS,
    ),
    Part("tests-slow", "Tests that need a GPU and compile", f"{_HERE}.gpu_tests:run", 150, ("gpu and slow",)),
    Part(
        "step-compile",
        "Training step, float32 (TF32), compiled",
        _STEP,
        150,
        ("32-true", "default"),
        in_quick=False,
    ),
    Part(
        "step-graphs",
        "Training step, float32 (TF32), compiled, CUDA graphs",
        _STEP,
        150,
        ("32-true", "reduce-overhead"),
        only_cuda=_GRAPHS,
    ),
    Part(
        "step-compile-bf16",
        "Training step, bfloat16, compiled",
        _STEP,
        150,
        ("bf16-mixed", "default"),
        in_quick=False,
    ),
)
