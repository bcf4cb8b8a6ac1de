"""Read the reference files: inputs remade from the filler, outputs.

    reference = load("net", "flow_warp")
    x = reference.tensor("x")                  # an input, float32
    warped = reference["zeros_3"]              # an output

``README.md`` of each folder says what the arrays are. Both layouts of the ``inputs`` text are understood: calls of
the filler (``net``) and expressions over ``np``, ``fill`` and earlier entries (``deca``).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from tests.reference import fill
from tests.reference.expressions import evaluate, subscript

ROOT = Path(__file__).parent
SHARED = ROOT.parents[1].parent / "shared"  # beside a checkout on the developers' machine; never shipped


def load(folder: str, name: str, *, root: Path = ROOT, **given: np.ndarray) -> Reference:
    """Open ``<root>/<folder>/<name>.npz``; ``given`` are arrays the file wants from its reader (``v_template``)."""
    return Reference(root / folder / f"{name}.npz", given)


def keys(folder: str, name: str) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of an original's state dict, from ``<folder>/keys/<name>.json``, in its order."""
    content = json.loads((ROOT / folder / "keys" / f"{name}.json").read_text())
    entries = content["entries"] if "entries" in content else [(key, shape) for key, shape in content.items()]
    return {entry[0]: tuple(entry[1]) for entry in entries}


def shapes(module: torch.nn.Module) -> dict[str, tuple[int, ...]]:
    """Return name -> shape of a module's state dict, to compare with :func:`keys`."""
    return {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}


def filled(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """Fill every parameter and buffer by name, as the originals were, and switch to evaluation."""
    fill.fill(module, seed)
    return module.eval()


class _Namespace(dict):
    """Inputs by name; an entry is evaluated when it is first used."""

    def __init__(self, expressions: Mapping[str, Any], given: Mapping[str, np.ndarray]) -> None:
        super().__init__(given)
        self.expressions = expressions

    def __missing__(self, name: str) -> np.ndarray:
        if name not in self.expressions:
            raise KeyError(f"{name} is neither an input of the file nor given by the reader")
        entry = self.expressions[name]
        if isinstance(entry, str):
            value = np.asarray(evaluate(entry, self))
        else:
            call = {"uniform": fill.uniform, "image": fill.image}[entry["call"]]
            value = call(entry["name"], tuple(entry["shape"]), entry["seed"]).astype(np.float64)
            value = (entry["scale"] * value + entry["shift"]).astype(entry["dtype"])
        self[name] = value
        return value


class Reference:
    """One file: its inputs by name, its outputs by key; ``read`` are the keys asked for so far."""

    def __init__(self, path: Path, given: Mapping[str, np.ndarray] | None = None) -> None:
        self.path = path
        with np.load(path, allow_pickle=False) as archive:
            self.outputs = {key: archive[key] for key in archive.files if key != "inputs"}
            text = json.loads(str(archive["inputs"]))
        self.notes: dict[str, Any] = text.get("notes", text)
        entries = text.get("arrays", text)
        calls = {
            key: entry
            for key, entry in entries.items()
            if "arrays" in text or (isinstance(entry, dict) and "call" in entry)
        }
        self._names = _Namespace(calls, given or {})
        self.read: set[str] = set()

    @property
    def inputs(self) -> dict[str, Any]:
        """The file's own description of each input: an expression, or a call of the filler."""
        return dict(self._names.expressions)

    def array(self, name: str) -> np.ndarray:
        """Return an input; floats of the expression layout come as float32, as the originals received them."""
        value = self._names[name]
        if isinstance(self._names.expressions.get(name), str) and value.dtype == np.float64:
            return value.astype(np.float32)
        return value

    def tensor(self, name: str, dtype: torch.dtype | None = None) -> torch.Tensor:
        """Return an input as a tensor."""
        value = torch.from_numpy(np.ascontiguousarray(self.array(name)))
        return value if dtype is None else value.to(dtype)

    def __getitem__(self, key: str) -> np.ndarray:
        self.read.add(key)
        return self.outputs[key]

    def __contains__(self, key: str) -> bool:
        return key in self.outputs

    def part(self, key: str, value: torch.Tensor | np.ndarray) -> np.ndarray:
        """Take from ``value`` the part which the file stores under ``key`` (``<key>.slices`` in its notes)."""
        array = value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)
        text = self.notes.get(f"{key}.slices")
        if text is None:
            return array
        return array[subscript(text)]

    def check(self, key: str, value: torch.Tensor | np.ndarray, *, times: float = 10.0, floor: float = 2e-6) -> None:
        """Assert that a float32 ``value`` is the stored output, for tests of what leads to a network (files, names).

        It may differ by ``times`` the original's own float32 noise plus ``floor`` of the largest value.
        """
        ours, theirs = self.part(key, value), self.outputs[key]
        assert ours.shape == theirs.shape, f"{key}: shape {ours.shape}, the original has {theirs.shape}"
        largest = float(np.abs(theirs).max())
        allowed = times * float(self.outputs.get(f"{key}.noise", np.zeros(1))[0]) + floor * largest
        difference = float(np.abs(ours.astype(np.float64) - theirs).max())
        assert difference <= allowed, f"{key}: differs by {difference:.3g}, allowed {allowed:.3g} at {largest:.3g}"
