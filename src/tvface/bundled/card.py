"""The card beside each bundled weight file: what it is, how it was made, how good it is, where it fails."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from tvface.assets.registry import record
from tvface.files.atomic import atomic
from tvface.files.digests import digest
from tvface.files.relative import bare_path, without_absolute_paths

_LIMITS = {
    "landmarks": (
        "Trained on renders of the human head only: no real photograph was used to train, choose or tune it.",
        "Best up to about 30 degrees of yaw; beyond 45 degrees the far contour is a guess.",
        "Faces that are more than half hidden, and faces with under 30 pixels between the eyes, are rare in training.",
        "For figures to publish use 2D-FAN (`landmarks.backend: fan`).",
    ),
    "parser": (
        "Trained on renders of the human head only: no real photograph was used to train, choose or tune it.",
        "The classes that the renders lack (see the table) are never found; hair and cloth are coarser than in "
        "reality, so their borders on photographs are rough.",
        "It expects a face whose 68 points fill about half of the picture's side (`masks.context`).",
        "For figures to publish use BiSeNet (`masks.backend: bisenet`).",
    ),
    "identity": (
        "Trained on renders of the human head only: no real photograph was used to train, choose or tune it.",
        "On real people it tells less apart than the hand-made `appearance`, which is the default; across scenes of "
        "rendered footage it tells far more apart.",
        "It is no face recogniser: it groups the people of one show, and does not know a person again among "
        "thousands, or after a change of hair.",
        "It expects the aligned crops of `embedders/crops.py`; profiles and faces under 24 pixels are unreliable.",
        "For figures to publish use FaceNet (`faces.embedder: inception_resnet`).",
    ),
    "eyes": (
        "Trained on renders of the human head only: no real photograph was used to train, choose or tune it.",
        "An opening is relative to the eye's width as it appears; beyond 50 degrees of yaw it is a guess.",
        "Lids behind dark glasses, hair or hands get the usual opening, with a low confidence.",
        "Gaze is right to some three to seven degrees, and relative to the camera, not to the head.",
    ),
    "shape": (
        "Trained on renders of the human head only: no real photograph was used to train, choose or tune it.",
        "It guesses the bone of rendered people from skin, hair, age and shading, whose ties to the bone are those of "
        "MakeHuman's sliders; what is true of real people in them is not measured.",
        "The fit takes it as the centre of a prior, with the spread that it has on rendered people it had not seen; "
        "`fit.guess: 0` leaves it out.",
        "It names nobody's sex, age or origin, and its codes are no measurement of a real face.",
    ),
    "features": (
        "Trained on renders of the human head only, single people, points and classes exact.",
        "The encoder without its last two linear layers: a start for training (`train.warm_start.features`), not a "
        "reconstruction model.",
        "It fits the encoder's sizes of `config.yaml` only. The paper's run starts from ImageNet's ResNet-50 "
        "(`train.warm_start.resnet50`) and BasicVSR++ (`train.warm_start.basicvsr`) instead.",
    ),
}


def _commands(about: Mapping[str, Any]) -> list[str]:
    """Return the commands in order; the commands of the starting weights come first."""
    earlier = _commands(about["start"]) if about.get("start") else []
    latest = [line for line in (about["crops_command"], about["command"]) if line]
    return [*earlier, *(line for line in latest if line not in earlier)]


def write_card(
    weights_file: Path,
    task: str,
    net: nn.Module,
    size: int,
    about: Mapping[str, Any],
    curve: Sequence[Mapping[str, Any]],
    seconds: float,
    height: int = 0,
) -> Path:
    """Write the card ``<weights_file>.md``, and size and digest of a shipped file into the registry; return its path.

    Args:
        weights_file: the weight file, which is hashed.
        task: landmarks, parser, identity or features.
        net: the network, for its name and number of parameters.
        size: side of its input in pixels; height: of an input that is no square.
        about: :func:`tvface.bundled.commands.training_notes`; absolute paths are written as bare names.
        curve: figures on held-out crops over time, one row per report.
        seconds: that the last run took.
    """
    about = without_absolute_paths(about, bare_path)
    count = sum(parameter.numel() for parameter in net.parameters())
    of_people = f" of {about['people']:,} people" if about.get("people") else ""
    lines = [
        f"# {weights_file.name}",
        "",
        f"The bundled network for `{task}`: {type(net).__name__}, {count:,} parameters, input {size} x "
        f"{height or size}. {weights_file.stat().st_size:,} bytes, sha256 `{digest(weights_file)}`. "
        "Licence: as tvface.",
        "",
        "## How it was made",
        "",
        "```",
        *_commands(about),
        "```",
        "",
        f"{about['crops']:,} rendered crops{of_people}, the last {about['recipe']['held_out']} "
        f"{'people ' if of_people else ''}held out; seed "
        f"{about['recipe']['seed']}; {about['recipe']['steps']:,} steps of {about['recipe']['batch']}"
        f"{', after those of the weights it started from' if about['start'] else ''}; "
        f"{seconds / 60:.0f} minutes in its last run on {platform.machine()} with {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}.",
        "",
        "## Figures on held-out renders",
        "",
        "Same generator and head model as in training, other people, views and light.",
        "",
        "| figure | value |",
        "|---|---|",
        *(f"| {name} | {value:g} |" for name, value in about["figures"].items()),
        "",
        "| step | loss | " + " | ".join(list(about["figures"])[:2]) + " |",
        "|---|---|---|---|",
        *("| " + " | ".join(f"{value:g}" for value in list(row.values())[:4]) + " |" for row in curve),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in _LIMITS[task]),
        "",
    ]
    path = weights_file.with_suffix(".md")
    with atomic(path) as temporary:
        temporary.write_text("\n".join(lines), encoding="utf-8")
    record(weights_file)
    return path
