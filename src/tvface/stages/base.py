"""What all stages share: the table of stages, the signature of ``run``, provenance, progress.

Every stage is a module ``tvface.stages.<name>`` with

    run(settings, inputs, outputs, *, shard="", threads=1) -> None

``inputs`` and ``outputs`` map names to paths (or lists of paths), as the rule of the same name declares them.
This module imports nothing heavy: Snakemake reads it while it builds the DAG.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tvface.manifests.base import Provenance, parents
from tvface.settings import Settings, as_mapping
from tvface.stages.code import code_digest

T = TypeVar("T")
Paths = Mapping[str, Any]


@dataclass(frozen=True)
class Stage:
    """One stage: its name, the settings blocks it reads and what selects its registered backends.

    ``blocks`` are dotted names in :class:`Settings`; a change elsewhere does not rerun the stage.
    ``backends`` maps a registry package to the dotted setting that names the backend.
    """

    name: str
    about: str
    blocks: tuple[str, ...]
    backends: Mapping[str, str]


STAGES = {
    stage.name: stage
    for stage in (
        Stage("synth", "render the embedded show", ("synth", "seed"), {}),
        Stage("head", "build or convert the head model", ("head",), {}),
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
        Stage("dataset", "join, flow, split", ("dataset",), {}),
        Stage("train", "train one model through one phase", ("train", "head", "seed"), {}),
        Stage("reconstruct", "codes and meshes", ("reconstruct",), {}),
        Stage("evaluate", "numbers", ("evaluate",), {}),
        Stage("render", "figures", ("render",), {}),
        Stage("report", "one HTML page", ("report",), {}),
    )
}


def stage_settings(name: str, settings: Settings) -> dict[str, Any]:
    """Return the settings that the stage reads, as plain values keyed by dotted name."""
    return {dotted: as_mapping(lookup(settings, dotted)) for dotted in STAGES[name].blocks}


def lookup(settings: Any, dotted: str) -> Any:
    """Return the setting with this dotted name."""
    for part in dotted.split("."):
        settings = getattr(settings, part)
    return settings


def stage_code(name: str, settings: Settings) -> str:
    """Return the digest of the source that makes this stage's results, with the chosen backends only."""
    chosen = {package: lookup(settings, dotted) for package, dotted in STAGES[name].backends.items()}
    return code_digest(f"tvface.stages.{name}", chosen)


def provenance(
    name: str,
    settings: Settings,
    inputs: Paths,
    *,
    dropped: Mapping[str, int] | None = None,
    backend: str = "",
    weights: Mapping[str, str] | None = None,
    notes: Mapping[str, Any] | None = None,
    only: Mapping[str, Any] | None = None,
) -> Provenance:
    """Describe a run of a stage, for its manifest. ``only`` replaces the recorded settings."""
    flat = [path for value in inputs.values() for path in ([value] if isinstance(value, str | Path) else value)]
    return Provenance(
        stage=name,
        settings=dict(only) if only is not None else stage_settings(name, settings),
        code=stage_code(name, settings),
        parents=parents([path for path in flat if Path(path).is_file()]),
        weights=dict(weights or {}),
        backend=backend,
        seed=settings.seed,
        dropped=dict(dropped or {}),
        notes=dict(notes or {}),
    )


def logger(name: str) -> logging.Logger:
    """Return the stage's logger (``tvface.<name>``); handlers are set by the command or script that runs it."""
    return logging.getLogger(f"tvface.{name}")


def progress(items: Iterable[T], what: str, total: int | None = None) -> Iterator[T]:
    """Yield ``items`` with a bar on a terminal, and a plain line every ten seconds in a log."""
    if sys.stderr.isatty():
        from tqdm import tqdm

        yield from tqdm(items, desc=what, total=total, leave=False)
    else:
        yield from _plain_progress(items, what, total)


def _plain_progress(items: Iterable[T], what: str, total: int | None) -> Iterator[T]:
    import time

    log = logger("progress")
    if total is None and hasattr(items, "__len__"):
        total = len(items)  # type: ignore[arg-type]
    start = last = time.monotonic()
    done = 0
    for item in items:
        yield item
        done += 1
        now = time.monotonic()
        if now - last >= 10:
            last = now
            of = f" of {total}" if total else ""
            log.info("%s: %d%s, %.2f/s", what, done, of, done / (now - start))
    log.info("%s: %d done in %.1f s", what, done, time.monotonic() - start)
