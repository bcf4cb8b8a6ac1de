"""A writer of Torch7's binary serialisation, to make files in the layout of SPyNet's authors."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Storage:
    """A float32 storage; tensors that name the same one are written as views of it."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = np.ascontiguousarray(values, "<f4").reshape(-1)


class View:
    """A torch.CudaTensor: a shape at an offset (0-based here, 1-based in the file) of a storage."""

    def __init__(self, storage: Storage, offset: int, shape: Sequence[int]) -> None:
        self.storage, self.offset, self.shape = storage, offset, tuple(shape)


class Module:
    """An object of a torch class with fields."""

    def __init__(self, kind: str, fields: Mapping[Any, Any]) -> None:
        self.kind, self.fields = kind, dict(fields)


class Writer:
    """Serialises; an object that comes twice is written once and referred to by its index."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []
        self.indices: dict[int, int] = {}

    def put(self, code: str, *values: Any) -> None:
        self.parts.append(struct.pack(f"<{code}", *values))

    def text(self, value: str) -> None:
        self.put("i", len(value))
        self.parts.append(value.encode("latin1"))

    def known(self, tag: int, value: Any) -> bool:
        self.put("i", tag)
        again = id(value) in self.indices
        self.put("i", self.indices.setdefault(id(value), len(self.indices) + 1))
        return again

    def write(self, value: Any) -> None:
        if value is None:
            self.put("i", 0)
        elif isinstance(value, bool):
            self.put("ii", 5, value)
        elif isinstance(value, int | float):
            self.put("id", 1, value)
        elif isinstance(value, str):
            self.put("i", 2)
            self.text(value)
        elif isinstance(value, dict):
            if not self.known(3, value):
                self.put("i", len(value))
                for key, item in value.items():
                    self.write(key)
                    self.write(item)
        else:
            self.torch_object(value)

    def torch_object(self, value: Any) -> None:
        if self.known(4, value):
            return
        self.text("V 1")
        if isinstance(value, Storage):
            self.text("torch.CudaStorage")
            self.put("q", len(value.values))
            self.parts.append(value.values.tobytes())
        elif isinstance(value, View):
            self.text("torch.CudaTensor")
            strides = [int(np.prod(value.shape[i + 1 :])) for i in range(len(value.shape))]
            self.put(f"i{2 * len(value.shape)}q", len(value.shape), *value.shape, *strides)
            self.put("q", value.offset + 1)
            self.write(value.storage)
        else:
            self.text(value.kind)
            self.write(value.fields)

    def bytes(self) -> bytes:
        return b"".join(self.parts)


def write_level(path: Path, convolutions: Sequence[tuple[np.ndarray, np.ndarray]]) -> Path:
    """Write one level of SPyNet: an nn.Sequential of convolutions and ReLUs whose weights share one storage."""
    flat = np.concatenate([array.reshape(-1) for pair in convolutions for array in pair])
    storage, gradient = Storage(flat), Storage(np.zeros_like(flat))
    modules: dict[Any, Any] = {}
    offset = 0
    for weight, bias in convolutions:
        fields: dict[str, Any] = {"nInputPlane": weight.shape[1], "kW": weight.shape[3], "train": False}
        for name, array in (("weight", weight), ("bias", bias)):
            fields[name] = View(storage, offset, array.shape)
            fields[f"grad{name.capitalize()}"] = View(gradient, offset, array.shape)
            offset += array.size
        modules[float(len(modules) + 1)] = Module("cudnn.SpatialConvolution", fields)
        if len(modules) < 2 * len(convolutions) - 1:
            modules[float(len(modules) + 1)] = Module("cudnn.ReLU", {"inplace": True, "output": None})
    writer = Writer()
    writer.write(Module("nn.Sequential", {"modules": modules, "_type": "torch.CudaTensor", "train": False}))
    path.write_bytes(writer.bytes())
    return path
