"""``tvface synth-crops``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tvface.cli.options import add_command


def add_synth_crops(commands: Any) -> None:
    """Add ``tvface synth-crops`` to the commands of a parser."""
    about = "render crops of synthetic people with everything known about them, to train networks (docs/synthetic.md)"
    parser = add_command(commands, "synth-crops", about, _synth_crops)
    parser.add_argument("--out", type=Path, required=True, help="folder; the same command again goes on in it")
    parser.add_argument("--count", type=int, default=1000, help="crops (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of everything random (default: %(default)s)")
    parser.add_argument("--size", type=int, default=128, help="side in pixels (default: %(default)s)")
    parser.add_argument(
        "--frames",
        type=int,
        default=2,
        help="crops per shot, flow between them (default: %(default)s; 1: no flow)",
    )
    parser.add_argument(
        "--layers",
        nargs="+",
        metavar="LAYER",
        help="image clean points labels occluder depth normals vertices parameters flow (default: all)",
    )
    parser.add_argument(
        "--people",
        default="all",
        choices=("all", "train", "test"),
        help="draw from all people, or from one of two parts that share nobody (default: %(default)s)",
    )
    parser.add_argument("--per-shard", type=int, metavar="N", help="crops per file (default: 240, in whole shots)")
    parser.add_argument("--processes", type=int, default=1, help="they do not change the files (default: %(default)s)")


def _synth_crops(options: argparse.Namespace) -> None:
    from tvface.runtime.logging import start_logging
    from tvface.runtime.progress import progress
    from tvface.synthetic.crops.shards import PER_SHARD, Recipe, write_crops
    from tvface.synthetic.crops.truth import LAYERS

    start_logging()
    per_shard = options.per_shard
    if per_shard is None:
        per_shard = max(1, PER_SHARD // max(1, options.frames)) * max(1, options.frames)
    recipe = Recipe(
        options.seed, options.size, options.frames, tuple(options.layers or LAYERS), per_shard, options.people
    )
    total = -(-options.count // per_shard) + 1
    for path in progress(write_crops(options.out, options.count, recipe, options.processes), "synth-crops", total):
        print(path, flush=True)
