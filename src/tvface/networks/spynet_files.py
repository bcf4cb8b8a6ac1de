"""SPyNet's published weight files, with mmagic's parameter names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tvface.assets.spynet_names import SpynetFilesError, weight_files
from tvface.networks.files import CheckpointError, State, as_state, read_checkpoint, read_tensors
from tvface.networks.torch7 import TorchObject, read_torch7

CONVOLUTIONS = 5

_NAME = re.compile(r"^(?:basic_module|moduleBasic|netBasic)\.(\d)\.\w+\.(\d)(\.conv)?\.(weight|bias)$")


def spynet_files(path: Path) -> list[Path]:
    """Return the files of SPyNet's weights (:func:`tvface.assets.spynet_names.weight_files`), checked to be complete.

    Raises:
        CheckpointError: a level is missing, or a folder holds none or several tags.
    """
    try:
        files = weight_files(path)
    except SpynetFilesError as error:
        raise CheckpointError(str(error)) from error
    missing = [file.name for file in files if len(files) > 1 and not file.is_file()]
    if missing:
        raise CheckpointError(f"{files[0].parent}: {', '.join(missing)} missing; SPyNet has a Torch7 file per level")
    return files


def read_spynet(path: Path) -> State:
    """Read SPyNet's weights and name them as mmagic does.

    Known layouts: mmagic's (also as safetensors), BasicSR's (under ``params``, convolutions at even places),
    sniklaus' (``moduleBasic``, even places), and the authors' Torch7 files (see :func:`spynet_files`).

    Raises:
        CheckpointError: another layout.
    """
    files = spynet_files(path)
    if files[0].suffix == ".t7":
        return {name: tensor for level, file in enumerate(files) for name, tensor in read_level(file, level).items()}
    if path.suffix == ".safetensors":
        content: Any = read_tensors(path)
    else:
        content = read_checkpoint(path)
        if isinstance(content, Mapping) and "params" in content:
            content = content["params"]
    state: State = {}
    for name, tensor in as_state(content, str(path)).items():
        if name in ("mean", "std"):
            continue  # constants of the network
        match = _NAME.match(name)
        if match is None:
            raise CheckpointError(f"{path} is not SPyNet in a known layout: it holds {name}")
        level, place, conv, kind = match.groups()
        index = int(place) if conv else int(place) // 2
        state[f"basic_module.{level}.basic_module.{index}.conv.{kind}"] = tensor
    return state


def read_level(path: Path, level: int) -> State:
    """Read one level from an nn.Sequential, whose convolutions are in order.

    Args:
        path: a ``.t7`` file.
        level: 0 the coarsest.

    Raises:
        CheckpointError: another layout.
    """
    network = read_torch7(path)
    modules = network.fields.get("modules") if isinstance(network, TorchObject) else None
    if not isinstance(modules, dict):
        raise CheckpointError(f"{path} is not a level of SPyNet: it holds no nn.Sequential")
    ordered = [modules[place] for place in sorted(key for key in modules if isinstance(key, float))]
    convolutions = [
        convolution
        for convolution in ordered
        if isinstance(convolution, TorchObject) and "SpatialConvolution" in convolution.kind
    ]
    if len(convolutions) != CONVOLUTIONS:
        raise CheckpointError(f"{path} is not a level of SPyNet: {len(convolutions)} convolutions, not {CONVOLUTIONS}")
    state: State = {}
    for index, convolution in enumerate(convolutions):
        for kind in ("weight", "bias"):
            values = convolution.fields.get(kind)
            if not isinstance(values, np.ndarray):
                raise CheckpointError(f"{path} is not a level of SPyNet: convolution {index} has no tensor {kind}")
            state[f"basic_module.{level}.basic_module.{index}.conv.{kind}"] = torch.from_numpy(values)
    return state
