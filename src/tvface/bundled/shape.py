"""Train the network that guesses a person's bone from a picture, on synthetic shots.

    python -m tvface.bundled.shape --crops .cache/shots --test .cache/shots_test --steps 2400

writes ``resources/weights/compact_shape.safetensors`` and its card. The people of the test shots come from rows of the
table that nobody in training comes from (``tvface synth-crops --people``).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tvface.bundled.card import write_card
from tvface.bundled.commands import add_training, begin, command_line, command_parser, log, training_notes
from tvface.bundled.tasks import plain
from tvface.fitting.shape_guess import SIZE, aligned
from tvface.head.model import HeadModel
from tvface.networks.bundles import SHAPE, save_bundle
from tvface.networks.compact import CompactShape
from tvface.supervised import shots
from tvface.supervised.damage import grained, recoloured
from tvface.supervised.lesson import FaceTruth, apart, similar_mm

FILE = SHAPE
FRAMES = 5  # of each scene, over which a person's guesses are averaged to judge
_AS_FILMED = 0.6  # of the pictures have the shot's occluders and damage
# Errors of the landmarker, in eye distances: of the whole face in place, size and turn, and of each point.
_MOVED, _SIZED, _TURNED, _EACH = 0.03, 0.03, 0.03, 0.02


@dataclass(frozen=True)
class Recipe:
    """How the network is trained."""

    steps: int
    batch: int = 64
    rate: float = 2e-3
    seed: int = 0
    held_out: int = 0  # people of the test shots, which are a set of their own


class Faces:
    """Aligned faces of shots, drawn at random, with their identity codes."""

    def __init__(self, sets: Sequence[shots.Shots]) -> None:
        self.sets = sets
        self.rows = [
            (number, shot, frame)
            for number, part in enumerate(sets)
            for shot, place in enumerate(part.places)
            for frame in range(place.frames)
        ]

    def batch(self, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Return pictures (B, 3, SIZE, SIZE) in [0, 1] and codes (B, S)."""
        faces, codes = [], []
        for index in rng.integers(len(self.rows), size=count):
            number, shot, frame = self.rows[int(index)]
            arrays = self.sets[number].take(shot, frame, 1)
            layer = "image" if rng.random() < _AS_FILMED else "clean"
            face = aligned(arrays[layer][0], disturbed(arrays["points"][0], rng))
            (face,) = recoloured([face], rng)
            if rng.random() < 0.3:
                small = int(SIZE * rng.uniform(0.25, 0.7))
                face = cv2.resize(cv2.resize(face, (small, small), interpolation=cv2.INTER_AREA), (SIZE, SIZE))  # type: ignore[assignment]
            quality = int(rng.integers(30, 96)) if rng.random() < 0.5 else None
            faces.append(grained(face, 0.03 * float(rng.random()) ** 2, quality, rng))
            codes.append(arrays["shape"][0])
        pictures = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).float() / 255
        return pictures, torch.from_numpy(np.stack(codes)).float()


