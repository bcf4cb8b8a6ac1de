"""The parts that all stages share: the table of stages, the signature of ``run``, provenance, progress.

Every stage is a module ``tvface.stages.<name>`` with

    @stage_run("<name>")
    def run(settings, inputs, outputs, *, shard="", threads=1) -> None

``inputs`` and ``outputs`` map names to paths (or lists of paths), as the rule of the same name declares them. ``run``
sees only the settings that the table declares for this job: reading another one raises. The table itself is in
:mod:`tvface.dag.stages`, which imports nothing heavy.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from tvface.dag.stages import STAGES, only, stage_code, stage_settings
from tvface.manifests.base import Provenance, parents
from tvface.runtime.logging import logger
from tvface.runtime.progress import ByteProgress, progress
from tvface.settings import Settings

__all__ = [
    "STAGES",
    "ByteProgress",
    "Paths",
    "logger",
    "progress",
    "provenance",
    "stage_code",
    "stage_run",
    "stage_settings",
]

Paths = Mapping[str, Any]


class Run(Protocol):
    """The ``run`` of a stage."""

    def __call__(
        self, settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1
    ) -> None: ...


def stage_run(name: str) -> Callable[[Run], Run]:
    """Decorate the ``run`` of a stage: it gets a view of the settings that the table declares for the job.

    The decorated function raises UndeclaredSetting if the stage, or what it calls, reads another setting.
    """

    def decorate(run: Run) -> Run:
        @functools.wraps(run)
        def guarded(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
            run(only(settings, name, shard), inputs, outputs, shard=shard, threads=threads)

        return guarded

    return decorate


def provenance(
    name: str,
    settings: Settings,
    inputs: Paths,
    *,
    shard: str = "",
    dropped: Mapping[str, int] | None = None,
    backend: str = "",
    weights: Mapping[str, str] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> Provenance:
    """Return the provenance of a job of a stage, for its manifest, with the settings that the table declares for it.

    Args:
        name: of the stage.
        settings: of the run.
        inputs: of the job; their digests are recorded.
        shard: of the job; empty: the whole run.
        dropped: number of dropped rows by reason.
        backend: names of the backends.
        weights: sha256 by file name.
        notes: other plain values.
    """
    recorded = stage_settings(name, settings, shard)
    flat = [path for value in inputs.values() for path in ([value] if isinstance(value, str | Path) else value)]
    return Provenance(
        stage=name,
        settings=recorded,
        code=stage_code(name, settings),
        parents=parents([path for path in flat if Path(path).is_file()]),
        weights=dict(weights or {}),
        backend=backend,
        seed=recorded.get("seed"),
        dropped=dict(dropped or {}),
        notes=dict(notes or {}),
    )
