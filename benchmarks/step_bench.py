"""Training steps of the temporal model and of a plain reading of the paper, on the same weights and the same data."""

from __future__ import annotations

import argparse
import dataclasses
import math
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torchvision.ops  # noqa: F401  # torch.ops.torchvision
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.plain import PlainFaceModel, half_size
from benchmarks.rates import arithmetic, best_rates
from benchmarks.timing import timed
from tvface.head.human import build
from tvface.losses.table import terms_of
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.window import Window
from tvface.networks.alignment import SecondOrderDeformableAlignment
from tvface.networks.deformable import VARIABLE
from tvface.networks.spynet import SPyNet, neighbour_flows
from tvface.networks.vgg19 import Vgg19
from tvface.networks.vggface2 import VggFace2
from tvface.settings.model import Head, TemporalEncoder, Train
from tvface.training.acceleration import accelerate, one_pass
from tvface.training.loss_networks import LossNetworks
from tvface.training.phases import PHASES, Conditions, PhaseTask

PAPER_STEPS = {"pretrain": 1_500_000, "coarse": 75_000, "detail": 1_500_000}  # 10,000 + 500 + 10,000 epochs of 150
SMALL = {
    "image_size": 64,
    "uv_size": 64,
    "temporal": TemporalEncoder(
        width=16, layers=(1, 1, 1, 1), hidden=64, channels=16, blocks=1, rnn_layers=1, deform_groups=4
    ),
}
OURS, PLAIN = "tvface", "plain"


