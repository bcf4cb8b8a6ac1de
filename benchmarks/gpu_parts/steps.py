"""One pretrain, coarse and detail step at the paper's shape; options: precision and compilation."""

from __future__ import annotations

import math
import shutil

from benchmarks.gpu_parts.job import Job, PassedOver

QUICK = "--small --batch 1 --frames 2 --steps 1"
LARGEST_LOSS_ERROR = 0.05
"""Of a loss in bfloat16 or by TF32, beside float32: rounding gives a fraction of this, a wrong formula more."""
LARGEST_DIFFERENCE = 1e-2
"""Of the codes of the two readings in float32, over their range. A GPU takes other algorithms for a batch of another
size, and a hundred layers follow."""


def run(job: Job) -> None:
    """Time the steps; without compilation in float32 a plain reading of the paper stands beside them.

    Raises:
        AssertionError: the codes of the two readings differ, or a loss is not that of eager float32.
    """
    precision, compilation = job.options
    if not job.cuda and compilation != "none" and shutil.which("g++") is None:
        raise PassedOver("compiling for a CPU needs g++")

    from benchmarks.step_bench import OURS, PAPER_STEPS, PLAIN, Bench, Race, paper_hours
    from benchmarks.train_step import parsed

    beside_plain = precision == "32-true" and compilation == "none"
    words = f"--device {job.device} --precision {precision} --compile {compilation}".split()
    if job.quick:
        words += QUICK.split()
        # A compiled step is the same lines in every phase, and takes a CPU a minute.
        words += [] if beside_plain else ["--without-perceptual"]
        words += [] if compilation == "none" else ["--phases", "pretrain"]
    options = parsed(words)
    bench = Bench(options)
    difference = 0.0
    if beside_plain:
        difference = bench.difference()
        job.note(f"codes of tvface and of the plain reading differ by {difference:.1e} of their range (float32)")
    race = Race(bench, tuple(options.phases), (OURS, PLAIN) if beside_plain else (OURS,))
    rate = max(race.rates.values())
    job.note(
        f"B {options.batch}, T {options.frames}, {bench.train.image_size} px; the device's best here: "
        + ", ".join(f"{name} {value / 1e12:.4g} TFLOP/s" for name, value in race.rates.items())
    )
    for name, text in race.notes.items():
        job.note(f"{name.replace('_', ' ')}: {text}")
    poor: list[str] = []
    seconds: dict[str, dict[str, float]] = {label: {} for label in race.labels}
    for step in race.run(options.steps, options.warm_up):
        seconds[step.label][step.phase] = step.seconds
        off = abs(step.loss / step.float32_loss - 1)
        job.row(
            phase=step.phase,
            model=step.label,
            **{
                "ms/step": 1000 * step.seconds,
                "images/s": options.batch * options.frames / step.seconds,
                "TFLOP/s": step.flops / step.seconds / 1e12 if step.flops else None,
                "% of best": 100 * step.flops / step.seconds / rate if step.flops else None,
                "peak GiB": step.peak / 2**30,
                "loss": step.loss,
                "off float32's by": None if math.isnan(step.float32_loss) else off,
            },
        )
        if not math.isfinite(step.loss) or off > LARGEST_LOSS_ERROR:
            poor.append(f"{step.phase}, {step.label}: loss {step.loss:.6g}, in float32 {step.float32_loss:.6g}")
    if set(options.phases) == set(PAPER_STEPS):
        hours = ", ".join(f"{label} {paper_hours(each):,.1f} h" for label, each in seconds.items())
        job.note(f"the paper's {sum(PAPER_STEPS.values()):,} steps at this shape: {hours}")
    if not difference < LARGEST_DIFFERENCE:
        poor.append(f"the codes of the two readings differ by {difference:.2g} of their range")
    if poor:
        raise AssertionError("; ".join(poor))