def disturbed(points: NDArray[np.floating], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return points (68, 2) with errors as the landmarker's."""
    points = np.asarray(points, np.float64)
    centre = points.mean(0)
    eyes = max(float(np.linalg.norm(points[45] - points[36])), 0.5 * float(np.ptp(points, axis=0).mean()))
    angle, scale = rng.normal(0, _TURNED), np.exp(rng.normal(0, _SIZED))
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    noise = eyes * (_MOVED * rng.normal(size=(1, 2)) + _EACH * rng.normal(size=points.shape))
    return np.asarray((points - centre) @ turn.T + centre + noise)


def train(
    faces: Faces, test: shots.Shots, recipe: Recipe, checkpoint: Path | None = None
) -> tuple[CompactShape, list[dict[str, float]], float]:
    """Train a network and fit its spread; return it in evaluation mode, figures over time, and the seconds it took.

    Loss: mean distance of coordinates of the resting face, in true size, mm, and a little of the codes' mean square,
    which gives the columns that move few vertices.

    Args:
        faces: to train on.
        test: shots of other people.
        recipe: of the training.
        checkpoint: written at every report and gone on from; None: none.
    """
    torch.manual_seed(recipe.seed)
    head = test.head
    truth = FaceTruth(head, HeadModel(head, head.shape_basis.shape[2], head.expression_basis.shape[2]))
    net = CompactShape(head.shape_basis.shape[2])
    optimizer = torch.optim.AdamW(net.parameters(), lr=recipe.rate, weight_decay=1e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, recipe.rate, total_steps=recipe.steps, pct_start=0.08)
    curve: list[dict[str, float]] = []
    first, before, started = 0, 0.0, time.monotonic()
    if checkpoint is not None and checkpoint.is_file():
        state = torch.load(checkpoint, map_location="cpu", weights_only=True)
        if state["recipe"] != asdict(recipe):
            raise ValueError(f"{checkpoint}: of another recipe, {state['recipe']}; delete it to start anew")
        net.load_state_dict(state["net"])
        optimizer.load_state_dict(state["optimizer"])
        schedule.load_state_dict(state["schedule"])
        first, curve, before = state["step"], state["curve"], state["seconds"]
    every = max(1, recipe.steps // 12)
    running = 0.0
    for step in range(first + 1, recipe.steps + 1):
        pictures, codes = faces.batch(recipe.batch, np.random.default_rng((recipe.seed, 8, step)))
        with torch.autocast("cpu", torch.bfloat16):
            guessed = net(pictures)
        loss = 1000 * apart(truth.neutral(guessed), truth.neutral(codes)) + 0.05 * (guessed - codes).square().mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimizer.step()
        schedule.step()
        running += float(loss.detach())
        if step % every == 0 or step == recipe.steps:
            seen = guesses(net, test)
            finish(net, *seen)
            figures = plain(judge(*seen, truth))
            net.train()
            curve.append({"step": step, "loss": round(running / ((step - 1) % every + 1), 4), **figures})
            running = 0.0
            log.info("shape %d/%d: %s", step, recipe.steps, curve[-1])
            if checkpoint is not None:
                parts = {"net": net, "optimizer": optimizer, "schedule": schedule}
                state = {name: part.state_dict() for name, part in parts.items()}  # type: ignore[attr-defined]
                seconds = before + time.monotonic() - started
                about = {"recipe": asdict(recipe), "step": step, "curve": curve, "seconds": seconds}
                torch.save({**state, **about}, checkpoint)
    return net.eval(), curve, before + time.monotonic() - started


@torch.inference_mode()
def guesses(net: CompactShape, test: shots.Shots, frames: int = FRAMES) -> tuple[Tensor, Tensor, list[int]]:
    """Return guesses (N, S) and true codes (N, S) of the first frames of every test shot, and each row's person.

    Points are disturbed as in training; half of the pictures are as filmed.
    """
    net.eval()
    rows, codes, who = [], [], []
    for person, group in enumerate(test.people()):
        faces = []
        for number in group:
            rng = np.random.default_rng((9, number))
            arrays = test.take(number, 0, frames)
            layer = "image" if number % 2 else "clean"
            faces += [aligned(im, disturbed(p, rng)) for im, p in zip(arrays[layer], arrays["points"], strict=True)]
            codes += list(arrays["shape"])
            who += [person] * frames
        rows.append(net(torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).float() / 255))
    return torch.cat(rows), torch.from_numpy(np.stack(codes)).float(), who


def finish(net: CompactShape, guessed: Tensor, codes: Tensor, who: Sequence[int]) -> None:
    """Set the spread: of the true codes about the mean guess of a person's frames; arguments of :func:`guesses`."""
    mean, true = _of_people(guessed, who), _of_people(codes, who)
    net.spread.copy_((true - mean).square().mean(0).sqrt().clamp(0.05, 1.0))


def judge(guessed: Tensor, codes: Tensor, who: Sequence[int], truth: FaceTruth) -> dict[str, float]:
    """Return the figures: errors of the resting face over the mean head's; arguments of :func:`guesses`."""
    true = _of_people(codes, who)

    def error(shape: Tensor) -> float:
        return float(similar_mm(truth.neutral(shape), truth.neutral(true)).mean())

    ways = {
        "one frame": _of_people(guessed, who, 1),
        "one scene": _of_people(guessed, who, FRAMES),
        "two scenes": _of_people(guessed, who),
    }
    mean = error(0 * true)
    figures = {f"neutral error of {name}, % of the mean head's": 100 * error(v) / mean for name, v in ways.items()}
    off = (ways["two scenes"] - true)[:, :10]
    figures["spread of the first 10 codes"] = float(off.square().mean().sqrt())
    figures["mean head mm"] = mean
    return figures


def _of_people(rows: Tensor, who: Sequence[int], first: int | None = None) -> Tensor:
    """Return the mean of each person's rows (N, S), or of the ``first`` of them."""
    people = torch.tensor(who)
    return torch.stack([rows[people == person][:first].mean(0) for person in sorted(set(who))])


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: train, write weights and card."""
    parser = command_parser("tvface.bundled.shape", __doc__)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--more", type=Path, nargs="*", default=[], help="further folders of shots")
    parser.add_argument(
        "--test", type=Path, required=True, help="folder of shots of other people, to judge and to set the spread by"
    )
    add_training(
        parser, rate=Recipe.rate, held_out=0, threads=1, crops_help="folder of shots", held_out_help="not used"
    )
    options = parser.parse_args(arguments)
    begin(options.threads)
    names = ("image", "clean", "points", "shape")
    sets = [shots.load(folder, names) for folder in (options.crops, *options.more)]
    test = shots.load(options.test, names)
    recipe = Recipe(options.steps, rate=options.rate, seed=options.seed, held_out=len(test.people()))
    options.out.mkdir(parents=True, exist_ok=True)
    checkpoint = options.out / ".shape.checkpoint.pt"
    faces = Faces(sets)
    net, curve, seconds = train(faces, test, recipe, checkpoint)
    command = command_line("tvface.bundled.shape", arguments)
    crops = len(faces.rows) + len(Faces([test]).rows)
    people = sum(len(part.people()) for part in (*sets, test))
    about = training_notes(command, crops, options.crops, asdict(recipe), curve[-1], people=people)
    about["crops_command"] = "make weights-shots"
    save_bundle(options.out / FILE, net, SIZE, 1.0, about)
    write_card(options.out / FILE, "shape", net, SIZE, about, curve, seconds)
    checkpoint.unlink()


if __name__ == "__main__":
    main()
