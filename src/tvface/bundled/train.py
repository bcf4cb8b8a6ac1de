"""Train the bundled networks on rendered crops.

    python -m tvface.bundled.train parser --crops .cache/crops --steps 6000

writes ``resources/weights/compact_parser.safetensors`` and its card. The same command, crops, seed and machine
give the same weights. A training that was stopped resumes from its checkpoint.
"""

from __future__ import annotations

import dataclasses
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from tvface.bundled import people, samples
from tvface.bundled.card import write_card
from tvface.bundled.commands import add_training, begin, command_line, command_parser, log, training_notes
from tvface.bundled.hair_labels import closed_hair
from tvface.bundled.identity import IdentityTask
from tvface.bundled.tasks import Batch, LandmarkTask, ParserTask, Task, class_frequency, plain
from tvface.files.atomic import atomic
from tvface.networks.bundles import load_bundle, save_bundle

CropBatch = TypeVar("CropBatch", covariant=True)


class Crops(Protocol[CropBatch]):
    """Training crops in memory: :class:`tvface.bundled.samples.Samples` or :class:`tvface.bundled.people.People`."""

    def __len__(self) -> int: ...

    def split(self, held_out: int) -> tuple[Crops[CropBatch], Crops[CropBatch]]:
        """Return (training, held out)."""

    def training_batches(self, task: Any, batch: int, generator: torch.Generator) -> Iterator[CropBatch]:
        """Yield random batches without end."""

    def plain_batches(self, task: Any, batch: int) -> Iterator[CropBatch]:
        """Yield every crop once, in order and unchanged."""


@dataclass(frozen=True)
class Recipe:
    """How a network is trained."""

    steps: int
    batch: int = 32
    rate: float = 2e-3
    warm_up: float = 0.05
    decay: float = 1e-4
    seed: int = 0
    held_out: int = 400
    report_every: int = 200
    half: bool = True  # bfloat16 where the hardware is fast at it; the weights stay float32
    start: str = ""  # sha256 of the weights that training starts from; empty: random ones


class _OnDevice(nn.Module):
    """A network on a device; pictures and outputs are on the CPU, where losses and figures are computed."""

    def __init__(self, net: nn.Module, device: torch.device, half: bool) -> None:
        super().__init__()
        self.net, self.device, self.reduced = net, device, half

    def forward(self, images: Tensor) -> Tensor:
        images = images.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.reduced and self.training):
            output: Tensor = self.net(images)
        return output.float().cpu()


