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
import dataclasses
import os
import resource
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # run as a file, the project root is not on the path

from benchmarks.plain import PlainFaceModel, half_size
from benchmarks.timing import synchronise
from tvface.head.generic import build
from tvface.networks.alignment import SecondOrderDeformableAlignment
from tvface.networks.deformable import VARIABLE
from tvface.networks.spynet import SPyNet, neighbour_flows
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.settings.model import Head, TemporalEncoder, Train
from tvface.training.acceleration import accelerate
from tvface.training.model import FaceModel, ModelSpec
from tvface.training.phases import LossNetworks, PhaseTask
from tvface.training.window import Window

PAPER_STEPS = {"pretrain": 1_500_000, "coarse": 75_000, "detail": 1_500_000}  # 10,000 + 500 + 10,000 epochs of 150
SMALL = {
    "image_size": 64,
    "uv_size": 64,
    "temporal": TemporalEncoder(
        width=16, layers=(1, 1, 1, 1), hidden=64, channels=16, blocks=1, rnn_layers=1, deform_groups=4
    ),
}


class Bench:
    """One shape: data, the product's model and the plain one with the same weights."""

    def __init__(self, given: argparse.Namespace) -> None:
        """Build everything with random weights; a step's time does not depend on their values."""
        self.device, self.given = torch.device(given.device), given
        sizes = dict(SMALL) if given.small else {}
        self.train = dataclasses.replace(
            Train(precision=given.precision, compile=given.compile), **sizes, frames=given.frames
        )
        size = given.size or self.train.image_size
        self.train = dataclasses.replace(self.train, image_size=size, render_size=size)
        head = build(dataclasses.replace(Head(), uv_size=self.train.uv_size))
        spec = ModelSpec.of("temporal", self.train, Head(), 0)
        self.model = FaceModel(spec, head).to(self.device)
        torch.manual_seed(0)
        self.flow = SPyNet().to(self.device).eval().requires_grad_(False)
        with torch.no_grad():  # the offsets' last layer starts at zero; the comparison must see what it does
            for module in self.model.modules():
                if isinstance(module, SecondOrderDeformableAlignment):
                    module.conv_offset[-1].weight.normal_(std=0.02)  # type: ignore[operator, union-attr]
        self.plain = PlainFaceModel(spec, head).to(self.device).with_flow(self.flow)
        self.plain.load_weights(self.model.weights())
        self.window = self._window()
        networks = [None, None]
        if not given.without_perceptual:
            networks = [VggFace2().to(self.device).eval(), Vgg19().to(self.device).eval()]
        self.networks = LossNetworks(*networks)

    def _window(self) -> Window:
        size, frames, batch = self.train.image_size, self.train.frames, self.given.batch
        generator = torch.Generator().manual_seed(1)
        scene = torch.rand(batch, 3, size // 4, size // 4, generator=generator)
        scene = torch.nn.functional.interpolate(scene, (size + 2 * frames, size), mode="bicubic").clamp(0, 1)
        images = torch.stack([scene[:, :, 2 * t : 2 * t + size] for t in range(frames)], 1).to(self.device)
        small = half_size(images.flatten(0, 1)).unflatten(0, (batch, frames))
        window = Window(
            images,
            torch.ones(batch, frames, 1, size, size),
            torch.randn(batch, frames, 68, 2, generator=generator) * 0.4,
            *neighbour_flows(self.flow, small),
            tuple(f"made up {i}[0]" for i in range(batch)),
        )
        return window.to(self.device)

    @torch.no_grad()
    def difference(self) -> float:
        """Return the largest difference of the two models' codes, over their largest difference from frame to frame."""

        def codes(model: FaceModel) -> torch.Tensor:
            model.eval()
            both = [torch.cat(model.encode_coarse(self.window).rows(1)), model.encode_detail(self.window)]
            return torch.cat(both, 1)

        ours, theirs = codes(self.model), codes(self.plain)
        return float((ours - theirs).abs().max() / (theirs.amax(0) - theirs.amin(0)).max())

    def step(self, model: FaceModel, phase: str, precision: str, keep_codes: bool) -> Callable[[], None]:
        """Return a training step of a model, as the training loop takes it."""
        settings = getattr(self.train, phase)
        if self.given.without_perceptual:
            weights = dataclasses.replace(settings.weights, identity=0.0, mrf=0.0)
            settings = dataclasses.replace(settings, weights=weights)
        task = PhaseTask(model, phase, settings, self.networks, 0, keep_codes=keep_codes)
        fused = True if self.device.type == "cuda" and keep_codes else None
        optimiser = torch.optim.Adam(task.trained(), lr=1e-6, fused=fused)
        numbers = iter(range(1 << 30))

        def once() -> None:
            with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
                total = torch.stack(list(task(self.window, next(numbers)).values())).sum()
            optimiser.zero_grad(set_to_none=True)
            total.backward()
            optimiser.step()

        return once


def timed(steps: int, warm_up: int, device: torch.device, once: Callable[[], None]) -> float:
    """Return the median seconds of a step, waiting for the device."""
    for _ in range(warm_up):
        once()
    synchronise(device)
    times = []
    for _ in range(steps):
        start = time.perf_counter()
        once()
        synchronise(device)
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def best_rates(device: torch.device, dtype: torch.dtype) -> dict[str, float]:
    """Return the FLOP/s of a large matrix product and of the encoder's commonest convolution, each the best of five."""
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
    return {name: 2 * macs / min(timed(1, 1, device, once) for _ in range(5)) for name, (once, macs) in work.items()}


def counted(once: Callable[[], None]) -> int:
    """Return the FLOPs of a step; the deformable convolution's are seen in plain torch only."""
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "grid"
    try:
        with FlopCounterMode(display=False) as counter:
            once()
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before
    return int(counter.get_total_flops())


def peak_memory(device: torch.device) -> str:
    """State the peak: of the device since the last reset, or of the process since its start."""
    if device.type == "cuda":
        return f"{torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB"
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB (process, so far)"


def main(arguments: list[str] | None = None) -> None:
    """Print the table."""
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
    given = parser.parse_args(arguments)
    torch.set_num_threads(given.threads)
    device = torch.device(given.device)
    cpu = device.type == "cpu"
    steps = given.steps or (20 if not cpu else 3 if given.small else 1)
    warm_up = 3 if not cpu else 1
    bench = Bench(given)
    if cpu:
        print(
            f"On a CPU: {warm_up} + {steps} steps each"
            + ("." if given.small else "; at the paper's size minutes each.")
        )
    name = torch.cuda.get_device_name(device) if not cpu else f"CPU, {given.threads} thread(s)"
    print(f"{name}, torch {torch.__version__}, {given.precision}, compile {given.compile}, B {given.batch}", end=", ")
    print(f"T {given.frames}, {bench.train.image_size} px, {bench.train.temporal}")
    difference = bench.difference()
    if not difference < 1e-3:
        raise SystemExit(f"the plain reading gives other codes than tvface, by {difference:.2g} of their range")
    print(f"codes of tvface and of the plain reading differ by {difference:.1e} of their range")
    accelerate(bench.model, bench.train, device)
    dtype = torch.bfloat16 if given.precision == "bf16-mixed" else torch.float32
    rates = best_rates(device, dtype)
    rate = max(rates.values())
    print(f"{dtype}: " + ", ".join(f"{name} {value / 1e12:.3f} TFLOP/s" for name, value in rates.items()))
    hours = {"tvface": 0.0, "plain": 0.0}
    for phase in given.phases:
        row = {}
        for label, model, precision, keep in (
            ("tvface", bench.model, given.precision, True),
            ("plain", bench.plain, "32-true", False),
        ):
            if label == "plain" and given.no_plain:
                continue
            once = bench.step(model, phase, precision, keep)
            flops = counted(once) if label == "tvface" or not cpu else 0
            if not cpu:
                torch.cuda.reset_peak_memory_stats(device)
            seconds = row[label] = timed(steps, warm_up, device, once)
            hours[label] += PAPER_STEPS[phase] * seconds / 3600
            images = given.batch * given.frames / seconds
            work = f"{flops / seconds / 1e12:8.3f} TFLOP/s = {100 * flops / seconds / rate:4.1f} %, " if flops else ""
            print(f"{phase:<9} {label:<7} {1000 * seconds:10.1f} ms/step {images:9.2f} images/s  {work}", end="")
            print(f"peak {peak_memory(device)}")
        if len(row) == 2:
            print(f"{phase:<9} plain / tvface = {row['plain'] / row['tvface']:.2f}")
    if set(given.phases) == set(PAPER_STEPS):
        stated = ", ".join(f"{label} {value:,.1f} h" for label, value in hours.items() if value)
        print(f"the paper's {sum(PAPER_STEPS.values()):,} steps at this shape: {stated}")


if __name__ == "__main__":
    main()
