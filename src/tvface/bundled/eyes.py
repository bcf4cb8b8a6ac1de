"""Train the network that reads lids and gaze, on rendered crops of eyes that it makes first.

    python -m tvface.bundled.eyes --crops .cache/eyes --count 3500 --steps 1400

writes ``resources/weights/compact_eyes.safetensors`` and its card. The same command, seed and machine give the same
weights.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from tvface.bundled import eye_crops
from tvface.bundled.augment import symmetric
from tvface.bundled.card import write_card
from tvface.bundled.commands import add_training, begin, command_line, command_parser, log, training_notes
from tvface.bundled.samples import read_shards
from tvface.bundled.tasks import plain
from tvface.fitting import eyes as reading
from tvface.networks.bundles import EYES, save_bundle
from tvface.networks.eyes import CompactEyes
from tvface.synthetic.person import rotation_matrix

FILE = EYES
WIDEST = 0.8  # openings beyond this belong to eyes seen from the side
FRONTAL = 0.8  # units: eyes at least this wide are seen from the front
# Errors of the landmarker about the eyes, in units: of all points together, of both eyes apart, of each point.
TOGETHER, APART, EACH = 0.06, 0.05, 0.035


@dataclass(frozen=True)
class Recipe:
    """How the network is trained."""

    steps: int
    batch: int = 64
    rate: float = 3e-3
    seed: int = 0
    held_out: int = 500  # crops


@dataclass(frozen=True)
class Truth:
    """Right eyes (left ones mirrored): crops (N, 3, S, S) uint8, points (N, 68, 2) px, opening (N,), gaze (N, 2) as x
    (right) and y (down) of its unit vector in the picture, shown (N,) bool: neither hidden nor under something, wide
    (N,) the width of the eye in units, less for eyes that are turned away."""

    images: Tensor
    points: Tensor
    opening: Tensor
    gaze: Tensor
    shown: Tensor
    wide: Tensor

    def part(self, index: Tensor) -> Truth:
        """Return some of the eyes."""
        return Truth(*(value[index] for value in vars(self).values()))


def truth_of(arrays: Mapping[str, np.ndarray]) -> Truth:
    """Return the right eyes of all crops, then the left ones mirrored; arrays as :func:`eye_crops.make` returns."""
    images = torch.from_numpy(arrays["images"]).permute(0, 3, 1, 2)
    points = torch.from_numpy(arrays["points"])
    lids = torch.from_numpy(arrays["lids"]).reshape(-1, 2, 6, 2)
    opened = reading.opening(lids).clamp(0, WIDEST)
    look = arrays["rotations"] @ rotation_matrix(arrays["gaze"][:, 0])[..., 2:]
    across = torch.from_numpy(look[:, :2, 0] * (1, -1)).float()
    mirrored = across * torch.tensor([-1.0, 1.0])
    visible = torch.from_numpy(arrays["visible"]).reshape(-1, 2, 6)[:, :, [1, 2, 4, 5]].float().mean(2) > 0.5
    seen = torch.from_numpy(np.isin(arrays["classes"], (1, 4, 5)).mean(2) > 0.6)
    shown = (visible | seen) & seen
    # Row 0 of the eyes' points is the subject's right eye.
    both = torch.cat([points, reading.mirrored(points, images.shape[-1])])
    unit = reading.windows(both).axes.norm(dim=1).amax(-1)
    return Truth(
        torch.cat([images, images.flip(-1)]),
        both,
        torch.cat([opened[:, 0], opened[:, 1]]),
        torch.cat([across, mirrored]),
        torch.cat([shown[:, 0], shown[:, 1]]),
        (both[:, 39] - both[:, 36]).norm(dim=-1) / unit,
    )


def disturbed(points: Tensor, generator: torch.Generator) -> Tensor:
    """Return points (N, 68, 2) with errors as the landmarker's."""
    count = len(points)
    wide = torch.maximum((points[:, 39] - points[:, 36]).norm(dim=-1), (points[:, 45] - points[:, 42]).norm(dim=-1))
    amount = wide[:, None, None] * torch.rand(count, 1, 1, generator=generator) * 2
    noise = TOGETHER * torch.randn(count, 1, 2, generator=generator)
    noise = noise + EACH * torch.randn(count, 68, 2, generator=generator)
    for eye in (slice(36, 42), slice(42, 48)):
        noise[:, eye] += APART * torch.randn(count, 1, 2, generator=generator)
    return points + amount * noise


class Views(NamedTuple):
    """Randomly framed and coloured eyes: patches, places, the opening, and the gaze in the patches' axes."""

    patches: Tensor
    places: Tensor
    opening: Tensor
    gaze: Tensor


