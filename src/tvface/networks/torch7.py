"""A reader of Torch7's binary serialisation (``.t7``): numbers, text, tables, tensors and storages; data only.

The format (torch7's ``File.lua`` and ``Tensor.lua``): little-endian; every object starts with an int32 type
tag. Tables and torch objects carry an index by which later references name them (the memo). A tensor is sizes, strides
and a 1-based offset into a storage, which several tensors may share. A Lua function in a file is a program: it is
refused.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from tvface.networks.files import CheckpointError

_NIL, _NUMBER, _STRING, _TABLE, _TORCH, _BOOLEAN = range(6)
_DEEPEST = 200

_KINDS = {
    "Float": "<f4",
    "Cuda": "<f4",
    "Double": "<f8",
    "CudaDouble": "<f8",
    "Long": "<i8",
    "CudaLong": "<i8",
    "Int": "<i4",
    "CudaInt": "<i4",
    "Short": "<i2",
    "Char": "<i1",
    "Byte": "<u1",
    "CudaByte": "<u1",
}


@dataclass
class TorchObject:
    """An object of a torch class that is neither tensor nor storage: its class name and its fields."""

    kind: str
    fields: dict[Any, Any] = field(default_factory=dict)


class _Reader:
    def __init__(self, data: bytes, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0
        self.memo: dict[int, Any] = {}

    def wrong(self, what: str) -> CheckpointError:
        return CheckpointError(f"{self.path} is not a Torch7 file that can be read: {what} at byte {self.at:,}")

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise self.wrong(f"needs {count:,} bytes, {len(self.data) - self.at:,} are left")
        self.at += count
        return self.data[self.at - count : self.at]

    def number(self, code: str) -> Any:
        return struct.unpack(f"<{code}", self.take(struct.calcsize(f"<{code}")))[0]

    def text(self) -> str:
        return self.take(self.number("i")).decode("latin1")

    def longs(self, count: int) -> tuple[int, ...]:
        return struct.unpack(f"<{count}q", self.take(8 * count))

    def read(self, depth: int = 0) -> Any:
        if depth > _DEEPEST:
            raise self.wrong(f"objects nested over {_DEEPEST} deep")
        tag = self.number("i")
        if tag == _NIL:
            return None
        if tag == _NUMBER:
            return self.number("d")
        if tag == _STRING:
            return self.text()
        if tag == _BOOLEAN:
            return self.number("i") == 1
        if tag not in (_TABLE, _TORCH):
            raise self.wrong("a Lua function (a program) is refused" if tag in (6, 7, 8) else f"unknown type {tag}")
        index = self.number("i")
        if index in self.memo:
            return self.memo[index]
        return self.table(index, depth) if tag == _TABLE else self.torch_object(index, depth)

    def table(self, index: int, depth: int) -> dict[Any, Any]:
        table: dict[Any, Any] = {}
        self.memo[index] = table
        for _ in range(self.number("i")):
            key = self.read(depth + 1)
            if not isinstance(key, str | float | bool):
                raise self.wrong(f"a table key of type {type(key).__name__}")
            table[key] = self.read(depth + 1)
        return table

    def torch_object(self, index: int, depth: int) -> Any:
        name = self.text()
        if name.startswith("V "):
            name = self.text()
        base = name.removeprefix("torch.")
        if base.removesuffix("Storage") in _KINDS and base.endswith("Storage"):
            dtype = np.dtype(_KINDS[base.removesuffix("Storage")])
            count = self.number("q")
            self.memo[index] = np.frombuffer(self.take(count * dtype.itemsize), dtype)
            return self.memo[index]
        if base.removesuffix("Tensor") in _KINDS and base.endswith("Tensor"):
            self.memo[index] = self.tensor(np.dtype(_KINDS[base.removesuffix("Tensor")]), depth)
            return self.memo[index]
        instance = TorchObject(name)
        self.memo[index] = instance
        fields = self.read(depth + 1)
        if not isinstance(fields, dict):
            raise self.wrong(f"an object {name} without a table of fields")
        instance.fields = fields
        return instance

    def tensor(self, dtype: np.dtype, depth: int) -> np.ndarray:
        dimensions = self.number("i")
        if not 0 <= dimensions <= 16:
            raise self.wrong(f"a tensor of {dimensions} dimensions")
        size, stride, start = self.longs(dimensions), self.longs(dimensions), self.number("q") - 1
        storage = self.read(depth + 1)
        if storage is None or not dimensions:
            return np.zeros((0,), dtype)
        if not isinstance(storage, np.ndarray) or storage.dtype != dtype:
            raise self.wrong("a tensor without a storage of its own kind")
        if min((start, *size, *stride)) < 0:
            raise self.wrong(f"a tensor of sizes {size}, strides {stride}, offset {start}")
        last = start + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
        count: int = math.prod(size)
        if count > len(storage) or (count and last >= len(storage)):
            raise self.wrong(f"a tensor of {size} that reaches beyond its storage of {len(storage):,} values")
        view = np.lib.stride_tricks.as_strided(storage[start:], size, [step * dtype.itemsize for step in stride])
        return view.copy()


def read_torch7(path: Path) -> Any:
    """Return the object of a ``.t7`` file: numbers, str, dict, :class:`TorchObject`, numpy arrays (copies).

    Raises:
        CheckpointError: not such a file, truncated, contradictory, or with a Lua function in it.
    """
    reader = _Reader(path.read_bytes(), path)
    try:
        content = reader.read()
    except RecursionError as error:
        raise reader.wrong("objects nested too deep") from error
    if reader.at != len(reader.data):
        raise reader.wrong(f"{len(reader.data) - reader.at:,} bytes left over")
    return content
