"""The files of a job, for commands without Snakemake: rows of :data:`tvface.dag.jobs.JOBS` with their shards."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tvface.dag import jobs
from tvface.dag.jobs import JOBS, Run, job_name
from tvface.dag.needs import require
from tvface.episodes import find_episode
from tvface.settings import Settings, SettingsError

Files = dict[str, "Path | list[Path]"]


def outputs(stage: str, settings: Settings, shard: str = "") -> dict[str, Path]:
    """Return the outputs of a stage for a shard (empty: the whole run) by name.

    Raises:
        SettingsError: the stage works on one shard at a time and ``shard`` is empty.
    """
    job = job_name(stage, shard)
    run, wildcards = Run(settings), _wildcards(job, shard)
    return {name: Path(*run.outputs(job, name, [wildcards])) for name in JOBS[job].writes}


def inputs(stage: str, settings: Settings, shard: str = "") -> Files:
    """Return the inputs of a stage for a shard (empty: the whole run) by name.

    Raises:
        EpisodeError: no such episode.
        MissingAsset: the stage needs weights or licensed files that are missing.
        SettingsError: no such show; or as :func:`outputs`.
    """
    job = job_name(stage, shard)
    if JOBS[job].wildcards == ("episode",):
        find_episode(settings, shard)
    run, wildcards = Run(settings), _wildcards(job, shard)
    files: Files = {}
    for name, read in JOBS[job].reads.items():
        if callable(read):
            paths = read(run, wildcards)
            files[name] = Path(paths) if isinstance(paths, str) else [Path(path) for path in paths]
        else:
            files[name] = Path(run.below_results(read).format(**wildcards))
    return {**files, "assets": require(settings, stage, shard)}


def _wildcards(job: str, shard: str) -> dict[str, str]:
    return dict(zip(JOBS[job].wildcards, shard.split("/") if shard else (), strict=True))


def face_manifests(settings: Settings, show: str) -> list[Path]:
    """Return the manifests of ``faces`` of a show's episodes.

    Raises:
        SettingsError: no such show.
    """
    return [Path(path) for path in jobs.faces_of_show(Run(settings), {"show": show})]


def decisions(settings: Settings, show: str) -> list[Path]:
    """Return the file with a human's decisions about the people of a show, if there is one.

    Raises:
        SettingsError: ``identities.decisions`` is not a folder.
    """
    return jobs.decisions(Run(settings), {"show": show})


def require_made(paths: Iterable[Path], target: str) -> None:
    """Check that files of the run exist.

    Raises:
        SettingsError: one is missing; the message names the target that makes them.
    """
    for path in paths:
        if not path.is_file():
            raise SettingsError(f"{path} is not there yet; run snakemake --cores all {target}")
