"""Strict loading of published checkpoints: nothing is executed, and every tensor is accounted for.

A loader returns a :class:`LoadReport`. A tensor that does not fit, is missing, or is unexpected stops the load, unless
its name starts with a prefix that the caller expects to be unused or missing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import nn

from tvface.assets.reports import LoadReport, some
from tvface.networks.bisenet import BiSeNet, from_yakhyo
from tvface.networks.files import (
    CheckpointError,
    State,
    as_state,
    is_torchscript,
    read_checkpoint,
    read_numpy_pickle,
    read_tensors,
)
from tvface.networks.spynet_files import read_spynet
from tvface.networks.torchscript import read_torchscript

__all__ = [
    "DECA_PARTS",
    "CheckpointError",
    "LoadReport",
    "State",
    "load_bisenet",
    "load_fan",
    "load_inception_resnet",
    "load_spynet",
    "load_strictly",
    "load_vgg19",
    "load_vggface2",
    "read_checkpoint",
    "read_deca",
    "read_numpy_pickle",
    "read_spynet",
    "read_tensors",
]

DECA_PARTS = ("E_flame", "E_detail", "D_detail")


def load_strictly(
    module: nn.Module,
    state: Mapping[str, torch.Tensor],
    source: str,
    *,
    unused: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
) -> LoadReport:
    """Copy ``state`` into ``module`` by name.

    Args:
        module: takes the tensors; unchanged if anything is wrong.
        state: name -> tensor.
        source: the file, for messages.
        unused: prefixes of names that may be in the file without a place in the network.
        missing: prefixes of names that the file may lack. ``num_batches_tracked`` may always be missing: old files do
            not have it, and it does not affect the numbers.

    Raises:
        CheckpointError: any other name on one side only, or another shape.
    """
    target = module.state_dict()
    loaded = [name for name in state if name in target]
    leftover = [name for name in state if name not in target]
    absent = [name for name in target if name not in state]
    wrong_shape = [
        f"{name} {tuple(state[name].shape)}, not {tuple(target[name].shape)}"
        for name in loaded
        if state[name].shape != target[name].shape
    ]
    unexpected = [name for name in leftover if not name.startswith(unused)]
    lacking = [name for name in absent if not (name.startswith(missing) or name.endswith(".num_batches_tracked"))]
    problems = [
        f"{len(names)} {label}: {some(names)}"
        for label, names in (("unexpected", unexpected), ("missing", lacking), ("of another shape", wrong_shape))
        if names
    ]
    if problems:
        raise CheckpointError(f"{source} does not fit {type(module).__name__}: {'; '.join(problems)}")
    module.load_state_dict({name: state[name] for name in loaded}, strict=False)
    return LoadReport(source, tuple(loaded), tuple(leftover), tuple(absent))


def read_deca(path: Path) -> dict[str, State]:
    """Read the state dicts ``E_flame``, ``E_detail`` and ``D_detail`` of ``deca_model.tar``; others are ignored.

    Raises:
        CheckpointError: one of the three is missing.
    """
    content = read_checkpoint(path)
    lacking = [part for part in DECA_PARTS if not isinstance(content, Mapping) or part not in content]
    if lacking:
        raise CheckpointError(f"{path} is not DECA's checkpoint: it has no {' and no '.join(lacking)}")
    return {part: as_state(content[part], f"{path}: {part}") for part in DECA_PARTS}


def load_spynet(network: nn.Module, path: Path) -> LoadReport:
    """Load SPyNet's weights from any known layout; the normalisation constants are those of the network."""
    return load_strictly(network, read_spynet(path), str(path), missing=("mean", "std"))


def load_vggface2(network: nn.Module, path: Path) -> LoadReport:
    """Load VGGFace2's ResNet-50; the classifier ``fc`` is reported unused."""
    return load_strictly(network, read_numpy_pickle(path), str(path), unused=("fc.",))


def load_vgg19(network: nn.Module, path: Path) -> LoadReport:
    """Load torchvision's ``vgg19-dcbb9e9d.pth``; its later layers and the classifier are reported unused."""
    deeper = tuple(f"features.{index}." for index in range(21, 37))
    return load_strictly(network, read_tensors(path), str(path), unused=(*deeper, "classifier."))


def load_fan(network: nn.Module, path: Path) -> LoadReport:
    """Load 2D-FAN from a state dict (``2DFAN4-11f355bf06.pth.tar``) or a TorchScript archive (``2DFAN4-*.zip``).

    The archives of face-alignment before 1.5 hold the same network as a program; only their tensors are read.
    """
    state = read_torchscript(path) if is_torchscript(path) else read_tensors(path)
    return load_strictly(network, state, str(path))


def load_bisenet(path: Path) -> tuple[BiSeNet, LoadReport]:
    """Return the face parser of a file with its weights, in evaluation mode.

    Known layouts: zllrunning's ``79999_iter.pth`` (also facexlib's and clibdev's copies of it) and yakhyo's
    ``resnet18.pt`` and ``resnet34.pt``, whose unused backbone classifier is reported unused.

    Raises:
        CheckpointError: another layout; the message names what does not fit.
    """
    state = read_tensors(path)
    if any(name.startswith("fpn.") for name in state):
        state = from_yakhyo(state)
    counts = [
        len({name.split(".")[3] for name in state if name.startswith(f"cp.resnet.layer{stage}.")})
        for stage in range(1, 5)
    ]
    network = BiSeNet(blocks=(3, 4, 6, 3) if counts == [3, 4, 6, 3] else (2, 2, 2, 2))
    report = load_strictly(network, state, str(path), unused=("cp.resnet.fc.",))
    return network.eval(), report


def load_inception_resnet(network: nn.Module, path: Path) -> LoadReport:
    """Load FaceNet's ``20180402-114759-vggface2.pt``; the classifier ``logits`` is reported unused."""
    return load_strictly(network, read_tensors(path), str(path), unused=("logits.",))
