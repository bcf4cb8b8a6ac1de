"""Stage ``train``: one model through one phase; ``shard`` is ``<model>/<phase>``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments import LightningEnvironment

from tvface.assets import registry as assets
from tvface.assets.registry import Asset
from tvface.dag.provenance import Paths, provenance, stage_code, stage_run, stage_settings
from tvface.dag.stages import only
from tvface.dag.training_needs import starts
from tvface.files.digests import digest
from tvface.head.data import HeadData
from tvface.manifests import read, write
from tvface.manifests.dataset import DATASET
from tvface.manifests.train import TRAIN
from tvface.model import published
from tvface.model.clips import Clip, DataError, load_clips
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.weights_files import load_weights, save_weights
from tvface.runtime.device import torch_device
from tvface.runtime.logging import logger
from tvface.settings import Settings, SettingsError, as_mapping, parse_settings
from tvface.settings.phases import PHASES, Phase
from tvface.training import phases
from tvface.training.acceleration import accelerate
from tvface.training.checkpoint import CheckpointStore
from tvface.training.journal import Journal
from tvface.training.loop import Curve, fit
from tvface.training.loss_networks import LossNetworks
from tvface.training.precision import NetworksInBfloat16
from tvface.training.sampler import Sampler


@stage_run("train")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Train ``<model>/<phase>``.

    Args:
        inputs: ``dataset`` (manifest), ``head`` (npz), ``initial`` (weights of the phase before, as a path or a list
            of at most one; absent or empty for the first phase). Other names are files that these refer to.
        outputs: ``manifest`` (curve) and ``weights`` (safetensors). Beside them ``checkpoints/``, and ``log/`` with
            what can be watched while it runs (:mod:`tvface.training.journal`) and ``best.safetensors``, the weights
            that were best in validation.
        shard: ``deca/pretrain`` and the like.
        threads: threads of the CPU's arithmetic.

    Raises:
        DataError: no training sequence, or sequences shorter than the window.
        SettingsError: steps and epochs contradict each other.
        MissingAsset: weights that a loss term or the warm start needs are missing.
        CheckpointError: the published weights of the warm start do not fit the sizes in the settings.
        TrainingDiverged: a loss or gradient is not finite.
    """
    model, _, phase = shard.partition("/")
    devices = settings.train.devices
    if devices == 1:
        torch.set_num_threads(threads)
        _train(_fabric(settings), _Job(settings, inputs, outputs, model, phase))
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
    settings = only(parse_settings(values), "train", f"{model}/{phase}")
    _train(fabric, _Job(settings, inputs, outputs, model, phase))


def _fabric(settings: Settings) -> Fabric:
    device, devices, train = torch_device(settings.device), settings.train.devices, settings.train
    # Inside a Slurm job Fabric would use Slurm's tasks; here Fabric spawns its own processes.
    plugins: list[Any] = [LightningEnvironment()]
    if train.precision == "bf16-mixed":
        plugins.append(NetworksInBfloat16(device))
    return Fabric(
        accelerator=device.type,
        devices=devices,
        # Processes are spawned: a Snakemake script has no command that Fabric could run again.
        strategy="ddp_spawn" if devices > 1 else "auto",
        precision=None if train.precision == "bf16-mixed" else train.precision,
        plugins=plugins,
    )


@dataclass(frozen=True)
class _Job:
    """One training: its settings and files, its model and its phase."""

    settings: Settings
    inputs: Paths
    outputs: Paths
    model: str
    phase: str

    @property
    def shard(self) -> str:
        """``<model>/<phase>``."""
        return f"{self.model}/{self.phase}"

    @property
    def of_phase(self) -> Phase:
        """The settings of the phase."""
        phase: Phase = getattr(self.settings.train, self.phase)
        return phase


@dataclass(frozen=True)
class _Start:
    """Published weights of the warm start: files by setting, digests by file, and a report per file loaded."""

    files: Mapping[str, list[tuple[Asset, Path]]]
    digests: Mapping[str, str]
    reports: Sequence[str]


def _train(fabric: Fabric, job: _Job) -> None:
    train, phase = job.settings.train, job.of_phase
    clips = _clips(job)
    face_model, start = _model(job)
    networks = LossNetworks.load(phase.loss_weights, job.phase, fabric.device, train.original)
    acceleration = accelerate(face_model, train, fabric.device, fabric.world_size)
    conditions = phases.Conditions(
        seed=job.settings.seed,
        processes=fabric.world_size,
        keep_codes=train.augment_scale == 0 and train.augment_shift == 0 and not train.augment_flip,
        frozen_norm=train.batch_norm == "frozen",
    )
    task = phases.PhaseTask(face_model, job.phase, phase, networks, conditions)
    sampler = _sampler(job, clips["train"], fabric)
    steps = steps_of(phase, sampler, f"train.{job.phase}")
    store = _store(job, start, fabric.world_size)
    logger("train").info(
        "%s, %s: %d steps of %d windows of %d frames from %d sequences; terms: %s",
        *(job.model, job.phase, steps, phase.batch * fabric.world_size, train.frames, len(clips["train"])),
        ", ".join(task.terms),
    )
    folder = Path(job.outputs["weights"]).parent / "log"

    def keep_best(step: int) -> None:
        save_weights(folder / "best.safetensors", face_model.weights(), face_model.spec, phase=job.phase, steps=step)

    curve = fit(
        fabric, task, sampler, clips["validation"], steps, phase, train, store, journal=Journal(folder, keep_best)
    )
    if fabric.is_global_zero:
        notes = {
            "steps": steps,
            "sequences": {part: len(sequences) for part, sequences in clips.items()},
            "terms": list(task.terms),
            "terms_switched_off": list(task.off),
            "parameters_trained": sum(parameter.numel() for parameter in task.trained()),
            "device": fabric.device.type,
            "warm_start": list(start.reports),
            **acceleration,
        }
        save_weights(job.outputs["weights"], face_model.weights(), face_model.spec, phase=job.phase, steps=steps)
        _write_curve(job, curve, {**networks.digests, **start.digests}, notes)


