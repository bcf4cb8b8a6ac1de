"""Reading FLAME's pickles without executing anything.

A pickle is a program that may call any importable function. Here only a fixed set of names is allowed, and each of them
maps to a plain container or a constructor below: numpy arrays, scipy sparse matrices, chumpy objects (which
carry their array under ``x``) and torch tensors. Every other name is an error before anything is called.
"""

from __future__ import annotations

import collections
import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tvface.head.data import HeadError


class _Stub:
    """Placeholder for an object of a foreign class; it keeps the state and runs none of its code."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments
        self.state: dict[str, Any] = {}

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, tuple) and len(state) == 2:  # (dict, slots)
            state = {**(state[0] or {}), **(state[1] or {})}
        if not isinstance(state, dict):
            raise pickle.UnpicklingError(f"the state of {type(self).__name__} is {type(state).__name__}, not a dict")
        self.state = state


class Chumpy(_Stub):
    """A chumpy object: an array with derivatives."""


class Sparse(_Stub):
    """A scipy sparse matrix in compressed columns or rows."""


class SparseColumns(Sparse):
    """csc_matrix."""


class SparseRows(Sparse):
    """csr_matrix."""


def _encode(text: str, encoding: str = "latin1") -> bytes:
    """Stand in for _codecs.encode, with which Python 3 writes bytes in old protocols; only latin1 is supported."""
    if encoding not in ("latin1", "latin-1"):
        raise pickle.UnpicklingError(f"bytes are written in the encoding {encoding!r}, only latin1 is known")
    return text.encode("latin1")


def _new_object(kind: type, base: type = object, state: Any = None) -> _Stub:
    """Stand in for copyreg._reconstructor."""
    if not (isinstance(kind, type) and issubclass(kind, _Stub)) or base is not object:
        raise pickle.UnpicklingError(f"an object of {kind!r} may not be made")
    return kind()


def _array(kind: type, shape: tuple[int, ...], code: Any) -> np.ndarray:
    """Stand in for numpy's _reconstruct: an empty array whose content follows as state."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"an array of kind {kind!r} may not be made")
    return np.ndarray.__new__(np.ndarray, (0,), "b")


def _scalar(dtype: np.dtype, content: Any = None) -> Any:
    """Stand in for numpy's scalar."""
    if not isinstance(dtype, np.dtype) or dtype.hasobject:
        raise pickle.UnpicklingError("a numpy scalar of objects may not be made")
    raw = content.encode("latin1") if isinstance(content, str) else content
    return np.frombuffer(raw, dtype)[0]


def _storage(content: bytes) -> Any:
    """Stand in for torch.storage._load_from_bytes, with torch's safe loader."""
    raw = content.encode("latin1") if isinstance(content, str) else content
    return torch.load(io.BytesIO(raw), map_location="cpu", weights_only=True)


def _tensor(storage: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_: Any) -> np.ndarray:
    """Stand in for torch._utils._rebuild_tensor(_v2); returns an array."""
    return torch.empty(0, dtype=storage.dtype).set_(storage, offset, tuple(size), tuple(stride)).numpy().copy()


_NAMES: dict[tuple[str, str], Any] = {
    ("_codecs", "encode"): _encode,
    ("copy_reg", "_reconstructor"): _new_object,
    ("copyreg", "_reconstructor"): _new_object,
    ("__builtin__", "object"): object,
    ("builtins", "object"): object,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("numpy", "ndarray"): np.ndarray,
    ("numpy", "dtype"): np.dtype,
    ("torch.storage", "_load_from_bytes"): _storage,
    ("torch._utils", "_rebuild_tensor"): _tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _tensor,
}
for _module in ("numpy.core.multiarray", "numpy._core.multiarray"):
    _NAMES[_module, "_reconstruct"] = _array
    _NAMES[_module, "scalar"] = _scalar
for _name, _kind in (("csc", SparseColumns), ("csr", SparseRows)):
    for _module in (f"scipy.sparse.{_name}", f"scipy.sparse._{_name}"):
        for _suffix in ("matrix", "array"):
            _NAMES[_module, f"{_name}_{_suffix}"] = _kind


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Callable[..., Any]:
        if (module, name) in _NAMES:
            return _NAMES[module, name]
        if module.partition(".")[0] == "chumpy":
            return type(name, (Chumpy,), {})
        raise pickle.UnpicklingError(f"it refers to {module}.{name}, which plain numbers never need")

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("it refers to objects outside the file")


