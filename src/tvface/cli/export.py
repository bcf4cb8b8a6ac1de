"""``tvface export <layout>``."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from tvface.cli.options import add_command, add_configuration, settings_of
from tvface.settings.phases import MODELS

# Each command imports its modules in its function, so that `tvface --help` stays quick.


def add_export(commands: Any) -> None:
    """Add ``tvface export`` and its layouts to the commands of a parser."""
    about = "results for other tools: benchmark layouts, SMPL-X-style parameters (docs/exports.md)"
    parser = commands.add_parser("export", help=about, description=about)
    layouts = parser.add_subparsers(title="layouts", metavar="LAYOUT", required=True)
    now = add_command(
        layouts, "now", "neutral heads of the NoW benchmark's pictures, for its evaluation tool", _export_now
    )
    now.add_argument("folder", type=Path, help="folder of the benchmark: its list, iphone_pictures/ and detected_face/")
    now.add_argument(
        "--list", default="imagepathsvalidation.txt", metavar="NAME", help="list in the folder (default: %(default)s)"
    )
    now.add_argument("--scale", type=float, default=1.6, help="crop side / box side (default: %(default)s, as DECA)")
    realy = add_command(
        layouts, "realy", "neutral heads and 68 points of a folder of pictures, as REALY expects", _export_realy
    )
    realy.add_argument("folder", type=Path, help="pictures, also in sub-folders")
    for command in (now, realy):
        command.add_argument(
            "--weights",
            dest="weights_file",
            type=Path,
            metavar="FILE",
            help="weights.safetensors (default: of the run's last phase)",
        )
        command.add_argument("--batch", type=int, default=16, help="pictures at once (default: %(default)s)")
        command.add_argument("--threads", type=int, default=1)
    parameters = add_command(
        layouts, "parameters", "the reconstruct stage's sequences as SMPL-X-style npz files", _export_parameters
    )
    for command in (now, realy, parameters):
        command.add_argument("--model", required=True, choices=MODELS)
        command.add_argument("--out", type=Path, required=True, help="folder for the results")
        add_configuration(command)


def _export_now(options: argparse.Namespace) -> None:
    from tvface.exports.now import export_now
    from tvface.runtime.logging import start_logging
    from tvface.video.reconstruct import trained_weights_file

    start_logging()
    settings = settings_of(options)
    weights_file = trained_weights_file(settings, options.model, options.weights_file)
    many = {"listed": options.list, "scale": options.scale, "batch": options.batch, "threads": options.threads}
    export_now(settings, options.folder, options.out, weights_file, **many)
    print(options.out)


def _export_realy(options: argparse.Namespace) -> None:
    from tvface.exports.realy import export_realy
    from tvface.runtime.logging import start_logging
    from tvface.video.reconstruct import trained_weights_file

    start_logging()
    settings = settings_of(options)
    weights_file = trained_weights_file(settings, options.model, options.weights_file)
    export_realy(settings, options.folder, options.out, weights_file, batch=options.batch, threads=options.threads)
    print(options.out)


def _export_parameters(options: argparse.Namespace) -> None:
    from tvface.exports.sequences import export_sequences
    from tvface.runtime.logging import start_logging

    start_logging()
    for path in export_sequences(settings_of(options), options.model, options.out):
        print(path)
