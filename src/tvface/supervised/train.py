"""Train an encoder on synthetic shots.

    python -m tvface.supervised.train residual --shots .cache/shots5 .cache/shots10 --out runs/residual

writes ``weights.safetensors``, a model without detail. A training that was stopped resumes from its checkpoint.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import torch
from lightning_fabric import Fabric

from tvface.dag.code import code_digest
from tvface.files.digests import digest
from tvface.model import published
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.weights_files import save_weights
from tvface.runtime.device import torch_device
from tvface.runtime.logging import logger, start_logging
from tvface.settings import Settings, as_mapping, load
from tvface.settings.phases import MODELS, PretrainPhase
from tvface.settings.supervised import Supervised
from tvface.supervised import shots
from tvface.supervised.lesson import Lesson
from tvface.supervised.windows import ShotSampler
from tvface.training.checkpoint import CheckpointStore
from tvface.training.loop import fit

_WARM_UP = 200  # steps
_CLIP = 1.0

log = logger("supervised")


def spec_of(model: str, settings: Settings, seed: int) -> ModelSpec:
    """Return the specification of a model that learns from truth: no detail, points where the renderer has them."""
    train = settings.train
    exact = dataclasses.replace(train, original=dataclasses.replace(train.original, half_pixel_landmarks=False))
    return dataclasses.replace(ModelSpec.of(model, exact, settings.head, seed), detail=False)


def train(
    model: str,
    sets: Sequence[shots.Shots],
    settings: Settings,
    recipe: Supervised,
    start: Path | None,
    folder: Path,
    seed: int = 0,
) -> FaceModel:
    """Train the coarse encoder of a model on shots and return the model.

    Args:
        model: deca, temporal or residual.
        sets: of shots to train on.
        settings: of the model.
        recipe: of the training.
        start: weights with features of the encoder, or all weights of such a model; None: random ones.
        folder: of the checkpoints.
        seed: of the initial weights and the windows.
    """
    head = sets[0].head
    spec = spec_of(model, settings, seed)
    face_model = FaceModel(spec, head)
    if start is not None:
        for report in published.warm_start(face_model, {"features": start}):
            log.info("%s", report)
    fabric = Fabric(accelerator=torch_device(settings.device).type, devices=1)
    lesson = Lesson(face_model, head, recipe.loss_weights, settings.train.batch_norm == "frozen")
    sampler = ShotSampler(sets, spec.image_size, recipe.lengths, recipe.budget, seed, settings.masks.classes)
    phase = PretrainPhase(
        steps=recipe.steps,
        batch=sampler.batch,
        learning_rate=recipe.learning_rate,
        schedule="cosine",
        warm_up=min(_WARM_UP, recipe.steps // 10),
        clip_norm=_CLIP,
    )
    known = [model, as_mapping(recipe), spec.as_mapping(), seed, code_digest(__name__)]
    known += [digest(start)] if start else []
    known += [(len(part), part.size) for part in sets]
    fingerprint = hashlib.sha256(json.dumps(known, sort_keys=True, default=str).encode()).hexdigest()
    store = CheckpointStore(folder / "checkpoints", fingerprint, 1, log)
    fit(fabric, lesson, sampler, (), recipe.steps, phase, settings.train, store)
    return face_model.eval().cpu()


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line: train a model and write its weights."""
    parser = argparse.ArgumentParser(
        "tvface.supervised.train", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    defaults = Supervised()
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("--shots", type=Path, nargs="+", required=True, help="folders of tvface synth-crops")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", type=Path, help="weights to start from")
    parser.add_argument("--steps", type=int, default=defaults.steps)
    parser.add_argument("--lengths", type=int, nargs="+", default=list(defaults.lengths))
    parser.add_argument("--budget", type=int, default=defaults.budget, help="frames per step")
    parser.add_argument("--rate", type=float, default=defaults.learning_rate)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--config", type=Path, nargs="+", default=[Path("config.yaml")])
    options = parser.parse_args(arguments)
    start_logging()
    torch.set_num_threads(options.threads)
    settings = load(options.config, {})
    recipe = Supervised(options.steps, tuple(options.lengths), options.budget, options.rate)
    sets = [shots.load(folder) for folder in options.shots]
    model = train(options.model, sets, settings, recipe, options.start, options.out, options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    save_weights(
        options.out / "weights.safetensors", model.weights(), model.spec, phase="supervised", steps=recipe.steps
    )
    log.info("%s", options.out / "weights.safetensors")


if __name__ == "__main__":
    main()