def views(truth: Truth, generator: torch.Generator) -> Views:
    """Return random views of eyes: moved, turned, grown; stretched in height, which opens or closes an eye."""
    count = len(truth.points)
    window = reading.windows(disturbed(truth.points, generator))
    turn = 0.08 * symmetric(generator, count)
    grow = torch.exp(0.10 * symmetric(generator, count))
    stretch = torch.exp(0.25 * symmetric(generator, count))
    cos, sin = grow * turn.cos(), grow * turn.sin()
    axes = window.axes @ torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    gaze = torch.einsum("bxk,bx->bk", F.normalize(axes, dim=1), truth.gaze)
    ones = torch.ones_like(stretch)
    axes = axes * torch.stack([ones, 1 / stretch], 1)[:, None]
    places = window.places.unflatten(1, (-1, 2)) * torch.stack([ones, stretch], 1)[:, None]
    patches = reading.patches(truth.images.float() / 255, reading.Windows(axes, window.centre, places))
    return Views(recoloured(patches, generator), places.flatten(1), truth.opening * stretch, gaze)


def recoloured(patches: Tensor, generator: torch.Generator) -> Tensor:
    """Change gamma, colour and saturation, coarsen a third and add noise; (B, 3, h, w) in [0, 1] both ways."""
    count = len(patches)
    wash = torch.rand(count, 1, 1, 1, generator=generator)
    wash = torch.where(wash < 0.1, 1.0, wash * 0.4)  # some are fully grey
    x = patches + wash * (patches.mean(1, keepdim=True) - patches)
    x = x.clamp_min(1e-3) ** torch.exp(0.5 * symmetric(generator, count, 1, 1, 1))
    x = x * torch.exp(0.15 * symmetric(generator, count, 3, 1, 1))
    third, (height, width) = count // 3, patches.shape[-2:]
    share = 0.3 + 0.5 * float(torch.rand(1, generator=generator))
    small = F.interpolate(x[:third], (int(height * share), int(width * share)), mode="bilinear", antialias=True)
    x = torch.cat([F.interpolate(small, (height, width), mode="bilinear"), x[third:]])
    noise = 0.03 * torch.rand(count, 1, 1, 1, generator=generator) ** 2
    return (x + noise * torch.randn(x.shape, generator=generator)).clamp(0, 1)


def loss_of(read: Tensor, truth: Truth, seen: Views) -> Tensor:
    """Return the loss: absolute errors, and the likelihood of the expected ones (Laplace's distribution)."""
    lid = (read[:, 0] - seen.opening).abs()
    look = (read[:, 1:3] - seen.gaze).abs().mean(1)
    # An iris shows in open eyes alone.
    open_share = (truth.opening / 0.12).clamp(0.05, 1) * truth.shown
    expected = read[:, 3:5].clamp(-5, 2)
    shown = truth.shown.float()
    # A narrow eye's opening is a quotient of two small numbers.
    error = shown * lid * truth.wide.clamp(0.2, 1) * 10 + open_share * look * 5
    likely = lid.detach() / expected[:, 0].exp() + expected[:, 0]
    likely = likely + 0.5 * (look.detach() / expected[:, 1].exp() + expected[:, 1])
    return (error + 0.2 * likely).mean()


@torch.inference_mode()
def _read(net: CompactEyes, truth: Truth) -> tuple[Tensor, Tensor]:
    """Return what a network reads at disturbed points, and the true gaze in the axes of the patches."""
    generator = torch.Generator().manual_seed(5)
    reads, gazes = [], []
    for start in range(0, len(truth.opening), 200):
        part = truth.part(torch.arange(start, min(start + 200, len(truth.opening))))
        window = reading.windows(disturbed(part.points, generator))
        reads.append(net(reading.patches(part.images.float() / 255, window), window.places))
        gazes.append(torch.einsum("bxk,bx->bk", F.normalize(window.axes, dim=1), part.gaze))
    return torch.cat(reads), torch.cat(gazes)


@torch.no_grad()
def finish(net: CompactEyes, held: Truth) -> None:
    """Stretch the opening in the last layer so that its slope is 1 on eyes that the network had not seen.

    Where a picture leaves doubt, the network reads what is usual, and blinks came out too small.
    """
    read, _ = _read(net, held)
    front = held.shown & (held.wide > FRONTAL)
    _, slope = agreement(held.opening[front], read[front, 0])
    net.last.weight[0] /= slope
    net.last.bias[0] = (net.last.bias[0] - read[front, 0].mean()) / slope + held.opening[front].mean()


