"""Reading checkpoint files as tensors by name. Nothing in a file is executed.

``torch.save`` files go through torch's own restricted loader, TorchScript archives and pickles of numpy arrays through
restricted unpicklers that know constructors of tensors, arrays and containers only, Torch7 files through a reader of
data (:mod:`tvface.networks.torch7`).
"""

from __future__ import annotations

import collections
import io
import pickle
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch

from tvface.assets.reports import some

State = dict[str, torch.Tensor]


class CheckpointError(ValueError):
    """A file is not the expected checkpoint; the message names the tensors that do not fit, or what the file is."""


def read_checkpoint(path: Path) -> Any:
    """Read a file of ``torch.save`` with tensors and plain containers only, onto the CPU.

    Raises:
        CheckpointError: a TorchScript archive, a web page saved under the name, a truncated file, or a file that holds
            anything beyond tensors, numbers, text and containers.
    """
    if is_torchscript(path):
        raise CheckpointError(f"{path} is a TorchScript archive (a program), not a state dict; get the latter")
    try:
        with torch.serialization.safe_globals(_numpy_scalars()):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, EOFError, RuntimeError, ValueError, KeyError) as error:
        with open(path, "rb") as file:
            start = file.read(64)
        hint = "a web page (a failed download?)" if start.lstrip().startswith(b"<") else "not a plain checkpoint"
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise CheckpointError(f"{path} is {hint}: {first}") from error


def is_torchscript(path: Path) -> bool:
    """Return whether a file is a zip as ``torch.jit.save`` writes it."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return any(name.endswith("/constants.pkl") for name in archive.namelist())


def _numpy_scalars() -> list[Any]:
    """Return the harmless types that training checkpoints need beyond tensors (a step count as a numpy number)."""
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
    return as_state(read_checkpoint(path), str(path))


def as_state(content: Any, source: str) -> State:
    """Return ``content`` as a state dict.

    Raises:
        CheckpointError: it is not a mapping from names to tensors.
    """
    if not isinstance(content, Mapping) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        held = sorted(map(str, content)) if isinstance(content, Mapping) else [type(content).__name__]
        raise CheckpointError(f"{source} is not a state dict; it holds {some(held)}")
    return dict(content)


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Replace _codecs.encode, with which Python 3 writes bytes in old protocols; other codecs are not looked up."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes are written in the encoding {encoding!r}, only latin1 is known")
    return text.encode("latin1")


def _array(kind: type, shape: tuple[int, ...], code: Any) -> np.ndarray:
    """Replace numpy's _reconstruct: return an empty array whose content follows as state."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"an array of kind {kind!r} may not be made")
    return np.ndarray.__new__(np.ndarray, (0,), "b")


class _NumpyUnpickler(pickle.Unpickler):
    """Reads numpy arrays and containers, and refuses any other class or function."""

    ALLOWED: Mapping[tuple[str, str], Any] = {
        ("numpy", "ndarray"): np.ndarray,
        ("numpy", "dtype"): np.dtype,
        ("collections", "OrderedDict"): collections.OrderedDict,
        ("_codecs", "encode"): _encode,
        **{(f"numpy.{core}.multiarray", "_reconstruct"): _array for core in ("core", "_core")},
        **{
            (f"numpy.{core}.multiarray", "scalar"): np._core.multiarray.scalar  # type: ignore[attr-defined]
            for core in ("core", "_core")
        },
    }

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self.ALLOWED:
            raise pickle.UnpicklingError(f"it wants {module}.{name}, which arrays do not need")
        return self.ALLOWED[module, name]

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside the file")


def read_numpy_pickle(path: Path) -> State:
    """Read a pickled mapping from names to numpy arrays (VGGFace2's ``resnet50_ft_weight.pkl``), executing nothing.

    Raises:
        CheckpointError: the pickle holds anything else.
    """
    try:
        content = _NumpyUnpickler(io.BytesIO(path.read_bytes()), encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, ValueError, TypeError, IndexError, KeyError, AttributeError) as error:
        raise CheckpointError(f"{path} is not a pickle of arrays: {error}") from error
    if not isinstance(content, Mapping):
        raise CheckpointError(f"{path} holds a {type(content).__name__}, not arrays by name")
    state = {}
    for name, value in content.items():
        array = np.array(value)
        if array.dtype.kind not in "fiub":
            raise CheckpointError(f"{path}: {name} is {type(value).__name__} of {array.dtype}, not numbers")
        state[str(name)] = torch.from_numpy(array)
    return state
