"""Checkpoints of a training phase: written atomically, the newest kept, unusable ones skipped with a message."""

from __future__ import annotations

import logging
import pickle
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tvface.files.atomic import atomic

_NAME = re.compile(r"step_(\d+)\.pt")


@dataclass(frozen=True)
class CheckpointStore:
    """A folder of checkpoints ``step_<number>.pt`` of one run.

    ``fingerprint`` stands for everything that shapes the run (settings, data, parent weights, code): a checkpoint with
    another fingerprint belongs to another run and is never resumed.
    """

    folder: Path
    fingerprint: str
    keep: int
    log: logging.Logger

    def save(self, step: int, state: dict[str, Any]) -> None:
        """Write the state after ``step`` steps and delete all but the newest ``keep`` checkpoints of this run.

        Checkpoints of other runs are deleted too: they are older and cannot be resumed. So are unfinished files of
        killed runs.
        """
        with atomic(self.folder / f"step_{step:08d}.pt") as temporary:
            torch.save({"fingerprint": self.fingerprint, "step": step, **state}, temporary)
        for path in self.folder.glob(".step_*.pt.*"):
            path.unlink()  # of a run that was killed while it wrote
        checkpoints = self._checkpoints()
        of_this_run = [number for number in checkpoints if number <= step]
        for number, path in checkpoints.items():
            if number > step or number not in of_this_run[-self.keep :]:
                path.unlink()

    def newest(self, most: int) -> dict[str, Any] | None:
        """Return the newest usable checkpoint with at most ``most`` steps, or None.

        Unfinished files and those of other runs are skipped; the log gives each with the reason.
        """
        for number, path in reversed(self._checkpoints().items()):
            if number > most:
                self.log.info("%s: beyond the %d steps wanted, not resumed", path, most)
                continue
            try:
                state = torch.load(path, map_location="cpu", weights_only=True)
            except (RuntimeError, EOFError, pickle.UnpicklingError, OSError) as error:
                self.log.warning("%s: not a whole checkpoint (%s), skipped", path, str(error).splitlines()[0])
                continue
            if state["fingerprint"] != self.fingerprint:
                self.log.info("%s: of other settings, data or code, not resumed", path)
                continue
            self.log.info("%s: resuming after %d steps", path, state["step"])
            return dict(state)
        return None

    def _checkpoints(self) -> dict[int, Path]:
        """Return the checkpoints by steps, fewest first."""
        paths = {path: _NAME.fullmatch(path.name) for path in self.folder.glob("step_*.pt")}
        return dict(sorted((int(match.group(1)), path) for path, match in paths.items() if match))
