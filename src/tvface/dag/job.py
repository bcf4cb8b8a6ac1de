"""From a Snakemake job to a stage: the body of every script in ``workflow/scripts``."""

from __future__ import annotations

import importlib
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tvface.assets.registry import FOLDER_VARIABLE, AssetError
from tvface.dag.needs import require
from tvface.runtime.logging import start_logging
from tvface.settings import Settings, parse_settings


def execute(stage: str, job: Any, shard: str = "") -> None:
    """Run a stage for one Snakemake job; the log goes to the job's log file and to the terminal.

    Args:
        stage: name of the stage.
        job: the ``snakemake`` object of a script.
        shard: the episode, show, model or ``model/phase`` of the job; empty: the whole run.
    """
    start_logging(Path(job.log[0]))
    limit_threads(job.threads)
    try:
        settings = parse_settings(job.config)
        inputs = named_paths(job.input)
        require_planned(stage, settings, shard, inputs.get("assets", []))
        module = importlib.import_module(f"tvface.stages.{stage}")
        module.run(settings, inputs, named_paths(job.output), shard=shard, threads=job.threads)
    except BaseException:
        logging.getLogger("tvface").exception("stage %s failed (%s)", stage, shard or "all")
        raise


def require_planned(stage: str, settings: Settings, shard: str, planned: Path | Sequence[Path]) -> None:
    """Check that a job loads the same files that were checked, and declared as its inputs, when the run was planned.

    Args:
        stage: name of the stage.
        settings: of the run.
        shard: of the job.
        planned: the files that were checked.

    Raises:
        MissingAsset, AssetError: a file is missing here, or damaged.
        AssetError: other files would be loaded.
    """
    checked = [planned] if isinstance(planned, Path) else list(planned)
    loaded = require(settings, stage, shard)
    if loaded != checked:
        before, here = (", ".join(map(str, paths)) or "no weight file" for paths in (checked, loaded))
        variable = f"{FOLDER_VARIABLE} is {os.environ.get(FOLDER_VARIABLE) or 'not set'} here"
        raise AssetError(
            f"stage {stage}: the run was planned with {before}, and this job would load {here}; {variable}: give jobs "
            "the environment of the command that plans them"
        )


def limit_threads(threads: int) -> None:
    """Limit every library of this process to the job's threads; call it before torch, OpenCV or numpy are imported.

    Passive waiting matters more than the number: where jobs share cores, threads that spin at each barrier of a small
    operation made a training step forty times slower (2 threads beside another job on 2 cores: 3.3 s instead of 0.08).
    """
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OPENCV_FOR_THREADS_NUM"):
        os.environ[name] = str(threads)
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def named_paths(files: Any) -> dict[str, Path | list[Path]]:
    """Turn Snakemake's named inputs or outputs into paths; a name that holds several files keeps a list."""
    named: Mapping[str, Any] = dict(files.items())
    return {
        name: Path(value) if isinstance(value, str) else [Path(path) for path in value] for name, value in named.items()
    }