@torch.inference_mode()
def judge(net: CompactEyes, truth: Truth) -> dict[str, float]:
    """Return the figures on eyes that show: of the opening, and of the gaze of eyes that are open."""
    read, gaze = _read(net, truth)
    shown = truth.shown
    figures: dict[str, float] = {}
    for name, eyes in (("opening", shown), ("opening from the front", shown & (truth.wide > FRONTAL))):
        figures[f"{name} r"], figures[f"{name} slope"] = agreement(truth.opening[eyes], read[eyes, 0])
        figures[f"{name} error"] = float((read[eyes, 0] - truth.opening[eyes]).abs().mean())
    looking = shown & (truth.opening > 0.15)
    for column, name in enumerate(("gaze x", "gaze y")):
        r, slope = agreement(gaze[looking, column], read[looking, 1 + column])
        error = torch.rad2deg(read[looking, 1 + column] - gaze[looking, column]).abs().mean()
        figures |= {f"{name} r": r, f"{name} slope": slope, f"{name} error deg": float(error)}
    return figures


def agreement(true: Tensor, read: Tensor) -> tuple[float, float]:
    """Return the correlation of two columns, and the slope of the read one against the true one."""
    a, b = true - true.mean(), read - read.mean()
    both = float((a * b).sum())
    return both / float((a**2).sum() * (b**2).sum()) ** 0.5, both / float((a**2).sum())


def train(truth: Truth, held: Truth, recipe: Recipe) -> tuple[CompactEyes, list[dict[str, float]]]:
    """Train a network: AdamW, one cycle of the rate; return it in evaluation mode, and figures over time."""
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    net = CompactEyes()
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=recipe.steps, pct_start=0.1)
    curve: list[dict[str, float]] = []
    order = torch.zeros(0, dtype=torch.int64)
    running = 0.0
    every = max(1, recipe.steps // 10)
    for step in range(1, recipe.steps + 1):
        if len(order) < recipe.batch:
            order = torch.randperm(len(truth.opening), generator=generator)
        index, order = order[: recipe.batch], order[recipe.batch :]
        part = truth.part(index)
        seen = views(part, generator)
        loss = loss_of(net(seen.patches, seen.places), part, seen)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        running += float(loss.detach())
        if step % every == 0 or step == recipe.steps:
            figures = plain(judge(net.eval(), held))
            net.train()
            curve.append({"step": step, "loss": round(running / ((step - 1) % every + 1), 4), **figures})
            running = 0.0
            log.info("eyes %d/%d: %s", step, recipe.steps, curve[-1])
    return net.eval(), curve


def load(folder: Path) -> dict[str, np.ndarray]:
    """Read the shards ``eyes_*.npz`` of a folder, in order of their names."""
    shards = zip(*read_shards(folder, "eyes_*.npz", eye_crops.ARRAYS, "eyes"), strict=True)
    return dict(zip(eye_crops.ARRAYS, map(np.concatenate, shards), strict=True))


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: make the crops that are missing, train, write weights and card."""
    parser = command_parser("tvface.bundled.eyes", __doc__)
    parser.add_argument("--count", type=int, default=3500, help="crops in the folder; missing ones are made")
    parser.add_argument("--processes", type=int, default=2, help="that make crops")
    parser.add_argument("--steps", type=int, required=True)
    add_training(
        parser,
        rate=Recipe.rate,
        held_out=Recipe.held_out,
        threads=1,
        crops_help="folder of the crops",
        held_out_help="last crops, only to judge",
    )
    options = parser.parse_args(arguments)
    begin(options.threads)
    command = command_line("tvface.bundled.eyes", arguments)
    for path in eye_crops.write(options.crops, options.count, options.seed, options.processes):
        log.info("%s", path)
    arrays = load(options.crops)
    cut = len(arrays["images"]) - options.held_out
    kept = truth_of({name: value[:cut] for name, value in arrays.items()})
    held = truth_of({name: value[cut:] for name, value in arrays.items()})
    recipe = Recipe(options.steps, rate=options.rate, seed=options.seed, held_out=options.held_out)
    started = time.monotonic()
    net, curve = train(kept, held, recipe)
    finish(net, held)
    curve.append({"step": recipe.steps, "loss": curve[-1]["loss"], **plain(judge(net, held))})
    about = training_notes(command, cut + options.held_out, options.crops, asdict(recipe), curve[-1])
    save_bundle(options.out / FILE, net, reading.SIZE[1], reading.SPAN, about)
    write_card(
        options.out / FILE, "eyes", net, reading.SIZE[1], about, curve, time.monotonic() - started, reading.SIZE[0]
    )


if __name__ == "__main__":
    main()
