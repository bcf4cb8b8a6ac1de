"""The workflow of ``ci.yaml``, run whole in a copy of the project, and what a second run makes anew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, chdir
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from tests.workflow.checkout import Checkout
from tvface.dag.layout import outputs
from tvface.dag.stages import STAGES
from tvface.episodes import list_episodes
from tvface.files.digests import digest
from tvface.settings import Settings, load, merge
from tvface.settings.phases import PHASES

CONFIGURATION = "workflow/configs/ci.yaml"


@dataclass(frozen=True)
class State:
    """One file of a run: when it was last written, and what it holds."""

    written_ns: int
    sha256: str


class TinyRun:
    """A checkout in which the workflow of ``ci.yaml`` runs; every path is relative to ``checkout.folder``.

    ``base`` are settings on top of ``ci.yaml`` in every run, as nested mappings.
    """

    def __init__(self, checkout: Checkout, base: Mapping[str, Any] | None = None) -> None:
        self.checkout = checkout
        self.base = dict(base or {})

    @property
    def folder(self) -> Path:
        return self.checkout.folder

    def inside(self) -> AbstractContextManager[None]:
        """Make the folder the working folder for a block: paths in manifests are relative to it."""
        return chdir(self.folder)

    @cached_property
    def settings(self) -> Settings:
        return load([self.folder / "config.yaml", self.folder / CONFIGURATION], self.base)

    @cached_property
    def episodes(self) -> list[str]:
        return [episode.name for episode in list_episodes(self.settings)]

    def clone(self, folder: Path) -> TinyRun:
        """Copy the run as it stands, to change it."""
        return TinyRun(self.checkout.clone(folder), self.base)

    def snakemake(self, *targets: str, changes: Mapping[str, Any] | None = None) -> str:
        """Run Snakemake on two cores up to the targets (none: all) and return what it wrote.

        Args:
            changes: settings on top of ``base``, as nested mappings.
        """
        configurations = [CONFIGURATION]
        over = merge(self.base, changes or {})
        if over:
            (self.folder / "over.yaml").write_text(yaml.safe_dump(over), encoding="utf-8")
            configurations.append("over.yaml")
        answer = self.checkout.snakemake(*targets, "--cores", "2", "--configfile", *configurations)
        assert answer.returncode == 0, f"{answer.stdout}{answer.stderr}\n{self._failed_logs()}"
        return answer.stdout + answer.stderr

    def _failed_logs(self) -> str:
        logs = sorted((self.folder / self.settings.results / "logs").rglob("*.log"))
        return "\n".join(text for text in (log.read_text(encoding="utf-8") for log in logs) if "failed" in text)

    def jobs(self) -> Iterator[tuple[str, str]]:
        """Yield stage and shard of every job that the run may have, in the order of the data."""
        train = [f"{model}/{phase}" for model in self.settings.train.models for phase in PHASES]
        shows = sorted({episode.show for episode in list_episodes(self.settings)})
        shards = {"episode": self.episodes, "show": shows, "model/phase": train, "model": self.settings.train.models}
        for name, stage in STAGES.items():
            yield from ((name, shard) for shard in shards.get(stage.shard, ()))
            if not stage.shard or name == "dataset":
                yield name, ""

    def made_by(self, stage: str, shard: str = "") -> dict[str, Path]:
        """Return the outputs of a job by their names in the rule."""
        files = {name: path for name, path in outputs(stage, self.settings, shard).items() if isinstance(path, Path)}
        return {name: self.folder / path for name, path in files.items()}

    def state(self) -> dict[str, State]:
        """Return every file that is there of those the rules promise, by its path in the folder of results."""
        results = self.folder / self.settings.results
        files: list[Path] = []
        for stage, shard in self.jobs():
            for path in self.made_by(stage, shard).values():
                files += [path] if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
        shown = [path for path in files if not path.name.startswith(".snakemake")]
        return {path.relative_to(results).as_posix(): State(path.stat().st_mtime_ns, digest(path)) for path in shown}


def job_of(path: str) -> str:
    """Return what made a file of the results: its stage, but ``train/deca/detail`` and ``dataset/episode``."""
    parts = path.split("/")
    if parts[0] == "train":
        return "/".join(parts[:3])
    return "dataset/episode" if parts[0] == "dataset" else parts[0].partition(".")[0]


def made_anew(before: Mapping[str, State], after: Mapping[str, State]) -> set[str]:
    """Return what has written files between two states, as :func:`job_of` names it."""
    written = {path for path, state in after.items() if before.get(path, State(0, "")).written_ns != state.written_ns}
    return {job_of(path) for path in {*written, *(before.keys() - after.keys())}}


def changed(before: Mapping[str, State], after: Mapping[str, State]) -> set[str]:
    """Return the paths whose bytes differ between two states, and those that only one has."""
    return {path for path in {*before, *after} if _bytes(before, path) != _bytes(after, path)}


def _bytes(states: Mapping[str, State], path: str) -> str | None:
    return states[path].sha256 if path in states else None
