"""Run the train stage in the current folder, to be killed by a test: python -m tests.stages.killed SETTINGS STEP.

Before step STEP it waits for the kill, so that it never comes to its end, however late the kill is.
"""

import json
import signal
import sys
from pathlib import Path

import torch

from tvface.model.window import Window
from tvface.settings import parse_settings
from tvface.stages import train
from tvface.training.phases import PhaseTask


def waiting_before(last: int) -> None:
    """Make training wait before a step."""
    forward = PhaseTask.forward

    def waiting(self: PhaseTask, window: Window, step: int | None) -> dict[str, torch.Tensor]:
        if step == last:
            signal.pause()
        return forward(self, window, step)

    PhaseTask.forward = waiting  # type: ignore[method-assign]


if __name__ == "__main__":
    torch.set_num_threads(1)
    waiting_before(int(sys.argv[2]))
    folder = Path("killed")
    train.run(
        parse_settings(json.loads(Path(sys.argv[1]).read_text())),
        {"dataset": Path("dataset.parquet"), "head": Path("head.npz"), "initial": []},
        {"manifest": folder / "curve.parquet", "weights": folder / "weights.safetensors"},
        shard="temporal/coarse",
    )
