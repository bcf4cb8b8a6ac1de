"""The tensors of a TorchScript archive, read without running any of the program in it.

Such an archive is a zip: ``code/`` (the program), ``data.pkl`` (a pickle that rebuilds the module with its tensors and
submodules as attributes), ``data/<key>`` (raw storages, little-endian), ``constants.pkl`` (constants of the program).
Only ``data.pkl`` and its storages are read. The classes of the pickle are part of the program and are replaced by an
inert holder of attributes. Only the few names of torch that describe a tensor are allowed; any other is an error.
"""

from __future__ import annotations

import collections
import math
import pickle
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from tvface.networks.files import CheckpointError, State

_DTYPES = {
    "FloatStorage": torch.float32,
    "DoubleStorage": torch.float64,
    "HalfStorage": torch.float16,
    "BFloat16Storage": torch.bfloat16,
    "LongStorage": torch.int64,
    "IntStorage": torch.int32,
    "ShortStorage": torch.int16,
    "CharStorage": torch.int8,
    "ByteStorage": torch.uint8,
    "BoolStorage": torch.bool,
}

# Errors that the zip reader, the unpickler and torch raise for inconsistent contents.
_DAMAGED = (
    zipfile.BadZipFile,
    pickle.UnpicklingError,
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    RuntimeError,  # also RecursionError: modules within themselves
    TypeError,
    ValueError,
)


class _Module:
    """Stands for an object of a class of the archive's program; holds its attributes and runs none of its code."""

    def __init__(self) -> None:
        self.attributes: dict[str, Any] = {}

    def __new__(cls, *arguments: Any) -> _Module:
        module = super().__new__(cls)
        module.attributes = {}
        return module

    def __setstate__(self, state: Any) -> None:
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(f"the state of a module is {type(state).__name__}, not its attributes")
        self.attributes = state


@dataclass(frozen=True)
class _StorageType:
    """Stands for ``torch.FloatStorage`` and its like: a name for a dtype."""

    dtype: torch.dtype

    def __setstate__(self, state: Any) -> None:
        raise pickle.UnpicklingError("it wants to change what a storage type is")


def _tensor(
    storage: torch.Tensor, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any
) -> torch.Tensor:
    """Replace torch._utils._rebuild_tensor_v2, with bounds checks."""
    if (
        not isinstance(storage, torch.Tensor)
        or len(size) != len(stride)
        or min((offset, *size, *stride), default=0) < 0
    ):
        raise pickle.UnpicklingError("a tensor is not described by storage, size and stride")
    # With a stride of 0 a few values could demand any amount of memory.
    if math.prod(size) > storage.numel():
        raise pickle.UnpicklingError(f"a tensor of {size} in a storage of {storage.numel()} values")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True)) if math.prod(size) else -1
    if last >= storage.numel():
        raise pickle.UnpicklingError(f"a tensor of {size} reaches beyond its storage of {storage.numel()} values")
    return torch.as_strided(storage, tuple(size), tuple(stride), offset).clone()


def _plain_list(items: Any) -> list[Any]:
    """Replace torch.jit._pickle.build_intlist and the like: a typed list becomes a list."""
    return list(items)


def _untagged(value: Any, _tag: Any = None) -> Any:
    """Replace torch.jit._pickle.restore_type_tag: return the value without its declared type."""
    return value


_KNOWN: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
    ("torch.jit._pickle", "restore_type_tag"): _untagged,
    **{("torch.jit._pickle", f"build_{kind}list"): _plain_list for kind in ("int", "double", "bool", "tensor")},
    **{("torch", name): _StorageType(dtype) for name, dtype in _DTYPES.items()},
}


class _Unpickler(pickle.Unpickler):
    def __init__(self, archive: zipfile.ZipFile, folder: str) -> None:
        super().__init__(archive.open(f"{folder}/data.pkl"))
        self._archive, self._folder = archive, folder
        self._storages: dict[str, torch.Tensor] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module.partition(".")[0] == "__torch__":
            return _Module
        if (module, name) not in _KNOWN:
            raise pickle.UnpicklingError(f"it refers to {module}.{name}, which tensors do not need")
        return _KNOWN[module, name]

    def persistent_load(self, pid: Any) -> torch.Tensor:
        """Return the storage (n,) of ``("storage", type, key, device, n)``; it is always put on the CPU."""
        if not (isinstance(pid, tuple) and len(pid) == 5 and pid[0] == "storage" and isinstance(pid[1], _StorageType)):
            raise pickle.UnpicklingError(f"it refers to {pid!r}, which is no storage of the archive")
        _, kind, key, _, count = pid
        if key not in self._storages:
            raw = self._archive.read(f"{self._folder}/data/{key}")
            if len(raw) != count * kind.dtype.itemsize:
                raise pickle.UnpicklingError(f"storage {key} has {len(raw):,} bytes, not {count:,} of {kind.dtype}")
            self._storages[key] = torch.frombuffer(bytearray(raw), dtype=kind.dtype) if raw else torch.empty(0)
        return self._storages[key]


def read_torchscript(path: Path) -> State:
    """Read the parameters and buffers of a TorchScript archive by their names in the module tree.

    Raises:
        CheckpointError: not such an archive, damaged, compressed, or a pickle that needs more than tensors.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            folders = [name.removesuffix("/data.pkl") for name in archive.namelist() if name.endswith("/data.pkl")]
            if len(folders) != 1:
                raise CheckpointError(f"{path} is not a TorchScript archive: it has {len(folders)} members data.pkl")
            # torch compresses the code only; a compressed storage may be a bomb.
            read = tuple(f"{folders[0]}/data{end}" for end in (".pkl", "/"))
            compressed = [
                member.filename
                for member in archive.infolist()
                if member.filename.startswith(read) and member.compress_type != zipfile.ZIP_STORED
            ]
            if compressed:
                raise CheckpointError(f"{path}: the member {compressed[0]} is compressed, which torch never writes")
            order = f"{folders[0]}/byteorder"
            if order in archive.namelist() and archive.read(order) != b"little":
                raise CheckpointError(f"{path} was written on a big-endian machine; save it again on another")
            root = _Unpickler(archive, folders[0]).load()
        if not isinstance(root, _Module):
            raise CheckpointError(f"{path} holds a {type(root).__name__}, not a module")
        state: State = {}
        _collect(root, "", state)
    except CheckpointError:
        raise
    except _DAMAGED as error:
        raise CheckpointError(f"{path} is not a readable TorchScript archive: {error}") from error
    return state


def _collect(module: _Module, prefix: str, state: State) -> None:
    for name, value in module.attributes.items():
        if isinstance(value, torch.Tensor):
            state[f"{prefix}{name}"] = value
        elif isinstance(value, _Module):
            _collect(value, f"{prefix}{name}.", state)
