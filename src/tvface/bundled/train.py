"""Train the bundled networks on rendered crops.

    python -m tvface.bundled.train parser --crops .cache/crops --steps 6000

writes ``resources/weights/compact_parser.safetensors`` and its card. The same command, crops, seed and machine
give the same weights. A training that was stopped goes on from its checkpoint.
"""

from __future__ import annotations

import argparse
import logging
import math
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn

from tvface.bundled import people, samples
from tvface.bundled.card import card_command, write_card
from tvface.bundled.identity import IdentityTask
from tvface.bundled.tasks import Batch, LandmarkTask, ParserTask, Task, class_frequency, plain
from tvface.files.atomic import atomic
from tvface.networks.bundles import FOLDER, load_bundle, save_bundle

log = logging.getLogger("tvface.bundled")

Made = TypeVar("Made", covariant=True)


class Crops(Protocol[Made]):
    """Training crops in memory: :class:`tvface.bundled.samples.Samples` or :class:`tvface.bundled.people.People`."""

    def __len__(self) -> int: ...

    def split(self, held_out: int) -> tuple[Crops[Made], Crops[Made]]: ...

    def training_batches(self, task: Any, batch: int, generator: torch.Generator) -> Iterator[Made]: ...

    def plain_batches(self, task: Any, batch: int) -> Iterator[Made]: ...


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


class _At(nn.Module):
    """A network on a device for pictures and results on the CPU, where losses and figures are computed."""

    def __init__(self, net: nn.Module, device: torch.device, half: bool) -> None:
        super().__init__()
        self.net, self.device, self.reduced = net, device, half

    def forward(self, images: Tensor) -> Tensor:
        images = images.to(self.device).contiguous(memory_format=torch.channels_last)
        with torch.autocast(self.device.type, dtype=torch.bfloat16, enabled=self.reduced and self.training):
            output: Tensor = self.net(images)
        return output.float().cpu()


