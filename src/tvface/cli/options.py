"""Options that the commands of ``tvface`` share, and the settings they select."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from tvface.settings import Settings, SettingsError, load, merge, nested


def add_command(
    commands: Any, name: str, about: str, run: Callable[[argparse.Namespace], None]
) -> argparse.ArgumentParser:
    """Add a command that calls ``run`` with its parsed options.

    Args:
        commands: subparsers of the parent parser.
        name: of the command.
        about: its help text.
        run: takes the parsed options.

    Returns:
        The parser of the command, for its options.
    """
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    parser.set_defaults(run=run)
    return parser


def add_configuration(parser: argparse.ArgumentParser) -> None:
    """Add ``--config`` and ``--set``, which :func:`settings_of` reads."""
    parser.add_argument(
        "--config",
        type=Path,
        action="append",
        metavar="FILE",
        help="configuration; may be repeated, later ones on top (default: config.yaml)",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="one setting by its dotted name, e.g. faces.min_face=40; may be repeated",
    )


def settings_of(options: argparse.Namespace) -> Settings:
    """Return the settings of ``--config``, with those of ``--set`` on top.

    Raises:
        SettingsError: a file is missing, or a setting is unknown or wrong.
    """
    overrides: dict[str, Any] = {}
    for assignment in options.set:
        name, equals, value = assignment.partition("=")
        if not equals:
            raise SettingsError(f"--set {assignment}: write it as name=value, e.g. faces.min_face=40")
        try:
            parsed = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise SettingsError(f"--set {assignment}: the value is not YAML: {error}") from error
        overrides = merge(overrides, nested(name, parsed))
    return load(options.config or [Path("config.yaml")], overrides)
