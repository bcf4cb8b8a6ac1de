"""Stage ``train``: one model through one phase; ``shard`` is ``<model>/<phase>``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment

from tvface.assets import registry as assets
from tvface.dag.provenance import Paths, provenance, stage_code, stage_run, stage_settings
from tvface.dag.stages import PHASES, only
from tvface.dag.training_needs import starts
from tvface.files.digests import digest
from tvface.head.data import HeadData
from tvface.manifests import read, write
from tvface.manifests.dataset import DATASET
from tvface.manifests.train import TRAIN
from tvface.model import published
from tvface.model.clips import DataError, load_clips
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.weights_files import load_weights, save_weights
from tvface.runtime.device import torch_device
from tvface.runtime.logging import logger
from tvface.settings import Settings, SettingsError, as_mapping, parse_settings
from tvface.settings.phases import Phase
from tvface.training import phases
from tvface.training.acceleration import accelerate
from tvface.training.checkpoint import CheckpointStore
from tvface.training.loop import fit
from tvface.training.loss_networks import LossNetworks
from tvface.training.precision import NetworksInBfloat16
from tvface.training.sampler import Sampler


@stage_run("train")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Train ``<model>/<phase>``.

    Args:
        inputs: ``dataset`` (manifest), ``head`` (npz), ``initial`` (weights of the phase before, as a path or a list
            of at most one; absent or empty for the first phase). Others are files that these refer to.
        outputs: ``manifest`` (curve) and ``weights`` (safetensors). Checkpoints go to ``checkpoints/`` beside them.
        shard: ``deca/pretrain`` and the like.
        threads: threads of the CPU's arithmetic.

    Raises:
        DataError: no training sequence, or sequences shorter than the window.
        SettingsError: steps and epochs contradict each other.
        MissingAsset: a loss term or the warm start needs weights that are absent.
        CheckpointError: published weights to start from do not fit the settings' sizes.
        TrainingDiverged: a loss or gradient is not finite.
    """
    model, _, phase = shard.partition("/")
    devices = settings.train.devices
    if devices == 1:
        torch.set_num_threads(threads)
        _train(_fabric(settings), settings, inputs, outputs, model, phase)
        return
    # Fabric walks through the arguments of a process and refuses frozen dataclasses: plain values travel instead.
    arguments = (as_mapping(settings), dict(inputs), dict(outputs), model, phase, max(1, threads // devices))
    _fabric(settings).launch(_train_in_process, *arguments)  # type: ignore[arg-type]  # launch passes them on


def _train_in_process(
    fabric: Fabric,
    values: dict[str, Any],
    inputs: dict[str, Any],
    outputs: dict[str, Any],
    model: str,
    phase: str,
    threads: int,
) -> None:
    torch.set_num_threads(threads)
    _train(fabric, only(parse_settings(values), "train", f"{model}/{phase}"), inputs, outputs, model, phase)


def _fabric(settings: Settings) -> Fabric:
    device, devices, train = torch_device(settings.device), settings.train.devices, settings.train
    # Inside a Slurm job Fabric would count Slurm's tasks; the processes here are its own.
    plugins: list[Any] = [LightningEnvironment()]
    if train.precision == "bf16-mixed":
        plugins.append(NetworksInBfloat16(device))
    return Fabric(
        accelerator=device.type,
        devices=devices,
        # Processes are spawned and not started by running the command again: a Snakemake script has none.
        strategy="ddp_spawn" if devices > 1 else "auto",
        precision=None if train.precision == "bf16-mixed" else train.precision,
        plugins=plugins,
    )


def _train(fabric: Fabric, settings: Settings, inputs: Paths, outputs: Paths, model: str, phase: str) -> None:
    log = logger("train")
    train, chosen = settings.train, getattr(settings.train, phase)
    rows = read(inputs["dataset"], DATASET).rows
    clips = {
        part: load_clips(
            rows[rows["split"] == part], train.image_size, settings.masks.classes, train.original.half_pixel_landmarks
        )
        for part in ("train", "validation")
    }
    if not clips["train"]:
        raise DataError(
            f"{inputs['dataset']} has no training sequence. Look at what dropped the footage in the report or in "
            "dataset.json; then loosen sequences.min_score, min_side, moving_pairs or clarity_percentile, "
            "faces.min_score, or the split (dataset.split.disjoint, validation, test)"
        )
    spec = ModelSpec.of(model, train, settings.head, settings.seed)
    face_model = FaceModel(spec, HeadData.load(inputs["head"]))
    initial = initial_weights(inputs)
    if initial is not None:
        face_model.load_weights(load_weights(initial, spec))
    start = starts(settings, model) if phase == PHASES[0] else {}
    # Before they are loaded: what is not the published file is refused.
    start_digests = {name: value for files in start.values() for name, value in assets.digests(files).items()}
    reports = published.warm_start(face_model, {name: files[0][1] for name, files in start.items()})
    if train.batch_norm == "frozen" and phase == PHASES[0] and not start.keys() & {"features", "deca", "resnet50"}:
        raise SettingsError(
            "train.batch_norm: frozen keeps the statistics of a start, and there is none: give "
            "train.warm_start.features, deca or resnet50, or set train.batch_norm: batch"
        )
    for report in reports:
        log.info("%s", report)
    networks = LossNetworks.load(chosen.loss_weights, phase, fabric.device, train.original)
    chosen_here = accelerate(face_model, train, fabric.device, fabric.world_size)
    task = phases.PhaseTask(
        face_model,
        phase,
        chosen,
        networks,
        settings.seed,
        processes=fabric.world_size,
        keep_codes=train.augment_scale == 0 and train.augment_shift == 0 and not train.augment_flip,
        frozen_norm=train.batch_norm == "frozen",
    )
    sampler = Sampler(
        clips["train"],
        chosen.batch,
        train.frames,
        settings.seed,
        fabric.global_rank,
        fabric.world_size,
        train.augment_scale,
        train.augment_shift,
        train.original.scale_per_frame,
        train.augment_flip,
    )
    steps = steps_of(chosen, sampler, f"train.{phase}")
    shard = f"{model}/{phase}"
    described = stage_settings("train", settings, shard)
    shaped_by = [*known_files(inputs), *(path for files in start.values() for _, path in files)]
    store = CheckpointStore(
        Path(outputs["weights"]).parent / "checkpoints",
        _fingerprint(settings, described, phase, shaped_by, fabric.world_size),
        train.keep_checkpoints,
        log,
    )
    log.info(
        "%s, %s: %d steps of %d windows of %d frames from %d sequences; terms: %s",
        *(model, phase, steps, chosen.batch * fabric.world_size, train.frames, len(clips["train"])),
        ", ".join(task.terms),
    )
    curve = fit(fabric, task, sampler, clips["validation"], steps, chosen, train, store)
    if not fabric.is_global_zero:
        return
    save_weights(outputs["weights"], face_model.weights(), spec, phase=phase, steps=steps)
    table = pd.DataFrame(curve.rows, columns=["step", "part", "term", "value"]).assign(model=model, phase=phase)
    write(
        outputs["manifest"],
        TRAIN,
        table,
        provenance(
            "train",
            settings,
            inputs,
            shard=shard,
            backend=model,
            weights={**networks.digests, **start_digests},
            notes={
                "steps": steps,
                "sequences": {part: len(items) for part, items in clips.items()},
                "terms": list(task.terms),
                "terms_switched_off": list(task.off),
                "parameters_trained": sum(parameter.numel() for parameter in task.trained()),
                "device": fabric.device.type,
                "warm_start": [str(report) for report in reports],
                **chosen_here,
            },
        ),
    )


def initial_weights(inputs: Paths) -> Path | None:
    """Return the weights a phase starts from, or None: ``initial`` is a path, or a list of none or one."""
    given = inputs.get("initial") or []
    paths = [given] if isinstance(given, str | Path) else list(given)
    return Path(paths[0]) if paths else None


def steps_of(phase: Phase, sampler: Sampler, where: str) -> int:
    """Return the optimiser steps of a phase.

    Raises:
        SettingsError: neither or both of ``steps`` and ``epochs`` are given.
    """
    if (phase.steps is None) == (phase.epochs is None):
        raise SettingsError(f"{where}: give either steps or epochs, and null for the other")
    if phase.steps is not None:
        return phase.steps
    assert phase.epochs is not None
    return sampler.steps(phase.epochs)


def known_files(inputs: Paths) -> list[Path]:
    """Return the inputs whose content shapes the training; the stores are known by the dataset that refers to them."""
    initial = initial_weights(inputs)
    return [Path(inputs["dataset"]), Path(inputs["head"]), *([initial] if initial else [])]


def _fingerprint(
    settings: Settings, described: dict[str, Any], phase: str, files: Sequence[str | Path], processes: int
) -> str:
    """Stand for all that shapes the run except its length, so that a longer run goes on from a shorter one.

    A schedule that falls to zero at the end is shaped by the length.
    """
    shaping = json.loads(json.dumps(described))
    if shaping["train"][phase]["schedule"] == "constant":
        for name in ("steps", "epochs"):
            shaping["train"][phase].pop(name)
    known = [shaping, stage_code("train", settings), processes, [digest(path) for path in files]]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
