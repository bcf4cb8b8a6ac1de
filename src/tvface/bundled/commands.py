"""What the commands of this package have in common: their arguments, the log, the notes for weight files and cards."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tvface.networks.bundles import FOLDER

log = logging.getLogger("tvface.bundled")


def command_parser(module: str, page: str | None) -> argparse.ArgumentParser:
    """Return the parser of a module that is a command.

    Args:
        module: its name.
        page: its docstring, whose first line describes the command.
    """
    return argparse.ArgumentParser(prog=f"python -m {module}", description=(page or "").splitlines()[0])


def makers_parser(module: str, page: str | None) -> argparse.ArgumentParser:
    """Return the parser of a command that makes crops, with the arguments that all of them have."""
    parser = command_parser(module, page)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    return parser


def add_training(
    parser: argparse.ArgumentParser, *, rate: float, held_out: int, threads: int, crops_are: str, held_out_are: str
) -> None:
    """Add the arguments that all trainers have.

    Args:
        rate, held_out, threads: defaults.
        crops_are, held_out_are: the help on the folder of crops, and on what is held out.
    """
    parser.add_argument("--crops", type=Path, required=True, help=crops_are)
    parser.add_argument("--rate", type=float, default=rate, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", type=int, default=held_out, help=held_out_are)
    parser.add_argument("--threads", type=int, default=threads, help="CPU threads; other numbers give other rounding")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--made-by", default="", help="command that made the crops, for the card")


def begin(threads: int | None = None) -> None:
    """Start the log on standard error, and set torch's threads where a number is named."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    if threads is not None:
        torch.set_num_threads(threads)


def log_paths(paths: Iterable[Path]) -> None:
    """Log each file when it is there."""
    begin()
    for path in paths:
        log.info("%s", path)


def command_line(module: str, arguments: Sequence[str] | None) -> str:
    """Return the command that is running, for its card: without ``--made-by``, whose value stands there by itself.

    Args:
        module: what runs, as ``python -m`` names it.
        arguments: its arguments; None: those of this process.
    """
    words = list(arguments) if arguments is not None else sys.argv[1:]
    if "--made-by" in words:
        place = words.index("--made-by")
        del words[place : place + 2]
    return f"python -m {module} {shlex.join(words)}"


def training_notes(
    command: str,
    crops: int,
    crops_command: str,
    recipe: Mapping[str, Any],
    last: Mapping[str, Any],
    *,
    start: Mapping[str, Any] | None = None,
    people: int = 0,
) -> dict[str, Any]:
    """Return what the weight file and its card say about a training.

    Args:
        command: that trained; crops_command: that made the crops, "" if nobody said.
        crops: how many there are, those held out included; people: how many there are on them, 0 if nobody counted.
        recipe: how it was trained.
        last: the last row of the curve: step, loss and the figures on held-out crops.
        start: the notes of the weights it started from.
    """
    return {
        "command": command,
        "start": dict(start) if start is not None else None,
        "crops": crops,
        "people": people,
        "crops_command": crops_command,
        "recipe": dict(recipe),
        "figures": {name: value for name, value in last.items() if name not in ("step", "loss")},
    }
