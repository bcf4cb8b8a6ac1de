"""Run the train stage in the current folder, to be killed by a test: python -m tests.stages.killed SETTINGS."""

import json
import sys
from pathlib import Path

import torch

from tvface.settings import parse_settings
from tvface.stages import train

if __name__ == "__main__":
    torch.set_num_threads(1)
    folder = Path("killed")
    train.run(
        parse_settings(json.loads(Path(sys.argv[1]).read_text())),
        {"dataset": Path("dataset.parquet"), "head": Path("head.npz"), "initial": []},
        {"manifest": folder / "curve.parquet", "weights": folder / "weights.safetensors"},
        shard="temporal/coarse",
    )