def train(
    task: Task[Batch],
    crops: Crops[Batch],
    recipe: Recipe,
    checkpoint: Path,
    start: nn.Module | None = None,
    device: torch.device | str = "cpu",
) -> tuple[nn.Module, list[dict[str, Any]]]:
    """Train a network of ``task``; return it in evaluation mode, and the figures on held-out crops over time.

    AdamW, linear warm-up, cosine to zero, gradients cut to norm 5. ``checkpoint`` is written at every report and
    read if it is there; one of another recipe is an error. ``start`` is a network to go on from, else it is random.

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
    placed = _At(net, torch.device(device), recipe.half)
    trained = [*net.parameters(), *task.head.parameters()]
    optimizer = torch.optim.AdamW(trained, lr=recipe.rate, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    curve: list[dict[str, Any]] = []
    done = 0
    if checkpoint.is_file():
        done, curve = _resume(checkpoint, task, recipe, net, optimizer, schedule, generator)
        log.info("%s: going on at step %d", task.name, done)
    batches = kept.training_batches(task, recipe.batch, generator)
    started, running = time.monotonic(), 0.0
    placed.train()
    for step in range(done + 1, recipe.steps + 1):
        views = next(batches)
        loss = task.loss(placed(views.images), views)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(trained, 5.0)
        optimizer.step()
        schedule.step()
        running += float(loss.detach())
        if step % recipe.report_every == 0 or step == recipe.steps:
            placed.eval()
            figures = plain(task.judge(placed, held_out.plain_batches(task, 50)))
            placed.train()
            mean = running / ((step - 1) % recipe.report_every + 1)
            running = 0.0
            curve.append({"step": step, "loss": round(mean, 4), **figures})
            log.info("%s %d/%d %.0f s: %s", task.name, step, recipe.steps, time.monotonic() - started, curve[-1])
            _save(checkpoint, task, recipe, net, optimizer, schedule, generator, step, curve)
    net = net.eval().cpu()
    task.finish(net, held_out.plain_batches(task, 50))
    return net, curve


def _prepared(name: str, folder: Path, held_out: int) -> tuple[Task[Any], Any]:
    """Return the task of a name and the crops in a folder that it learns from."""
    if name == "identity":
        faces = people.load(folder)
        return IdentityTask(faces.count - held_out), faces
    crops = samples.load(folder)
    return LandmarkTask() if name == "landmarks" else ParserTask(class_frequency(crops.labels)), crops


def _rate(step: int, recipe: Recipe) -> float:
    warm = max(1, round(recipe.warm_up * recipe.steps))
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, recipe.steps - warm)))


def _save(
    path: Path,
    task: Task[Any],
    recipe: Recipe,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    generator: torch.Generator,
    step: int,
    curve: list[dict[str, Any]],
) -> None:
    state = {
        "task": task.name,
        "recipe": asdict(recipe),
        "net": net.state_dict(),
        "head": task.head.state_dict(),
        "optimizer": optimizer.state_dict(),
        "schedule": {"last_epoch": schedule.last_epoch},
        "generator": generator.get_state(),
        "step": step,
        "curve": curve,
    }
    with atomic(path) as temporary:
        torch.save(state, temporary)


def _resume(
    path: Path,
    task: Task[Any],
    recipe: Recipe,
    net: nn.Module,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LambdaLR,
    generator: torch.Generator,
) -> tuple[int, list[dict[str, Any]]]:
    state = torch.load(path, map_location="cpu", weights_only=True)
    if state["task"] != task.name or state["recipe"] != asdict(recipe):
        raise ValueError(
            f"{path}: a checkpoint of {state['task']} with {state['recipe']}, not of {task.name} with "
            f"{asdict(recipe)}; delete it to start anew"
        )
    net.load_state_dict(state["net"])
    task.head.load_state_dict(state["head"])
    optimizer.load_state_dict(state["optimizer"])
    schedule.last_epoch = state["schedule"]["last_epoch"]
    generator.set_state(state["generator"])
    return state["step"], state["curve"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: train one network and write its weights and card."""
    parser = argparse.ArgumentParser(prog="python -m tvface.bundled.train", description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=("landmarks", "parser", "identity"))
    parser.add_argument(
        "--crops",
        type=Path,
        required=True,
        help="folder of shards (identity: of tvface.bundled.faces)",
    )
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--batch", type=int, default=Recipe.batch)
    parser.add_argument("--rate", type=float, default=Recipe.rate, help="highest learning rate")
    parser.add_argument("--start", type=Path, help="weights of an earlier run to go on from")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--held-out", type=int, default=Recipe.held_out, help="last crops (or people), only to judge")
    parser.add_argument("--threads", type=int, default=2, help="CPU threads; other numbers give other rounding")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 ...; crops are cut on the CPU in any case")
    parser.add_argument("--float32", action="store_true", help="no bfloat16: slower on CPUs that have it")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--made-by", default="", help="command that made the crops, for the card")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    torch.set_num_threads(given.threads)
    task, crops = _prepared(given.task, given.crops, given.held_out)
    start = load_bundle(given.start) if given.start else None
    recipe = Recipe(
        given.steps,
        given.batch,
        given.rate,
        seed=given.seed,
        held_out=given.held_out,
        half=not given.float32,
        start=start.sha256 if start else "",
    )
    checkpoint = given.out / f".{task.name}.checkpoint.pt"
    started = time.monotonic()
    net, curve = train(task, crops, recipe, checkpoint, start.net if start else None, given.device)
    about = {
        "command": card_command("tvface.bundled.train", arguments),
        "start": dict(start.about) if start else None,
        "crops": len(crops),
        "people": crops.count if isinstance(crops, people.People) else 0,
        "crops_command": given.made_by,
        "recipe": asdict(recipe),
        "figures": {key: value for key, value in curve[-1].items() if key not in ("step", "loss")},
    }
    save_bundle(given.out / task.file, net, task.size, task.framing.window, about)
    write_card(given.out / task.file, task.name, net, task.size, about, curve, time.monotonic() - started)
    checkpoint.unlink()


if __name__ == "__main__":
    main()
