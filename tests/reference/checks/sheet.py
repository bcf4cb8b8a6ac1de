"""Compare quantities with a reference file, and write down how far off they are."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tests.reference.arrays import Reference

RELATIVE = 1e-5  # of the quantity's largest value, float32
ROUNDING = 2e-6  # instead of it where the file states the noise, which then covers all but the last bits
DOUBLE = 1e-6  # of the largest value: float64 against what the files call ``.f64``, which is rounded to float32
NOISE = 10  # times the original's own float32 noise, where the file states it


class Missing(Exception):
    """A file that a check needs beside the reference is absent; the message names it."""


class Line(NamedTuple):
    """One quantity: name, largest absolute error, that over the largest value, tolerance in words, verdict."""

    name: str
    absolute: float
    relative: float
    tolerance: str
    passed: bool

    def __str__(self) -> str:
        verdict = "ok  " if self.passed else "FAIL"
        return f"{verdict} {self.name:<72} abs {self.absolute:9.3g}  rel {self.relative:9.3g}  tol {self.tolerance}"


@dataclass
class Folder:
    """A folder of reference files and what lies beside it."""

    root: Path
    licensed: Path
    weights: Path

    def open(self, group: str, name: str, **given: np.ndarray) -> Reference:
        """Open ``<group>/<name>.npz``."""
        return Reference(self.root / group / f"{name}.npz", given)

    def need(self, *names: str) -> list[Path]:
        """Return paths of licensed files.

        Raises:
            Missing: one is absent.
        """
        paths = [self.licensed / name for name in names]
        for path in paths:
            if not path.is_file():
                raise Missing(f"needs {path} (DECA's licence forbids to pass it on; --licensed names its folder)")
        return paths


@dataclass
class Sheet:
    """The lines of one reference file."""

    name: str
    folder: Folder
    reference: Reference
    lines: list[Line] = field(default_factory=list)

    def add(self, name: str, absolute: float, scale: float, allowed: float, tolerance: str | None = None) -> None:
        """Write a line: ``absolute`` may be ``allowed``; ``scale`` is the largest value."""
        relative = absolute / scale if scale > 0 else absolute
        # A comparison with not-a-number is false, so it fails.
        passed = bool(absolute <= allowed)
        self.lines.append(Line(f"{self.name}: {name}", absolute, relative, tolerance or f"{allowed:.3g}", passed))

    def compare(
        self,
        key: str,
        ours: Any,
        *,
        relative: float = RELATIVE,
        absolute: float = 0.0,
        label: str | None = None,
        outliers: float = 0.0,
        far: float = np.inf,
        scale: float | None = None,
    ) -> None:
        """Compare with the array stored under ``key``.

        relative: of the largest value stored; absolute: beside it.
        outliers: part of the entries that may be off by more, up to ``far`` of the largest value; the error given is
            that of the others.
        scale: the largest value, where the stored array is only a part.
        """
        theirs = np.asarray(self.reference[key], np.float64)
        mine = as_array(ours).astype(np.float64)
        label = label or key
        if mine.shape != theirs.shape:
            self.lines.append(
                Line(f"{self.name}: {label}", np.nan, np.nan, f"shape {theirs.shape}, ours {mine.shape}", False)
            )
            return
        scale = float(np.abs(theirs).max(initial=0.0)) if scale is None else scale
        difference = np.abs(mine - theirs).ravel()
        allowed = relative * scale + absolute
        words = f"{allowed:.3g}"
        if outliers:
            count = int(outliers * difference.size)
            words += f", {far * scale:.3g} for {count} of {difference.size}"
            if difference.max(initial=0.0) <= far * scale:
                difference = np.sort(difference)[: difference.size - count]
        self.add(label, float(difference.max(initial=0.0)), scale, allowed, words)

    def exact(self, key: str, ours: Any, *, label: str | None = None) -> None:
        """Compare whole numbers, which must be the same."""
        self.compare(key, ours, relative=0.0, label=label)

    def bits(self, key: str, mask: torch.Tensor, *, pixels: int = 0) -> None:
        """Compare a mask with ``<key>.bits`` and ``<key>.sum``; ``pixels`` may differ."""
        ours = as_array(mask).astype(bool).ravel()
        theirs = np.unpackbits(self.reference[f"{key}.bits"], count=ours.size).astype(bool)
        self.add(f"{key}.bits", float((ours != theirs).sum()), float(ours.size), pixels, f"{pixels} px")
        total = int(self.reference[f"{key}.sum"])
        self.add(f"{key}.sum", abs(int(ours.sum()) - total), float(total), pixels, f"{pixels} px")

    def tensor(
        self,
        key: str,
        ours: Any,
        take: Callable[[np.ndarray], np.ndarray] | int | None = None,
        *,
        relative: float | None = None,
        outliers: float = 0.0,
        far: float = np.inf,
        label: str | None = None,
    ) -> None:
        """Compare a whole array with all that the file stores of it: a part, and mean, deviation and largest value.

        In float64 the part is compared with ``<key>.f64``. The file's ``<key>.noise`` widens the float32 tolerance.

        relative: of the largest value; by default RELATIVE, or ROUNDING where there is a noise.
        take: how the stored ``<key>.sub`` was taken; a number is the step along the last two axes. A part under
            ``<key>`` itself follows the file's own ``<key>.slices``.
        """
        array = as_array(ours)
        if array.dtype == np.float64 and f"{key}.f64" in self.reference:
            stored = self.reference.part(key, array)
            scale = float(np.abs(array).max())
            name = label or f"{key}.f64"
            self.compare(f"{key}.f64", stored, relative=DOUBLE, label=name, scale=scale)
            return
        noise = self.noise(key)
        if relative is None:
            relative = ROUNDING if noise > 0 else RELATIVE
        scale = float(np.abs(array).max())
        if f"{key}.stats" in self.reference:
            scale = float(self.reference[f"{key}.stats"][2])
        options: dict[str, Any] = {"relative": relative, "absolute": noise, "scale": scale}
        if key in self.reference:
            self.compare(key, self.reference.part(key, array), outliers=outliers, far=far, label=label, **options)
        if f"{key}.sub" in self.reference:
            part = array[..., ::take, ::take] if isinstance(take, int) else take(array) if take else array
            self.compare(f"{key}.sub", part, outliers=outliers, far=far, **options)
        if f"{key}.stats" in self.reference:
            stats = summary(array)
            # The largest value may be one of the outliers.
            self.compare(f"{key}.stats", stats, outliers=1 / 3 if outliers else 0.0, far=far, **options)

    def noise(self, key: str) -> float:
        """Return what float32 may add to the tolerance: a multiple of ``<key>.noise``, 0 where the file has none."""
        name = f"{key}.noise"
        return NOISE * float(np.max(self.reference[name])) if name in self.reference else 0.0

    def seed(self, *path: str) -> int:
        """Return the seed with which a network was filled, from a note such as ``fill.fill(module, 0)``.

        Raises:
            ValueError: the note names none.
        """
        note: Any = self.reference.notes
        for step in path:
            note = note[step]
        return seed_of(str(note), f"{self.name}: note {'.'.join(path)}")


def seed_of(text: str, where: str) -> int:
    """Return the seed in ``fill.fill(module, SEED)`` or ``fill.uniform(NAME, SHAPE, SEED)``.

    Raises:
        ValueError: there is none.
    """
    found = re.findall(r"fill\.fill\(.*?,\s*(\d+)\)|fill\.(?:uniform|image)\(.*?\),\s*(\d+)\)", text)
    if not found:
        raise ValueError(f"{where} names no seed: {text!r}")
    return int(next(value for value in found[-1] if value))


def as_array(value: Any) -> np.ndarray:
    """Return a tensor, array or number as an array."""
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else np.asarray(value)


def summary(array: np.ndarray) -> np.ndarray:
    """Return mean, population standard deviation and largest absolute value, in float64."""
    values = array.astype(np.float64)
    return np.array([values.mean(), values.std(), np.abs(values).max()])
