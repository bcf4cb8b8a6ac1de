"""Strict loading of published checkpoints: nothing is executed, and every tensor is accounted for.

A loader returns a :class:`LoadReport`. A tensor that does not fit, is missing, or is not wanted stops the load,
unless its name starts with a prefix which the caller expects to be left over.
"""

from __future__ import annotations

import io
import pickle
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import nn

from tvface.networks.temporal_encoder import TemporalEncoder

State = dict[str, torch.Tensor]
DECA_PARTS = ("E_flame", "E_detail", "D_detail")


class CheckpointError(ValueError):
    """A file is not the checkpoint it should be; the message says which tensors do not fit, or what the file is."""


@dataclass(frozen=True)
class LoadReport:
    """What became of every tensor of a file and of a network.

    Attributes:
        source: where the tensors came from.
        loaded: names copied into the network.
        unused: names in the file that the network has no place for.
        missing: names of the network that the file lacks; they keep their values.
    """

    source: str
    loaded: tuple[str, ...]
    unused: tuple[str, ...]
    missing: tuple[str, ...]

    def __str__(self) -> str:
        """Return one line of counts, with the names of the first few tensors left over."""
        parts = [f"{self.source}: {len(self.loaded)} tensors loaded"]
        for label, names in (("unused", self.unused), ("missing", self.missing)):
            if names:
                parts.append(f"{len(names)} {label} ({_some(names)})")
        return ", ".join(parts)


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
        unused: prefixes of names that the network has no place for, and which may be in the file.
        missing: prefixes of names that the file may lack. ``num_batches_tracked``, absent from old files and without
            effect on the numbers, may always be missing.

    Raises:
        CheckpointError: any other name on one side only, or another shape.
    """
    own = module.state_dict()
    loaded = [name for name in state if name in own]
    leftover = [name for name in state if name not in own]
    absent = [name for name in own if name not in state]
    wrong_shape = [
        f"{name} {tuple(state[name].shape)}, not {tuple(own[name].shape)}"
        for name in loaded
        if state[name].shape != own[name].shape
    ]
    unexpected = [name for name in leftover if not name.startswith(unused)]
    lacking = [name for name in absent if not (name.startswith(missing) or name.endswith(".num_batches_tracked"))]
    problems = [
        f"{len(names)} {label}: {_some(names)}"
        for label, names in (("not wanted", unexpected), ("missing", lacking), ("of another shape", wrong_shape))
        if names
    ]
    if problems:
        raise CheckpointError(f"{source} does not fit {type(module).__name__}: {'; '.join(problems)}")
    module.load_state_dict({name: state[name] for name in loaded}, strict=False)
    return LoadReport(source, tuple(loaded), tuple(leftover), tuple(absent))


def _some(names: tuple[str, ...] | list[str], count: int = 6) -> str:
    return ", ".join(names[:count]) + (f", and {len(names) - count} more" if len(names) > count else "")


def read_checkpoint(path: Path) -> Any:
    """Read a file of ``torch.save`` with tensors and plain containers only, onto the CPU.

    Raises:
        CheckpointError: a TorchScript archive, a web page saved under the name, a truncated file, or a file that holds
            anything beyond tensors, numbers, text and containers.
    """
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            if any(name.endswith("/constants.pkl") for name in archive.namelist()):
                raise CheckpointError(f"{path} is a TorchScript archive (a program), not a state dict; get the latter")
    try:
        with torch.serialization.safe_globals(_numpy_scalars()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError) as error:
        start = path.read_bytes()[:64]
        hint = "a web page (a failed download?)" if start.lstrip().startswith(b"<") else "not a plain checkpoint"
        raise CheckpointError(f"{path} is {hint}: {str(error).splitlines()[0]}") from error


def _numpy_scalars() -> list[Any]:
    """Return what training checkpoints need beyond tensors (a step count saved as a numpy number); all harmless."""
    kinds = (np.float64, np.float32, np.int64, np.int32, np.bool_)
    return [np._core.multiarray.scalar, np.dtype, *(type(np.dtype(kind)) for kind in kinds)]  # type: ignore[attr-defined]


def read_tensors(path: Path) -> State:
    """Read a flat state dict: ``.safetensors``, or ``torch.save`` of a mapping from names to tensors.

    Raises:
        CheckpointError: the file holds something else.
    """
    if path.suffix == ".safetensors":
        try:
            return safetensors.torch.load_file(path)
        except safetensors.SafetensorError as error:
            raise CheckpointError(f"{path} is not a safetensors file: {error}") from error
    return _as_state(read_checkpoint(path), str(path))


def _as_state(content: Any, source: str) -> State:
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        held = sorted(map(str, content)) if isinstance(content, Mapping) else [type(content).__name__]
        raise CheckpointError(f"{source} is not a state dict; it holds {_some(held)}")
    return dict(content)


def read_deca(path: Path) -> dict[str, State]:
    """Read ``deca_model.tar``: the state dicts of ``E_flame``, ``E_detail`` and ``D_detail``; other entries are left.

    Raises:
        CheckpointError: one of the three is not there.
    """
    content = read_checkpoint(path)
    lacking = [part for part in DECA_PARTS if not isinstance(content, Mapping) or part not in content]
    if lacking:
        raise CheckpointError(f"{path} is not DECA's checkpoint: it has no {' and no '.join(lacking)}")
    return {part: _as_state(content[part], f"{path}: {part}") for part in DECA_PARTS}


def load_deca_encoder(encoder: nn.Module, state: Mapping[str, torch.Tensor], source: str) -> LoadReport:
    """Load ``E_flame`` or ``E_detail`` into DECA's own encoder, or its later part into a temporal encoder.

    A temporal encoder has no stem: ``encoder.conv1`` and ``encoder.bn1`` are reported unused, and all that comes
    before its ``encoder`` is reported missing.

    Raises:
        CheckpointError: as :func:`load_strictly`.
    """
    if not isinstance(encoder, TemporalEncoder):
        return load_strictly(encoder, state, source)
    own = tuple(f"{name}." for name, _ in encoder.named_children() if name not in ("encoder", "layers"))
    return load_strictly(encoder, state, source, unused=("encoder.conv1.", "encoder.bn1."), missing=own)


_SPYNET = re.compile(r"^(?:basic_module|moduleBasic|netBasic)\.(\d)\.\w+\.(\d)(\.conv)?\.(weight|bias)$")


def read_spynet(path: Path) -> State:
    """Read SPyNet's weights and name them as mmagic does.

    Known layouts: mmagic's (also as safetensors), BasicSR's (under ``params``, convolutions at even places) and
    sniklaus' (``moduleBasic``, even places).

    Raises:
        CheckpointError: another layout.
    """
    if path.suffix == ".safetensors":
        content: Any = read_tensors(path)
    else:
        content = read_checkpoint(path)
        if isinstance(content, Mapping) and "params" in content:
            content = content["params"]
    state: State = {}
    for name, tensor in _as_state(content, str(path)).items():
        if name in ("mean", "std"):
            continue  # constants of the network
        match = _SPYNET.match(name)
        if match is None:
            raise CheckpointError(f"{path} is not SPyNet in a known layout: it holds {name}")
        level, place, conv, kind = match.groups()
        index = int(place) if conv else int(place) // 2
        state[f"basic_module.{level}.basic_module.{index}.conv.{kind}"] = tensor
    return state


def load_spynet(network: nn.Module, path: Path) -> LoadReport:
    """Load SPyNet's weights from any known layout; the normalisation constants are the network's own."""
    return load_strictly(network, read_spynet(path), str(path), missing=("mean", "std"))


class _NumpyUnpickler(pickle.Unpickler):
    """Reads numpy arrays and containers, and refuses any other class or function."""

    ALLOWED = {
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("collections", "OrderedDict"),
        ("_codecs", "encode"),
    } | {(f"numpy.{core}.multiarray", name) for core in ("core", "_core") for name in ("_reconstruct", "scalar")}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which arrays do not need")
        return super().find_class(module.replace("numpy.core", "numpy._core"), name)


def read_numpy_pickle(path: Path) -> State:
    """Read a pickled mapping from names to numpy arrays (VGGFace2's ``resnet50_ft_weight.pkl``), executing nothing.

    Raises:
        CheckpointError: the pickle holds anything else.
    """
    try:
        content = _NumpyUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError) as error:
        raise CheckpointError(f"{path} is not a pickle of arrays: {error}") from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not arrays by name")
    return {str(name): torch.from_numpy(np.array(value)) for name, value in content.items()}


def load_vggface2(network: nn.Module, path: Path) -> LoadReport:
    """Load VGGFace2's ResNet-50; the classifier ``fc`` is reported unused."""
    return load_strictly(network, read_numpy_pickle(path), str(path), unused=("fc.",))


def load_vgg19(network: nn.Module, path: Path) -> LoadReport:
    """Load torchvision's ``vgg19-dcbb9e9d.pth``; its later layers and the classifier are reported unused."""
    deeper = tuple(f"features.{index}." for index in range(21, 37))
    return load_strictly(network, read_tensors(path), str(path), unused=(*deeper, "classifier."))
