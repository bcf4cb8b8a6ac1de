"""Weight files of the bundled networks: safetensors, with the network's class and sizes in the metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn

from tvface.assets.reports import LoadReport
from tvface.files.atomic import atomic
from tvface.files.digests import digest
from tvface.files.relative import bare_path, without_absolute_paths
from tvface.networks.compact import CompactIdentity, CompactLandmarks, CompactParser, CompactShape
from tvface.networks.eyes import CompactEyes

FOLDER = Path(__file__).resolve().parents[3] / "resources" / "weights"
LANDMARKS = "compact_landmarks.safetensors"
PARSER = "compact_parser.safetensors"
IDENTITY = "compact_identity.safetensors"
EYES = "compact_eyes.safetensors"
SHAPE = "compact_shape.safetensors"
NETWORKS: dict[str, type[nn.Module]] = {
    "CompactLandmarks": CompactLandmarks,
    "CompactParser": CompactParser,
    "CompactIdentity": CompactIdentity,
    "CompactEyes": CompactEyes,
    "CompactShape": CompactShape,
}


class WeightsError(RuntimeError):
    """A bundled weight file is missing or invalid; the message says how to make it."""


@dataclass(frozen=True)
class Bundle:
    """A network in evaluation mode, with the metadata of its file.

    ``size`` is the side of the input in pixels; ``window`` the side of its region, in mean sides of the detector's box
    (landmarks) or of the 68 points' box (parser), or in sides of the aligned crop (identity, shape).
    """

    net: nn.Module
    size: int
    window: float
    sha256: str
    about: Mapping[str, Any]


def save_bundle(path: Path, net: nn.Module, size: int, window: float, about: Mapping[str, Any]) -> None:
    """Write a network. The same network gives the same bytes; no absolute path is written.

    Args:
        path: of the file.
        net, size, window: see :class:`Bundle`.
        about: further metadata, JSON-serialisable.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in net.state_dict().items()}
    description = {"network": type(net).__name__, "size": size, "window": window, **about}
    text = json.dumps(without_absolute_paths(description, bare_path), sort_keys=True)
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, metadata={"tvface": text}))


def load_bundle(path: Path) -> Bundle:
    """Read a network written by :func:`save_bundle`; every tensor must fit.

    Raises:
        WeightsError: the file is missing, damaged, or not a bundled network.
    """
    remedy = "restore it from the repository, or make it: python -m tvface.bundled.train --help"
    if not path.is_file():
        raise WeightsError(f"{path}: the bundled weights are missing; {remedy}")
    try:
        with safe_open(str(path), framework="pt") as file:
            about = json.loads((file.metadata() or {})["tvface"])
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
        net = NETWORKS[about["network"]]()
        net.load_state_dict(state, strict=True)
    except (SafetensorError, KeyError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: not a weight file of a bundled network ({error}); {remedy}") from error
    return Bundle(net.eval(), int(about["size"]), float(about["window"]), digest(path), about)


def load_with_report(path: Path) -> tuple[Bundle, LoadReport]:
    """Return the network of :func:`load_bundle` and a report, which lists all its tensors as loaded."""
    bundle = load_bundle(path)
    return bundle, LoadReport(str(path), tuple(bundle.net.state_dict()), (), ())
