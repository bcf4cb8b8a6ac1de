"""Shared parts of this package's commands: arguments, logging, the notes for weight files and cards."""

from __future__ import annotations

import argparse
import logging
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from tvface.files.atomic import atomic
from tvface.networks.bundles import FOLDER

COMMAND = "command.txt"  # in a folder of crops: what made them
log = logging.getLogger("tvface.bundled")


def command_parser(module: str, docstring: str | None) -> argparse.ArgumentParser:
    """Return the argument parser of a module that is a command.

    Args:
        module: name of the module.
        docstring: of the module; its first line describes the command.
    """
    return argparse.ArgumentParser(prog=f"python -m {module}", description=(docstring or "").splitlines()[0])


def makers_parser(module: str, docstring: str | None) -> argparse.ArgumentParser:
    """Return the parser of a command that makes crops, with the arguments that all such commands share."""
    parser = command_parser(module, docstring)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    return parser


def add_training(
    parser: argparse.ArgumentParser, *, rate: float, held_out: int, threads: int, crops_help: str, held_out_help: str
) -> None:
    """Add the arguments that all training commands share.

    Args:
        rate, held_out, threads: defaults.
        crops_help, held_out_help: help texts of ``--crops`` and ``--held-out``.
    """
    parser.add_argument("--crops", type=Path, required=True, help=crops_help)
    parser.add_argument("--rate", type=float, default=rate, help="highest learning rate")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--held-out", type=int, default=held_out, help=held_out_help)
    parser.add_argument("--threads", type=int, default=threads, help="CPU threads; other numbers give other rounding")
    parser.add_argument("--out", type=Path, default=FOLDER)


def begin(threads: int | None = None) -> None:
    """Start logging on standard error, and set torch's number of threads unless None."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    if threads is not None:
        torch.set_num_threads(threads)


def log_paths(paths: Iterable[Path], folder: Path, command: str) -> None:
    """Log each file as soon as it is written; the ``command`` is kept in the ``folder`` of the crops, for the cards."""
    begin()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic(folder / COMMAND) as temporary:
        temporary.write_text(command + "\n", encoding="utf-8")
    for path in paths:
        log.info("%s", path)


def command_line(module: str, arguments: Sequence[str] | None) -> str:
    """Return the running command for the card.

    Args:
        module: name of the module, as for ``python -m``.
        arguments: of the command; None: the arguments of this process.
    """
    words = list(arguments) if arguments is not None else sys.argv[1:]
    return f"python -m {module} {shlex.join(words)}"


def training_notes(
    command: str,
    crops: int,
    folder: Path,
    recipe: Mapping[str, Any],
    last: Mapping[str, Any],
    *,
    start: Mapping[str, Any] | None = None,
    people: int = 0,
) -> dict[str, Any]:
    """Return the notes on a training that the weight file and its card hold.

    Args:
        command: of the training.
        crops: number of crops, the held-out crops included.
        folder: of the crops.
        recipe: of the training.
        last: the last row of the curve: step, loss and the figures on held-out crops.
        start: the notes of the starting weights.
        people: number of people on the crops; 0 if unknown.
    """
    made = folder / COMMAND
    return {
        "command": command,
        "start": dict(start) if start is not None else None,
        "crops": crops,
        "people": people,
        "crops_command": made.read_text(encoding="utf-8").strip() if made.is_file() else "",
        "recipe": dict(recipe),
        "figures": {name: value for name, value in last.items() if name not in ("step", "loss")},
    }