def check_file(path: Path, what: str) -> None:
    """Raise HeadError unless ``path`` is a file of a plausible kind."""
    if not path.is_file():
        raise HeadError(
            f"{path}: {what} is missing. It is licensed and not shipped: FLAME and its albedo come from "
            "flame.is.tue.mpg.de (registration), the other files from DECA's repository, folder data. Name yours in "
            "the settings head.*, or set head.model: human"
        )
    with open(path, "rb") as file:
        start = file.read(512).lstrip()
    if start[:1] == b"<" and b"html" in start.lower():
        raise HeadError(f"{path}: a web page was saved instead of {what}; log in to its site and download it again")
    if path.suffix in (".pkl", ".npy") and start[:2] == b"PK":
        raise HeadError(f"{path}: a zip archive, not {what}; unpack it and point the setting at the file inside")
    if start[:40].startswith(b"version https://git-lfs"):
        raise HeadError(f"{path}: a git-lfs pointer, not {what}; fetch the real file")


def read_pickle(path: Path, what: str) -> dict[str, Any]:
    """Read a pickled mapping.

    Raises:
        HeadError: missing, a login page, no pickle, or a pickle that wants to run something.
    """
    check_file(path, what)
    with open(path, "rb") as file:
        content = _load(file, path, what)
    if not isinstance(content, dict):
        raise HeadError(f"{path}: holds {type(content).__name__}, expected the mapping of {what}")
    return content


def read_object_npy(path: Path, what: str) -> dict[str, Any]:
    """Read an .npy that holds one pickled mapping.

    Raises:
        HeadError: as :func:`read_pickle`, or the .npy holds something else.
    """
    check_file(path, what)
    with open(path, "rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, dtype = reader(file)
        except ValueError as error:
            raise HeadError(f"{path}: not an .npy file ({error}), expected {what}") from error
        if not dtype.hasobject or shape not in ((), (1,)):
            raise HeadError(f"{path}: holds {dtype} of shape {shape}, expected the pickled mapping of {what}")
        content = _load(file, path, what)
    if isinstance(content, np.ndarray):
        content = content.reshape(-1)[0]
    if not isinstance(content, dict):
        raise HeadError(f"{path}: holds {type(content).__name__}, expected the mapping of {what}")
    return content


def _load(file: Any, path: Path, what: str) -> Any:
    try:
        return _Unpickler(file, encoding="latin1").load()
    except (pickle.UnpicklingError, EOFError, IndexError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise HeadError(f"{path}: cannot be read as {what}: {error}") from error


def as_array(value: Any, name: str, path: Path) -> np.ndarray:
    """Return a numeric array from a numpy array, a chumpy object or a sparse matrix (made dense).

    Raises:
        HeadError: the value is none of them.
    """
    if isinstance(value, Chumpy):
        if "x" not in value.state:
            kind = type(value).__name__
            raise HeadError(f"{path}: {name} is a chumpy {kind} computed from others; save the model with plain arrays")
        return as_array(value.state["x"], name, path)
    if isinstance(value, Sparse):
        return _dense(value, name, path)
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise HeadError(f"{path}: {name} is {type(value).__name__}, expected numbers")
    return array


def _dense(value: Sparse, name: str, path: Path) -> np.ndarray:
    state = value.state
    shape = state.get("_shape", state.get("shape"))
    missing = [key for key in ("data", "indices", "indptr") if key not in state]
    if shape is None or missing:
        raise HeadError(f"{path}: the sparse matrix {name} lacks {', '.join(missing) or 'its shape'}")
    data, indices, pointers = (np.asarray(state[key]) for key in ("data", "indices", "indptr"))
    columns = isinstance(value, SparseColumns)
    out = np.zeros(tuple(int(n) for n in shape))
    majors = np.repeat(np.arange(len(pointers) - 1), np.diff(pointers))
    if len(majors) != len(data) or len(pointers) != out.shape[1 if columns else 0] + 1:
        raise HeadError(f"{path}: the sparse matrix {name} contradicts itself; download the file again")
    np.add.at(out, (indices, majors) if columns else (majors, indices), data)
    return out