class _Run:
    """The state of a training, which its checkpoint holds."""

    def __init__(self, task: Task[Any], recipe: Recipe, net: nn.Module, generator: torch.Generator) -> None:
        self.task, self.recipe, self.net, self.generator = task, recipe, net, generator
        self.trained = [*net.parameters(), *task.head.parameters()]
        self.optimizer = torch.optim.AdamW(self.trained, lr=recipe.rate, weight_decay=recipe.decay)
        self.schedule = torch.optim.lr_scheduler.LambdaLR(self.optimizer, lambda step: _rate(step, recipe))
        self.step = 0
        self.curve: list[dict[str, Any]] = []

    def update(self, loss: Tensor) -> float:
        """Do one optimizer step on a loss; return its value."""
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.trained, 5.0)
        self.optimizer.step()
        self.schedule.step()
        self.step += 1
        return float(loss.detach())

    def save(self, path: Path) -> None:
        """Write the checkpoint; it replaces an older one."""
        state = {
            "task": self.task.name,
            "recipe": asdict(self.recipe),
            "net": self.net.state_dict(),
            "head": self.task.head.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": {"last_epoch": self.schedule.last_epoch},
            "generator": self.generator.get_state(),
            "step": self.step,
            "curve": self.curve,
        }
        with atomic(path) as temporary:
            torch.save(state, temporary)

    def resume(self, path: Path) -> None:
        """Resume from a checkpoint.

        Raises:
            ValueError: it belongs to another task or recipe.
        """
        state = torch.load(path, map_location="cpu", weights_only=True)
        if state["task"] != self.task.name or state["recipe"] != asdict(self.recipe):
            raise ValueError(
                f"{path}: a checkpoint of {state['task']} with {state['recipe']}, not of {self.task.name} with "
                f"{asdict(self.recipe)}; delete it to start anew"
            )
        self.net.load_state_dict(state["net"])
        self.task.head.load_state_dict(state["head"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.last_epoch = state["schedule"]["last_epoch"]
        self.generator.set_state(state["generator"])
        self.step, self.curve = state["step"], state["curve"]


def train(
    task: Task[Batch],
    crops: Crops[Batch],
    recipe: Recipe,
    checkpoint: Path,
    start: nn.Module | None = None,
    device: torch.device | str = "cpu",
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """Train a network of ``task``; return it in evaluation mode, and the figures on held-out crops over time.

    AdamW, linear warm-up, cosine to zero, gradients clipped to norm 5.

    Args:
        task: what to learn.
        crops: all crops, the held-out crops included.
        recipe: steps, batch, rates and seed.
        checkpoint: written at every report; an existing one is resumed.
        start: network with the starting weights; None: random weights.
        device: of the network.

    Raises:
        ValueError: the checkpoint belongs to another recipe.
    """
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    kept, held_out = crops.split(recipe.held_out)
    net = task.network()
    if start is not None:
        net.load_state_dict(start.state_dict())
    net = net.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    run = _Run(task, recipe, net, generator)
    if checkpoint.is_file():
        run.resume(checkpoint)
        log.info("%s: going on at step %d", task.name, run.step)
    on_device = _OnDevice(net, torch.device(device), recipe.half)
    batches = kept.training_batches(task, recipe.batch, generator)
    started, running = time.monotonic(), 0.0
    on_device.train()
    while run.step < recipe.steps:
        views = next(batches)
        running += run.update(task.loss(on_device(views.images), views))
        if run.step % recipe.report_every == 0 or run.step == recipe.steps:
            on_device.eval()
            figures = plain(task.judge(on_device, held_out.plain_batches(task, 50)))
            on_device.train()
            mean = running / ((run.step - 1) % recipe.report_every + 1)
            running = 0.0
            run.curve.append({"step": run.step, "loss": round(mean, 4), **figures})
            seconds = time.monotonic() - started
            log.info("%s %d/%d %.0f s: %s", task.name, run.step, recipe.steps, seconds, run.curve[-1])
            run.save(checkpoint)
    net = net.eval().cpu()
    task.finish(net, held_out.plain_batches(task, 50))
    return net, run.curve


def _task_and_crops(name: str, folder: Path, held_out: int) -> tuple[Task[Any], Any]:
    """Return the task of a name, and its crops from a folder."""
    if name == "identity":
        faces = people.load(folder)
        return IdentityTask(faces.count - held_out), faces
    crops = samples.load(folder)
    if name == "landmarks":
        return LandmarkTask(), crops
    crops = dataclasses.replace(crops, labels=closed_hair(crops.labels, crops.points))
    return ParserTask(class_frequency(crops.labels)), crops


def _rate(step: int, recipe: Recipe) -> float:
    warm = max(1, round(recipe.warm_up * recipe.steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, recipe.steps - warm)))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: train one network and write its weights and card."""
    parser = command_parser("tvface.bundled.train", __doc__)
    parser.add_argument("task", choices=("landmarks", "parser", "identity"))
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--start", type=Path, help="weights of an earlier run to go on from")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ...; crops are cut on the CPU in any case")
    parser.add_argument("--float32", action="store_true", help="no bfloat16: slower on CPUs that have it")
    add_training(
        parser,
        rate=Recipe.rate,
        held_out=Recipe.held_out,
        threads=2,
        crops_help="folder of shards (identity: of tvface.bundled.faces)",
        held_out_help="last crops (or people), only to judge",
    )
    options = parser.parse_args(arguments)
    begin(options.threads)
    task, crops = _task_and_crops(options.task, options.crops, options.held_out)
    start = load_bundle(options.start) if options.start else None
    recipe = Recipe(
        options.steps,
        options.batch,
        options.rate,
        seed=options.seed,
        held_out=options.held_out,
        half=not options.float32,
        start=start.sha256 if start else "",
    )
    checkpoint = options.out / f".{task.name}.checkpoint.pt"
    started = time.monotonic()
    net, curve = train(task, crops, recipe, checkpoint, start.net if start else None, options.device)
    about = training_notes(
        command_line("tvface.bundled.train", arguments),
        len(crops),
        options.crops,
        asdict(recipe),
        curve[-1],
        start=start.about if start else None,
        people=crops.count if isinstance(crops, people.People) else 0,
    )
    save_bundle(options.out / task.file, net, task.size, task.framing.window, about)
    write_card(options.out / task.file, task.name, net, task.size, about, curve, time.monotonic() - started)
    checkpoint.unlink()


if __name__ == "__main__":
    main()
