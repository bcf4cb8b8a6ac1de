"""``tvface <command>``: every stage of the pipeline, the registry of weights, and the files made from the settings."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tvface import __version__
from tvface.assets.registry import AssetError
from tvface.cli.export import add_export
from tvface.cli.index import add_index
from tvface.cli.options import add_command, add_configuration, settings_of
from tvface.cli.people import add_calibrate, add_people
from tvface.cli.synth_crops import add_synth_crops
from tvface.dag.stages import STAGES
from tvface.settings import SettingsError
from tvface.settings.phases import MODELS, PHASES

# Each command imports its modules in its function, so that `tvface --help` and `tvface schema` stay quick.

EXIT_WRONG_INPUT = 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Wrong settings, missing files and damaged footage are reported without a traceback.

    Args:
        arguments: command line without the program's name; None: that of the process.

    Returns:
        The exit code: 0, or 2 after bad input.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except Exception as error:
        if not isinstance(error, (SettingsError, AssetError, *_input_errors())):
            raise
        print(f"tvface: {error}", file=sys.stderr)
        return EXIT_WRONG_INPUT
    return 0


# Errors of bad input, by module: most modules are heavy to import, and a command imports only some of them.
INPUT_ERRORS = {
    "tvface.manifests.base": "ManifestError",
    "tvface.media.images": "MediaError",
    "tvface.head.data": "HeadError",
    "tvface.networks.bundles": "WeightsError",
    "tvface.mining.decisions": "DecisionError",
    "tvface.networks.files": "CheckpointError",
    "tvface.model.weights_files": "WeightsError",
    "tvface.model.clips": "DataError",
    "tvface.exports.neutral": "ExportError",
    "tvface.synthetic.crops.shard_files": "CropsError",
    "tvface.assets.spynet_names": "SpynetFilesError",
}


def _input_errors() -> tuple[type[Exception], ...]:
    """Return the classes of :data:`INPUT_ERRORS` whose modules this command has imported."""
    return tuple(getattr(sys.modules[module], name) for module, name in INPUT_ERRORS.items() if module in sys.modules)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tvface", description=importlib.import_module("tvface").__doc__)
    parser.add_argument("--version", action="version", version=f"tvface {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for stage in STAGES.values():
        if stage.name == "reconstruct":
            _add_reconstruct(commands)
            continue
        command = add_command(commands, stage.name, f"stage: {stage.about}", _run_stage)
        add_configuration(command)
        _add_shard(command, stage.name)
        command.set_defaults(stage=stage.name)
    add_synth_crops(commands)
    add_export(commands)
    _add_assets(commands)
    add_index(commands)
    episodes = add_command(commands, "episodes", "list the episodes of the run", _list_episodes)
    add_configuration(episodes)
    add_people(commands)
    add_calibrate(commands)
    schema = add_command(commands, "schema", "write the JSON schema of the configuration", _write_schema)
    schema.add_argument("output", nargs="?", type=Path, help="file; by default the terminal")
    config = add_command(commands, "config", "write a configuration with every setting and its comment", _write_config)
    config.add_argument("output", nargs="?", type=Path, help="file; by default the terminal")
    add_configuration(config)
    settings = add_command(commands, "settings", "write the table of all settings (docs/settings.md)", _write_settings)
    settings.add_argument("output", nargs="?", type=Path, help="file in Markdown; by default the terminal")
    add_configuration(settings)
    envs = add_command(
        commands, "envs", "write the conda environments of the rules from requirements.lock", _write_envs
    )
    envs.add_argument("folder", nargs="?", type=Path, default=Path("envs"))
    return parser


def _add_shard(parser: argparse.ArgumentParser, stage: str) -> None:
    kind = STAGES[stage].shard
    if kind == "episode":
        parser.add_argument("--episode", required=stage != "dataset", help="name as in `tvface episodes`")
    elif kind == "show":
        parser.add_argument("--show", required=True)
    elif kind == "model/phase":
        parser.add_argument("--model", required=True, choices=MODELS)
        parser.add_argument("--phase", required=True, choices=PHASES)
    parser.add_argument("--threads", type=int, default=1)


def _run_stage(options: argparse.Namespace) -> None:
    from tvface.dag.layout import inputs, outputs
    from tvface.runtime.logging import start_logging

    start_logging()
    settings = settings_of(options)
    shard = _shard(options)
    stage_inputs, stage_outputs = inputs(options.stage, settings, shard), outputs(options.stage, settings, shard)
    _require_inputs(options.stage, stage_inputs)
    module = importlib.import_module(f"tvface.stages.{options.stage}")
    module.run(settings, stage_inputs, stage_outputs, shard=shard, threads=options.threads)
    for path in stage_outputs.values():
        print(path)


def _shard(options: argparse.Namespace) -> str:
    if getattr(options, "phase", None):
        return f"{options.model}/{options.phase}"
    return getattr(options, "episode", None) or getattr(options, "show", None) or getattr(options, "model", None) or ""


def _require_inputs(stage: str, stage_inputs: dict[str, Any]) -> None:
    flat = [path for value in stage_inputs.values() for path in (value if isinstance(value, list) else [value])]
    missing = [str(path) for path in flat if not path.exists()]
    if missing:
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""
        raise SettingsError(
            f"{stage} reads files that are not there: {', '.join(missing[:3])}{more}; run the stages "
            f"before it, or all of them at once: snakemake --cores all {stage}"
        )


def _add_reconstruct(commands: Any) -> None:
    about = (
        "heads of a video's faces, by the fit or a trained model; without a video: the stage, on the dataset's split"
    )
    parser = add_command(commands, "reconstruct", about, _reconstruct)
    parser.add_argument("video", nargs="?", type=Path, help="video file; without it the stage runs on the dataset")
    parser.add_argument(
        "--model",
        choices=("fit", *MODELS),
        default="fit",
        help="fit: the head fitted to the found points, needs no training (default); or a trained network",
    )
    parser.add_argument("--refine", action="store_true", help="fit a network's codes of a video to the found points")
    parser.add_argument(
        "--weights",
        dest="weights_file",
        type=Path,
        metavar="FILE",
        help="weights.safetensors (default: those of the run's last phase, for a video else the bundled ones); for a "
        "video also DECA's deca_model.tar, with head.model: flame",
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="folder for the results of a video: overlay.mp4 (with its sound), parameters/ (an npz per track) and "
        "meshes/; the same command again goes on where it stopped",
    )
    parser.add_argument(
        "--shared-identity",
        action="store_true",
        help="one shape per track, the mean over its frames (as --set reconstruct.shared_identity=true)",
    )
    parser.add_argument("--threads", type=int, default=1)
    add_configuration(parser)
    parser.set_defaults(stage="reconstruct")


def _reconstruct(options: argparse.Namespace) -> None:
    if options.shared_identity:
        options.set.append("reconstruct.shared_identity=true")
    if options.video is None:
        if options.model not in MODELS:
            raise SettingsError(
                "reconstruct: name a video, or --model deca, temporal or residual for the dataset's split"
            )
        _run_stage(options)
        return
    if options.out is None:
        raise SettingsError("reconstruct: name the folder for the results with --out")
    from tvface.runtime.logging import start_logging
    from tvface.video.reconstruct import reconstruct_video

    start_logging()
    for path in reconstruct_video(
        settings_of(options),
        options.video,
        options.model,
        options.out,
        options.weights_file,
        options.threads,
        options.refine,
    ):
        print(path)


def _add_assets(commands: Any) -> None:
    parser = commands.add_parser("assets", help="weights and licensed files", description="weights and licensed files")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    check = add_command(
        actions, "check", "every file of the registry: there, missing or damaged; what it gives", _check_assets
    )
    check.add_argument("--json", type=Path, metavar="FILE", help="write the same as JSON")
    check.add_argument("--quick", action="store_true", help="sizes and checksums only, no tensor is loaded")
    add_configuration(check)
    fetch = add_command(actions, "fetch", "download files of the registry, resumed and checked", _fetch_assets)
    fetch.add_argument("name", nargs="+")
    add = add_command(actions, "add", "put a downloaded file or archive where the run looks for it", _put_assets)
    add.add_argument("file", nargs="+", type=Path)


def _check_assets(options: argparse.Namespace) -> None:
    from tvface.cli.asset_check import check

    statuses = []
    for status in check(settings_of(options), load=not options.quick):
        print(status.text(), flush=True)
        statuses.append(status)
    if options.json is not None:
        text = json.dumps([status.as_mapping() for status in statuses], indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    problems = [status.problem for status in statuses if status.problem]
    if problems:
        raise AssetError("\n".join(problems))


def _fetch_assets(options: argparse.Namespace) -> None:
    from tvface.assets.downloads import fetch

    logging.basicConfig(level=logging.INFO, format="%(message)s")
    for name in options.name:
        print(fetch(name))


def _put_assets(options: argparse.Namespace) -> None:
    from tvface.assets.downloads import add

    for file in options.file:
        for path in add(file):
            print(path)


def _list_episodes(options: argparse.Namespace) -> None:
    from tvface.episodes import list_episodes

    for episode in list_episodes(settings_of(options)):
        print(f"{episode.show}\t{episode.name}\t{episode.kind}\t{len(episode.clips)}\t{episode.sources[0]}")


def _write(text: str, output: Path | None) -> None:
    if output is None:
        sys.stdout.write(text)
    else:
        output.write_text(text, encoding="utf-8")
        print(output)


def _write_schema(options: argparse.Namespace) -> None:
    from tvface.settings.files import schema_text

    _write(schema_text(), options.output)


def _write_config(options: argparse.Namespace) -> None:
    from tvface.settings.files import config_text

    _write(config_text(settings_of(options)), options.output)


def _write_settings(options: argparse.Namespace) -> None:
    from tvface.settings.page import settings_page

    name = (options.config or [Path("config.yaml")])[-1].name
    _write(settings_page(settings_of(options), name), options.output)


def _write_envs(options: argparse.Namespace) -> None:
    from tvface.dag.environments import write_environments

    for path in write_environments(options.folder):
        print(path)
