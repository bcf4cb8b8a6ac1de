"""Time a training step of the temporal model beside a plain reading of the paper, in the same process.

    python benchmarks/train_step.py                 # the paper's shape: B 2, T 5, 224 px, L 2, 64 channels, ResNet-50
    python benchmarks/train_step.py --small         # a shape that a CPU does in seconds
    python benchmarks/train_step.py --device cuda --precision bf16-mixed --compile reduce-overhead

For pretrain, coarse and detail: milliseconds per step (median), images per second, TFLOP/s and their share of the
best that a large matrix product or convolution of the same dtype reaches in this run, peak memory. The plain reading
is ``benchmarks/plain.py``: float32, eager, frame by frame, with the product's own renderer and losses. That both
compute the same codes is checked first, in evaluation mode. FLOPs are counted by torch over one step (2 per
multiply-add; convolutions and matrix products only). In the detail phase tvface keeps the fixed coarse codes, as it
does without augmentation. The last line states the paper's 3 million steps in hours.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, the project root is not on the path

from benchmarks.step_bench import OURS, PAPER_STEPS, PLAIN, Bench, Race, Step, paper_hours

LARGEST_DIFFERENCE = 1e-3  # of the codes' range


def parsed(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the options, with the numbers of steps filled in."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--precision", choices=("32-true", "bf16-mixed"), default="32-true")
    parser.add_argument("--compile", choices=("none", "default", "reduce-overhead"), default="none")
    parser.add_argument("--phases", nargs="+", choices=tuple(PAPER_STEPS), default=list(PAPER_STEPS))
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--size", type=int, help="side of the images and the rendering in px, instead of the shape's")
    parser.add_argument("--steps", type=int, help="timed steps; default 20 on a GPU, 1 on a CPU (3 with --small)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--small", action="store_true", help="64 px, 16 channels, one block per stack, L 1")
    parser.add_argument("--without-perceptual", action="store_true", help="no identity and ID-MRF terms")
    parser.add_argument("--no-plain", action="store_true", help="time tvface alone")
    options = parser.parse_args(arguments)
    cpu = torch.device(options.device).type == "cpu"
    options.steps = options.steps or (20 if not cpu else 3 if options.small else 1)
    # CUDA graphs are recorded in the second step.
    options.warm_up = 1 if cpu else 3 if options.compile == "none" else 5
    return options


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table."""
    options = parsed(arguments)
    torch.set_num_threads(options.threads)
    device = torch.device(options.device)
    cpu = device.type == "cpu"
    bench = Bench(options)
    if cpu:
        print(
            f"On a CPU: {options.warm_up} + {options.steps} steps each"
            + ("." if options.small else "; at the paper's size minutes each.")
        )
    name = torch.cuda.get_device_name(device) if not cpu else f"CPU, {options.threads} thread(s)"
    print(
        f"{name}, torch {torch.__version__}, {options.precision}, compile {options.compile}, B {options.batch}",
        end=", ",
    )
    print(f"T {options.frames}, {bench.train.image_size} px, {bench.train.temporal}")
    difference = bench.difference()
    if not difference < LARGEST_DIFFERENCE:
        raise SystemExit(f"the plain reading gives other codes than tvface, by {difference:.2g} of their range")
    print(f"codes of tvface and of the plain reading differ by {difference:.1e} of their range")
    race = Race(bench, tuple(options.phases), (OURS,) if options.no_plain else (OURS, PLAIN))
    rate = max(race.rates.values())
    print(f"{race.dtype}: " + ", ".join(f"{name} {value / 1e12:.3f} TFLOP/s" for name, value in race.rates.items()))
    times: dict[str, dict[str, float]] = {label: {} for label in race.labels}
    for step in race.run(options.steps, options.warm_up):
        times[step.label][step.phase] = step.seconds
        print(described(step, rate, options.batch * options.frames, cpu))
        if step.label == PLAIN:
            print(f"{step.phase:<9} plain / tvface = {step.seconds / times[OURS][step.phase]:.2f}")
    if set(options.phases) == set(PAPER_STEPS):
        stated = ", ".join(f"{label} {paper_hours(seconds):,.1f} h" for label, seconds in times.items())
        print(f"the paper's {sum(PAPER_STEPS.values()):,} steps at this shape: {stated}")


def described(step: Step, rate: float, images: int, cpu: bool) -> str:
    """Return a line on a step of so many images, beside the device's best FLOP/s."""
    speed = step.flops / step.seconds
    work = f"{speed / 1e12:8.3f} TFLOP/s = {100 * speed / rate:4.1f} %, " if step.flops else ""
    peak = f"peak {step.peak / 2**30:.2f} GiB" + (" (process, so far)" if cpu else "")
    each = f"{1000 * step.seconds:10.1f} ms/step {images / step.seconds:9.2f} images/s"
    return f"{step.phase:<9} {step.label:<7} {each}  {work}{peak}"


if __name__ == "__main__":
    main()