class Bench:
    """One shape: data, the product's model and the plain one with the same weights."""

    def __init__(self, options: argparse.Namespace) -> None:
        """Build everything with random weights; a step's time does not depend on their values."""
        self.device, self.options = torch.device(options.device), options
        sizes = dict(SMALL) if options.small else {}
        self.train = dataclasses.replace(
            Train(precision=options.precision, compile=options.compile), **sizes, frames=options.frames
        )
        size = options.size or self.train.image_size
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
        self.start = self.model.weights()
        self.plain.load_weights(self.start)
        self.window = self._window()
        networks: dict[str, nn.Module] = {}
        if not options.without_perceptual:
            networks = {"vggface2": VggFace2().to(self.device).eval(), "vgg19": Vgg19().to(self.device).eval()}
        self.networks = LossNetworks(networks)

    def _window(self) -> Window:
        size, frames, batch = self.train.image_size, self.train.frames, self.options.batch
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
        """Return the largest difference of the two models' codes, over their largest difference from frame to frame.

        In float32 without TF32, whose 10 bits would be the difference.
        """

        def codes(model: FaceModel) -> torch.Tensor:
            model.eval()
            both = [torch.cat(model.encode_coarse(self.window).rows(1)), model.encode_detail(self.window)]
            return torch.cat(both, 1)

        with arithmetic(tf32=False):
            ours, theirs = codes(self.model), codes(self.plain)
        return float((ours - theirs).abs().max() / (theirs.amax(0) - theirs.amin(0)).max())

    def step(self, label: str, phase: str, precision: str = "32-true") -> Callable[[], torch.Tensor]:
        """Return a training step of a model, as the training loop takes it; it gives the loss before the step."""
        model, ours = (self.model if label == OURS else self.plain), label == OURS
        settings = getattr(self.train, phase)
        if self.options.without_perceptual:
            off = {term.name: 0.0 for term in terms_of(phase) if term.network}
            loss_weights = dataclasses.replace(settings.loss_weights, **off)
            settings = dataclasses.replace(settings, loss_weights=loss_weights)
        task = PhaseTask(model, phase, settings, self.networks, Conditions(keep_codes=ours))
        fused = True if self.device.type == "cuda" and ours else None
        optimizer = torch.optim.Adam(task.trained(), lr=1e-6, fused=fused)
        numbers = iter(range(1 << 30))

        def once() -> torch.Tensor:
            optimizer.zero_grad(set_to_none=True)
            with one_pass(self.train):
                with torch.autocast(self.device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
                    total = torch.stack(list(task(self.window, next(numbers)).values())).sum()
                total.backward()
            optimizer.step()
            return total.detach()

        return once


@dataclass(frozen=True)
class Step:
    """What a training step took.

    seconds: the median. flops: counted, 0: not counted. peak: bytes of the device since the timing began, without the
    weights of the model that stood by, or of the process since its start. loss: of the first step. float32_loss: of the
    same step, eager, in float32 without TF32 and with torchvision's deformable convolution; NaN: not taken.
    """

    phase: str
    label: str
    seconds: float
    flops: int
    peak: int
    loss: float
    float32_loss: float


class Race:
    """The steps of a bench, timed one after the other; work is counted before anything is compiled."""

    def __init__(self, bench: Bench, phases: tuple[str, ...], labels: tuple[str, ...]) -> None:
        """Count the work and take the float32 losses, then prepare the product's model as training does."""
        self.bench, self.phases, self.labels = bench, phases, labels
        cpu = bench.device.type == "cpu"
        # The plain implementation takes minutes per step on a CPU; its work there is not counted.
        self._counted = {
            (label, phase): self._count(label, phase)
            for label in labels
            for phase in phases
            if label == OURS or not cpu
        }
        bench.model.load_weights(bench.start)
        bench.plain.load_weights(bench.start)
        self.notes = accelerate(bench.model, bench.train, bench.device)
        dtype = torch.bfloat16 if bench.options.precision == "bf16-mixed" else torch.float32
        self.dtype, self.rates = dtype, best_rates(bench.device, dtype)

    def _count(self, label: str, phase: str) -> tuple[int, float]:
        model = self.bench.model if label == OURS else self.bench.plain
        model.load_weights(self.bench.start)
        with arithmetic(tf32=False), _torchvision_samples():
            once = self.bench.step(label, phase)
            loss = float(once())  # also finds the codes that the detail phase keeps
            flops = counted(once)
        model.zero_grad(set_to_none=True)
        return flops, loss

    def run(self, steps: int, warm_up: int) -> Iterator[Step]:
        """Yield the steps, phase by phase, the models in turn."""
        device = self.bench.device
        for phase in self.phases:
            for label in self.labels:
                flops, float32_loss = self._counted.get((label, phase), (0, math.nan))
                model = self.bench.model if label == OURS else self.bench.plain
                other = self.bench.plain if label == OURS else self.bench.model
                model.load_weights(self.bench.start)
                once = self.bench.step(label, phase, self.bench.options.precision if label == OURS else "32-true")
                loss = float(once())  # compiles; the weights are still those of the count
                for _ in range(warm_up - 1):
                    once()
                if device.type == "cuda":
                    torch.cuda.reset_peak_memory_stats(device)
                seconds = timed(steps, 0, device, once)
                peak = peak_memory(device) - (_bytes(other) if device.type == "cuda" else 0)
                model.zero_grad(set_to_none=True)
                yield Step(phase, label, seconds, flops, peak, loss, float32_loss)


def _bytes(model: nn.Module) -> int:
    tensors = [*model.parameters(), *model.buffers()]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _convolved(value: Any, weight: Any, offset: Any, *_: Any, **__: Any) -> int:
    """Work of a deformable convolution from its shapes: that of the product with the weights."""
    return int(2 * value[0] * math.prod(offset[2:]) * math.prod(weight))


def _convolved_back(gradient: Any, value: Any, weight: Any, offset: Any, *_: Any, **__: Any) -> int:
    """Twice that: to the samples and to the weights."""
    return 2 * _convolved(value, weight, offset)


def counted(once: Callable[[], object]) -> int:
    """Return the FLOPs of a call (2 per multiply-add; convolutions and matrix products only).

    The product's kernels are closed to the counter, so the deformable convolution runs as torchvision's here.
    """
    operators = torch.ops.torchvision
    known = {operators.deform_conv2d: _convolved, operators._deform_conv2d_backward: _convolved_back}
    with _torchvision_samples(), FlopCounterMode(display=False, custom_mapping=known) as counter:
        once()
    return int(counter.get_total_flops())


@contextmanager
def _torchvision_samples() -> Iterator[None]:
    before = os.environ.get(VARIABLE)
    os.environ[VARIABLE] = "torchvision"
    try:
        yield
    finally:
        os.environ.pop(VARIABLE)
        if before is not None:
            os.environ[VARIABLE] = before


def peak_memory(device: torch.device) -> int:
    """Return the peak in bytes: of the device since the last reset, or of the process since its start."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def paper_hours(seconds: dict[str, float]) -> float:
    """Return the hours of the paper's schedule from the seconds of a step of each phase."""
    return sum(PAPER_STEPS[phase] * seconds[phase] for phase in PHASES) / 3600
