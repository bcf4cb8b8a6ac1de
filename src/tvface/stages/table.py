"""The table of stages, and what of the settings and the source decides each one's results.

Snakemake reads this module while it builds the DAG, so it imports nothing heavy.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tvface.settings import Settings, as_mapping
from tvface.stages.code import code_digest

PHASES = ("pretrain", "coarse", "detail")

# They say how often training reports and saves itself, not what it learns: a change must not train again.
_HOUSEKEEPING = ("models", "threads", "checkpoint_every", "keep_checkpoints")


@dataclass(frozen=True)
class Stage:
    """One stage: its name, the settings blocks it reads and what selects its registered backends.

    ``blocks`` are dotted names in :class:`Settings`; a change elsewhere does not rerun the stage.
    ``backends`` maps a registry package to the dotted setting that names the backend. ``data`` are packages whose files
    (templates) the stage reads without importing them.
    """

    name: str
    about: str
    blocks: tuple[str, ...]
    backends: Mapping[str, str]
    data: tuple[str, ...] = ()


STAGES = {
    stage.name: stage
    for stage in (
        Stage("synth", "render the embedded show", ("synth", "seed"), {}),
        Stage("head", "build or convert the head model", ("head",), {}),
        Stage("archive", "take the episodes of the sample sheet out of TVQA's split archive", ("archive",), {}),
        Stage("frames", "sample footage into frame stores", ("frames",), {}),
        Stage(
            "faces",
            "detect, embed and track faces",
            ("faces",),
            {"detectors": "faces.detector", "embedders": "faces.embedder"},
        ),
        Stage(
            "identities",
            "cluster tracks into people",
            ("identities", "faces.embedder"),
            {"embedders": "faces.embedder"},
        ),
        Stage(
            "sequences",
            "mine sequences of one moving, clear face",
            ("sequences", "faces.embedder"),
            {"embedders": "faces.embedder"},
        ),
        Stage("landmarks", "find 68 points per crop", ("landmarks",), {"landmarkers": "landmarks.backend"}),
        Stage("masks", "parse crops into classes", ("masks",), {"parsers": "masks.backend"}),
        Stage("dataset", "join, flow, split", ("dataset",), {"flow": "dataset.flow.backend"}),
        Stage("train", "train one model through one phase", ("train", "head", "seed"), {}),
        Stage("reconstruct", "codes and meshes", ("reconstruct",), {}),
        Stage("evaluate", "numbers", ("evaluate",), {}),
        Stage("render", "figures", ("render",), {}),
        Stage("report", "one HTML page", ("report",), {}, data=("tvface.reporting",)),
    )
}


def lookup(settings: Any, dotted: str) -> Any:
    """Return the setting with this dotted name."""
    for part in dotted.split("."):
        settings = getattr(settings, part)
    return settings


def stage_settings(name: str, settings: Settings) -> dict[str, Any]:
    """Return the settings that the stage reads, as plain values keyed by dotted name."""
    return {dotted: as_mapping(lookup(settings, dotted)) for dotted in STAGES[name].blocks}


def train_settings(settings: Settings, model: str, phase: str) -> dict[str, Any]:
    """Return the settings that decide one model's training in one phase, keyed by dotted name.

    Only that model's encoder and that phase: changing ``train.temporal`` leaves ``deca`` alone, and changing
    ``train.detail`` does not train the coarse phase again.
    """
    train = settings.train
    shared = {
        f"train.{field.name}": as_mapping(getattr(train, field.name))
        for field in dataclasses.fields(train)
        if not dataclasses.is_dataclass(getattr(train, field.name)) and field.name not in _HOUSEKEEPING
    }
    chosen = {f"train.{name}": as_mapping(getattr(train, name)) for name in (model, phase, "original")}
    start = warm_start_files(settings, model) if phase == PHASES[0] else {}
    if start:
        chosen["train.warm_start"] = start
    return {**shared, **chosen, "head": as_mapping(settings.head), "seed": settings.seed}


def warm_start_files(settings: Settings, model: str) -> dict[str, str]:
    """Return the weights that the first phase of a model starts from, by their name in the settings."""
    given = as_mapping(settings.train.warm_start).items()
    named = {name: value.replace("{model}", model) for name, value in given if value is not None}
    if model != "temporal":
        return {name: value for name, value in named.items() if name != "basicvsr"}
    return named | ({"spynet": settings.dataset.flow.weights} if settings.train.temporal.flow == "tuned" else {})


def stage_code(name: str, settings: Settings) -> str:
    """Return the digest of the source that makes this stage's results, with the chosen backends only."""
    chosen = {package: lookup(settings, dotted) for package, dotted in STAGES[name].backends.items()}
    return code_digest(f"tvface.stages.{name}", chosen, STAGES[name].data)