def _clips(job: _Job) -> dict[str, list[Clip]]:
    """Return the clips of the parts ``train`` and ``validation`` of the dataset.

    Raises:
        DataError: the dataset has no training sequence.
    """
    train = job.settings.train
    rows = read(job.inputs["dataset"], DATASET).rows
    clips = {
        part: load_clips(
            rows[rows["split"] == part],
            train.image_size,
            job.settings.masks.classes,
            train.original.half_pixel_landmarks,
        )
        for part in ("train", "validation")
    }
    if not clips["train"]:
        raise DataError(
            f"{job.inputs['dataset']} has no training sequence. Look at what dropped the footage in the report or in "
            "dataset.json; then loosen sequences.min_score, min_side, moving_pairs or clarity_percentile, "
            "faces.min_score, or the split (dataset.split.disjoint, validation, test)"
        )
    return clips


def _model(job: _Job) -> tuple[FaceModel, _Start]:
    """Return the model at the start of the phase: with the weights of the phase before, or with published ones.

    Raises:
        SettingsError: ``train.batch_norm`` is "frozen", and no warm start gives statistics.
    """
    settings, train = job.settings, job.settings.train
    spec = ModelSpec.of(job.model, train, settings.head, settings.seed)
    face_model = FaceModel(spec, HeadData.load(job.inputs["head"]))
    initial = initial_weights(job.inputs)
    if initial is not None:
        face_model.load_weights(load_weights(initial, spec))
    files = starts(settings, job.model) if job.phase == PHASES[0] else {}
    # Digests come first: they refuse a file that is not the published one.
    digests = {name: value for rows in files.values() for name, value in assets.digests(rows).items()}
    reports = published.warm_start(face_model, {name: rows[0][1] for name, rows in files.items()})
    if train.batch_norm == "frozen" and job.phase == PHASES[0] and not files.keys() & {"features", "deca", "resnet50"}:
        raise SettingsError(
            "train.batch_norm: frozen keeps the statistics of a start, and there is none: give "
            "train.warm_start.features, deca or resnet50, or set train.batch_norm: batch"
        )
    for report in reports:
        logger("train").info("%s", report)
    return face_model, _Start(files, digests, [str(report) for report in reports])


def _sampler(job: _Job, clips: Sequence[Clip], fabric: Fabric) -> Sampler:
    train = job.settings.train
    return Sampler(
        clips,
        job.of_phase.batch,
        train.frames,
        job.settings.seed,
        fabric.global_rank,
        fabric.world_size,
        train.augment_scale,
        train.augment_shift,
        train.original.scale_per_frame,
        train.augment_flip,
    )


def _store(job: _Job, start: _Start, processes: int) -> CheckpointStore:
    """Return the store of the checkpoints, a folder beside the weights."""
    shaped_by = [*known_files(job.inputs), *(path for files in start.files.values() for _, path in files)]
    return CheckpointStore(
        Path(job.outputs["weights"]).parent / "checkpoints",
        _fingerprint(job, shaped_by, processes),
        job.settings.train.keep_checkpoints,
        logger("train"),
    )


def _write_curve(job: _Job, curve: Curve, digests: Mapping[str, str], notes: Mapping[str, Any]) -> None:
    table = pd.DataFrame(curve.rows, columns=["step", "part", "term", "value"])
    about = provenance(
        "train", job.settings, job.inputs, shard=job.shard, backend=job.model, weights=digests, notes=notes
    )
    write(job.outputs["manifest"], TRAIN, table.assign(model=job.model, phase=job.phase), about)


def initial_weights(inputs: Paths) -> Path | None:
    """Return the weights a phase starts from, or None; the input ``initial`` is a path or a list of at most one."""
    initial = inputs.get("initial") or []
    paths = [initial] if isinstance(initial, str | Path) else list(initial)
    return Path(paths[0]) if paths else None


def steps_of(phase: Phase, sampler: Sampler, where: str) -> int:
    """Return the optimizer steps of a phase.

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
    """Return the inputs whose content shapes the training; the dataset's digest covers the stores that it refers to."""
    initial = initial_weights(inputs)
    return [Path(inputs["dataset"]), Path(inputs["head"]), *([initial] if initial else [])]


def _fingerprint(job: _Job, files: Sequence[str | Path], processes: int) -> str:
    """Return a digest of everything that shapes the run except its length, so that a longer run resumes a shorter one.

    A schedule that falls to zero at the end depends on the length, so there the length counts.
    """
    shaping = json.loads(json.dumps(stage_settings("train", job.settings, job.shard)))
    if shaping["train"][job.phase]["schedule"] == "constant":
        for name in ("steps", "epochs"):
            shaping["train"][job.phase].pop(name)
    known = [shaping, stage_code("train", job.settings), processes, [digest(path) for path in files]]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()
