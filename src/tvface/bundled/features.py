"""Train the features that the demo's encoders start from, as DECA's encoders start from ImageNet.

    python -m tvface.bundled.features temporal --crops .cache/crops --steps 2000

The model of ``config.yaml`` learns single rendered people with the losses of its first two phases: landmarks, then
landmarks and photometry, against the renders' exact points and classes. The people of the embedded show are not among
them. The file holds the coarse encoder without its last two linear layers, so that a training that starts from it
(``train.warm_start.features``) still starts at the mean head. A training that was stopped resumes from its checkpoint.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from tvface.assets.registry import asset
from tvface.bundled import samples
from tvface.bundled.augment import Framing, frame, occlude, recolour
from tvface.bundled.card import write_card
from tvface.bundled.commands import add_training, begin, command_line, command_parser, log, training_notes
from tvface.files.digests import digest
from tvface.head.data import HeadData
from tvface.model.clips import CPU
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.weights_files import save_weights
from tvface.model.window import Window
from tvface.model.window_transforms import move
from tvface.settings import Settings, as_mapping, load
from tvface.settings.phases import Phase
from tvface.synthetic.crops.shard_files import HEAD
from tvface.training.checkpoint import CheckpointStore
from tvface.training.loop import fit
from tvface.training.loss_networks import LossNetworks
from tvface.training.phases import Conditions, PhaseTask
from tvface.training.sampler import rounds

# As the pipeline crops: `sequences.crop_scale` sides of the detector's box, `crop_down` of a side below its centre.
FRAMING = Framing(window=1.25, scale=0.12, shift=0.05, turn=0.15, up=0.23)
OCCLUDED = 0.05
# Largest change of scale and position of a crop between the frames of a window.
MOTION_SCALE, MOTION_SHIFT = 0.04, 0.04


@dataclass(frozen=True)
class Recipe:
    """How features are trained: steps of each of the two phases, people and frames per step."""

    steps: int
    batch: int
    frames: int
    rate: float = 1e-3
    seed: int = 0
    held_out: int = 400


@dataclass(frozen=True)
class CropSampler:
    """Windows of rendered people, one crop per window, with the interface of :class:`tvface.training.sampler.Sampler`.

    A batch is a function of seed and step. A window of several frames is one crop that moves as a whole, with the
    matching flow.
    """

    crops: samples.Samples
    classes: tuple[int, ...]
    size: int
    batch: int
    frames: int
    seed: int

    def names(self, step: int) -> tuple[str, ...]:
        """Return the names of a step's windows."""
        return tuple(f"crop {index}" for index in self._crops_of(step))

    def window(self, step: int, device: torch.device = CPU) -> Window:
        """Return the windows of a step, on a device."""
        generator = torch.Generator().manual_seed((self.seed << 32) + step)
        window = self.cut(self._crops_of(step), generator)
        if self.frames > 1:
            scale = 1 + MOTION_SCALE * (2 * torch.rand(self.batch, self.frames, generator=generator) - 1)
            shift = MOTION_SHIFT * (2 * torch.rand(self.batch, self.frames, 2, generator=generator) - 1)
            window = move(window, scale, shift, 0.0)
        return window.to(device)

    def cut(self, indices: Sequence[int], generator: torch.Generator | None, frames: int | None = None) -> Window:
        """Return windows of crops: varied at random, or in the mean framing and unchanged if ``generator`` is None."""
        index = np.asarray(indices)
        images, points, labels = (
            torch.from_numpy(array[index]) for array in (self.crops.images, self.crops.points, self.crops.labels)
        )
        views = frame(images, points, labels, FRAMING, self.size, generator)
        images = views.images
        if generator is not None:
            views = occlude(views, generator, OCCLUDED)
            images = recolour(views.images, generator)
        inside = torch.isin(views.labels, torch.tensor(self.classes))[:, None].float()
        frames = frames or self.frames
        still = images.new_zeros(len(index), frames - 1, 2, self.size // 2, self.size // 2)
        images, masks, landmarks = (
            maps[:, None].repeat(1, frames, *[1] * (maps.dim() - 1)) for maps in (images, inside, 2 * views.points - 1)
        )
        return Window(images, masks, landmarks, still, still, tuple(f"crop {i}" for i in index))

    def _crops_of(self, step: int) -> list[int]:
        return rounds(step * self.batch, self.batch, len(self.crops), self.seed, 4)


def features_file(model: str) -> str:
    """Return the name of the features file of a model."""
    return Path(asset(f"features_{model}").file).name


def train(
    model: str, settings: Settings, crops: samples.Samples, head: HeadData, recipe: Recipe, folder: Path
) -> tuple[FaceModel, list[dict[str, Any]]]:
    """Train a model on crops through ``pretrain`` and ``coarse``; return it and its figures on the held-out crops.

    Args:
        model: name of the model.
        settings: of the model and its phases.
        crops: all crops, the held-out crops included.
        head: the human head.
        recipe: of the training.
        folder: of the checkpoints.
    """
    kept, held_out = crops.split(recipe.held_out)
    # Points of renders are exact, with pixel centres where the rasteriser has them.
    train_settings = replace(settings.train, original=replace(settings.train.original, half_pixel_landmarks=False))
    face_model = FaceModel(ModelSpec.of(model, train_settings, settings.head, recipe.seed), head)
    fabric = Fabric(accelerator="cpu", devices=1)
    classes = tuple(settings.masks.classes)
    common = (classes, train_settings.image_size, recipe.batch, recipe.frames, recipe.seed)
    held_out_sampler = CropSampler(held_out, *common)
    figures: list[dict[str, Any]] = []
    untrained = judge(face_model, held_out_sampler)
    log.info("%s, untrained: %s", model, untrained)
    for number, name in enumerate(("pretrain", "coarse"), 1):
        phase: Phase = replace(
            getattr(train_settings, name),
            steps=recipe.steps,
            learning_rate=recipe.rate,
            schedule="cosine",
            consistency=False,
        )
        networks = LossNetworks.load(phase.loss_weights, name, CPU)
        task = PhaseTask(face_model, name, phase, networks, Conditions(seed=recipe.seed))
        inputs = json.dumps([model, name, asdict(recipe), as_mapping(train_settings), len(crops)], sort_keys=True)
        store = CheckpointStore(folder / name, hashlib.sha256(inputs.encode()).hexdigest(), 1, log)
        curve = fit(fabric, task, CropSampler(kept, *common), (), recipe.steps, phase, train_settings, store)
        last = [value for *_, term, value in curve.rows if term == "total"][-1]
        row = {"step": number * recipe.steps, "loss": round(last, 4), **judge(face_model, held_out_sampler)}
        log.info("%s, %s: %s", model, name, row)
        figures.append(row)
    figures[-1] |= {f"untrained_{name}": value for name, value in untrained.items()}
    return face_model, figures


@torch.no_grad()
def judge(model: FaceModel, sampler: CropSampler, batch: int = 20) -> dict[str, float]:
    """Return the figures on all crops of a sampler.

    Returns:
        ``nme_percent``: mean error of the 68 points over the outer eye distance. ``colour_percent``: mean absolute
        difference of colour inside the face mask where the head is drawn.
    """
    model.eval()
    points, colours = [], []
    for start in range(0, len(sampler.crops), batch):
        window = sampler.cut(range(start, min(start + batch, len(sampler.crops))), None, 1)
        codes = model.encode_coarse(window)
        geometry = model.geometry(codes)
        truth = window.landmarks.flatten(0, 1)
        eyes = (truth[:, 36] - truth[:, 45]).norm(dim=-1)
        # Turned faces have a short eye distance; it counts as at least half of the mean face's.
        points.append((geometry.landmarks2d - truth).norm(dim=-1).mean(1) / eyes.clamp_min(0.3))
        rendering = model.render(codes, geometry)
        images, masks = (model.target_images(maps.flatten(0, 1)) for maps in (window.images, window.masks))
        inside = masks * rendering.face_eye_mask * rendering.alpha
        difference = ((rendering.images - images).abs() * inside).mean(1).sum((1, 2))
        colours.append(difference / inside.sum((1, 2, 3)).clamp_min(1))
    model.train()
    return {
        "nme_percent": round(100 * float(torch.cat(points).mean()), 2),
        "colour_percent": round(100 * float(torch.cat(colours).mean()), 2),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: train the features of one model and write them and their card."""
    parser = command_parser("tvface.bundled.features", __doc__)
    parser.add_argument("model", choices=("deca", "temporal"))
    parser.add_argument("--steps", type=int, required=True, help="of each of the two phases")
    parser.add_argument("--batch", type=int, default=20, help="people per step")
    parser.add_argument("--frames", type=int, default=1, help="frames per window")
    parser.add_argument("--config", type=Path, default=Path("config.yaml"), help="settings of the model")
    add_training(
        parser,
        rate=Recipe.rate,
        held_out=Recipe.held_out,
        threads=1,
        crops_help="folder of shards made by tvface.bundled.crops",
        held_out_help="last crops, used only to judge",
    )
    options = parser.parse_args(arguments)
    begin(options.threads)
    settings = load([options.config], {})
    recipe = Recipe(options.steps, options.batch, options.frames, options.rate, options.seed, options.held_out)
    crops = samples.load(options.crops)
    head = HeadData.load(options.crops / HEAD)
    folder = options.out / f".features_{options.model}"
    started = time.monotonic()
    model, curve = train(options.model, settings, crops, head, recipe, folder)
    target = options.out / features_file(options.model)
    kept = {
        name: tensor.half() if tensor.is_floating_point() else tensor
        for name, tensor in model.weights().items()
        if name.startswith("coarse_encoder.") and not name.startswith("coarse_encoder.layers.")
    }
    save_weights(target, kept, model.spec, phase="features", steps=2 * options.steps)
    command = command_line("tvface.bundled.features", arguments)
    about = training_notes(command, len(crops), options.crops, asdict(recipe), curve[-1])
    encoder = model.coarse_encoder
    write_card(target, "features", encoder, model.spec.image_size, about, curve, time.monotonic() - started)
    shutil.rmtree(folder)
    log.info("%s %s", target, digest(target))


if __name__ == "__main__":
    main()
