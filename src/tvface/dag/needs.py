"""The weights and licensed files that the jobs of a run load. Snakemake checks them, so a missing one stops it early.

Every part of the pipeline declares what it loads: backends in their class (:mod:`tvface.assets.backends`), the head and
the training in :mod:`tvface.assets.head_needs` and :mod:`tvface.dag.training_needs`, which import nothing heavy. The
check and the load both use :func:`tvface.assets.registry.located`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tvface.assets import head_needs
from tvface.assets import registry as assets
from tvface.assets.backends import REGISTRIES, available, declared, needed_files
from tvface.assets.registry import MissingAsset, Need, describe_missing
from tvface.dag import training_needs
from tvface.dag.stages import STAGES, lookup
from tvface.settings import Settings
from tvface.settings.phases import PHASES

FIT_FILES = ("light_prior", "compact_eyes")
GUESS = "compact_shape"


def needs(settings: Settings, stage: str | None = None, shard: str | None = None) -> list[Need]:
    """Return every file that the jobs of a run load, each once, in data-flow order.

    Args:
        stage: only the files of its jobs; None: of all stages.
        shard: only the files of the job of this shard; None: of all jobs of the stage.
    """
    needs_by_path: dict[Path, Need] = {}
    for name in STAGES if stage is None else (stage,):
        for need in _of_stage(settings, name, shard):
            needs_by_path.setdefault(need.path, need)
    return list(needs_by_path.values())


def require(settings: Settings, stage: str, shard: str | None = None) -> list[Path]:
    """Return the files that a job loads (without ``shard``: all jobs of the stage), after checking them.

    The error lists all files that the whole run lacks. Nothing is raised if only other jobs lack files.

    Raises:
        MissingAsset: the job lacks a file; the message names file, licence, address, place and the setting that
            avoids it.
        AssetError: a file is a saved web page or is truncated.
        SettingsError: a backend is not registered.
    """
    job_needs = needs(settings, stage, shard)
    assets.check((need.asset, need.path) for need in job_needs if need.path.is_file())
    if any(not need.path.is_file() for need in job_needs):
        missing = [need for need in needs(settings) if not need.path.is_file()]
        raise MissingAsset("files are missing that these settings ask for\n" + "\n".join(map(_line, missing)))
    return [need.path for need in job_needs]


def may_load(stage: str) -> bool:
    """Return whether jobs of a stage load weights or licensed files under some settings."""
    return stage in ("head", "fit", "train") or bool(STAGES[stage].backends)


def _of_stage(settings: Settings, stage: str, shard: str | None) -> Iterator[Need]:
    if stage == "head":
        yield from head_needs.needs(settings.head)
    elif stage == "fit":
        for name in FIT_FILES:
            for row, path in assets.located(name):
                yield Need(row, "fit", path, "the stage fit", "nothing: it comes with tvface")
        if settings.fit.guess > 0 and settings.head.model == "human":
            for row, path in assets.located(GUESS):
                yield Need(row, "fit", path, f"fit.guess: {settings.fit.guess:g}", "fit.guess: 0")
    elif stage == "train":
        for model, phase in [shard.split("/")] if shard else [(m, p) for m in settings.train.models for p in PHASES]:
            yield from training_needs.needs(settings, model, phase)
    elif STAGES[stage].loads(settings, shard):
        for package in STAGES[stage].backends:
            yield from _of_backend(settings, stage, package)


def _of_backend(settings: Settings, stage: str, package: str) -> Iterator[Need]:
    setting = REGISTRIES[package]
    name, block = lookup(settings, setting), lookup(settings, setting.rpartition(".")[0])
    others = " or ".join(other for other in available(f"tvface.{package}") if other != name)
    for files in needed_files(declared(package, name), block):
        yield from (Need(row, stage, path, f"{setting}: {name}", f"{setting}: {others}") for row, path in files)


def _line(need: Need) -> str:
    return (
        f"- {need.asset.name} (stage {need.stage}, because of {need.setting}): "
        f"{describe_missing(need.asset, need.path)}\n    without it: {need.avoid}"
    )
