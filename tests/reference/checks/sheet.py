"""Compare quantities with a reference file, and write down how far off they are.

How far a quantity may be off follows from what float32 can hold of it: :mod:`tests.reference.checks.rounding`. Which
pixels float32 leaves undecided: :mod:`tests.reference.checks.edges`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage

from tests.reference.arrays import Reference
from tests.reference.checks.rounding import (
    ROUNDING,
    TIMES,
    Moved,
    Result,
    as_array,
    magnitude,
    moved,
    moved_norm,
    norm,
)

RELATIVE = 1e-5  # of the largest value, float32: a few operations in a row, no sum that cancels
NOISE = 10  # times the original's own float32 noise, where the file states it
FEW = 1e-2  # of the pixels may lie within float32 of an edge
DOUBLE = 1e-6  # of the largest value: float64 against what the files call ``.f64``, which is rounded to float32


class Missing(Exception):
    """A file that a check needs beside the reference is absent; the message names it."""


class Line(NamedTuple):
    """One quantity: name, largest absolute error, that over the largest value, tolerance in words, verdict.

    share: the tolerance over the largest value, nan where there is none.
    """

    name: str
    absolute: float
    relative: float
    tolerance: str
    passed: bool
    share: float = float("nan")

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
        words, share = tolerance or f"{allowed:.3g}", allowed / scale if scale > 0 else float("nan")
        self.lines.append(Line(f"{self.name}: {name}", absolute, relative, words, passed, share))

    def compare(
        self,
        key: str,
        ours: Any,
        *,
        noise: Moved | None = None,
        relative: float | None = None,
        absolute: float = 0.0,
        label: str | None = None,
        scale: float | None = None,
        counted: np.ndarray | None = None,
    ) -> None:
        """Compare with the array stored under ``key``.

        ours: array or number; a :class:`~tests.reference.checks.rounding.Result` brings its own ``noise``.
        noise: how far disturbed runs moved it; widens the tolerance by the rule of that module.
        relative: of the largest value stored, by default RELATIVE, with a noise ROUNDING; absolute: beside it.
        scale: the largest value, where the stored array is only a part.
        counted: boolean array of the same shape; other entries are left out.
        """
        if isinstance(ours, Result):
            ours, noise = ours.value, moved(ours, counted)
        theirs = np.asarray(self.reference[key], np.float64)
        mine = as_array(ours).astype(np.float64)
        label = label or key
        if mine.shape != theirs.shape:
            words = f"shape {theirs.shape}, ours {mine.shape}"
            self.lines.append(Line(f"{self.name}: {label}", np.nan, np.nan, words, False))
            return
        scale = float(np.abs(theirs).max(initial=0.0)) if scale is None else scale
        off = magnitude(mine - theirs if counted is None else (mine - theirs)[counted])
        relative = (RELATIVE if noise is None else ROUNDING) if relative is None else relative
        least = relative * scale + absolute
        self.add(label, off.largest, scale, least + (0.0 if noise is None else TIMES * noise.largest))
        if noise is not None and mine.size > 3:  # not of one number, nor of three statistics
            self.add(f"{label} (root mean square)", off.typical, scale, least + TIMES * noise.typical)

    def norm(self, key: str, gradient: Result, further: Moved | None = None) -> None:
        """Compare the Euclidean norm of a gradient; ``further``: how far it moves by another estimate."""
        noise = moved_norm(gradient)
        self.compare(key, norm(gradient.value), noise=noise if further is None else max(noise, further))

    def exact(self, key: str, ours: Any, *, label: str | None = None) -> None:
        """Compare whole numbers, which must be the same."""
        self.compare(key, ours, relative=0.0, label=label)

    def bits(self, key: str, mask: torch.Tensor, *, undecided: np.ndarray | None = None) -> None:
        """Compare a mask with ``<key>.bits`` and ``<key>.sum``; pixels that are ``undecided`` may differ."""
        ours = as_array(mask).astype(bool)
        theirs = np.unpackbits(self.reference[f"{key}.bits"], count=ours.size).astype(bool).reshape(ours.shape)
        loose = np.zeros(ours.shape, bool) if undecided is None else np.broadcast_to(undecided, ours.shape)
        wrong, free = (ours != theirs) & ~loose, int(loose.sum())
        self.add(f"{key}.bits", float(wrong.sum()), float(ours.size), 0, f"0 px{beside(loose)}")
        total = int(self.reference[f"{key}.sum"])
        self.add(f"{key}.sum", abs(int(ours.sum()) - total), float(total), free, f"{free} px")

    def few(self, what: str, undecided: np.ndarray) -> None:
        """Write a line that fails if so many pixels are undecided that a comparison of the others says little."""
        free, allowed = int(undecided.sum()), FEW * undecided.size
        self.add(f"{what}: pixels within float32 of an edge", free, undecided.size, allowed, f"{allowed:.0f} px")

    def tensor(
        self,
        key: str,
        ours: Any,
        take: Callable[[np.ndarray], np.ndarray] | int | None = None,
        *,
        undecided: np.ndarray | None = None,
        relative: float | None = None,
        label: str | None = None,
    ) -> None:
        """Compare a whole array with all that the file stores of it: a part, and mean, deviation and largest value.

        In float64 the part is compared with ``<key>.f64``. The float32 tolerance is widened by the file's
        ``<key>.noise``, and by how far disturbed runs moved a :class:`~tests.reference.checks.rounding.Result`.

        relative: of the largest value; by default RELATIVE, or ROUNDING where there is a noise of either kind.
        undecided: pixels, along the last two axes, that are left out.
        take: how the stored ``<key>.sub`` was taken; a number is the step along the last two axes. A part under
            ``<key>`` itself follows the file's own ``<key>.slices``.
        """
        array = as_array(ours.value if isinstance(ours, Result) else ours)
        if array.dtype == np.float64 and f"{key}.f64" in self.reference:
            stored = self.reference.part(key, array)
            scale = float(np.abs(array).max())
            name = label or f"{key}.f64"
            self.compare(f"{key}.f64", stored, relative=DOUBLE, label=name, scale=scale)
            return
        stats = self.reference[f"{key}.stats"] if f"{key}.stats" in self.reference else None  # noqa: SIM401
        stated = self.noise(key)
        if relative is None and stated > 0:
            relative = ROUNDING
        counted = None if undecided is None else ~np.broadcast_to(undecided, array.shape)
        options: dict[str, Any] = {
            "relative": relative,
            "absolute": stated,
            "scale": float(np.abs(array).max() if stats is None else stats[2]),
            "noise": moved(ours, counted) if isinstance(ours, Result) else None,
        }
        if key in self.reference:
            chosen = None if counted is None else self.reference.part(key, counted)
            self.compare(key, self.reference.part(key, array), label=label, counted=chosen, **options)
        if f"{key}.sub" in self.reference:
            part, chosen = (None if a is None else _taken(a, take) for a in (array, counted))
            self.compare(f"{key}.sub", part, counted=chosen, **options)
        if stats is not None:
            if counted is not None:
                options["absolute"] += _slack(array, ~counted, stats)
            self.compare(f"{key}.stats", summary(array), **options)

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


def beside(undecided: np.ndarray) -> str:
    """Say how many pixels are not counted."""
    return f" beside {int(undecided.sum())} within float32 of an edge" if undecided.any() else ""


def _slack(array: np.ndarray, undecided: np.ndarray, stats: np.ndarray) -> float:
    """What undecided pixels may do to mean and deviation if each may take the value of any pixel around it."""
    window = (1,) * (array.ndim - 2) + (3, 3)
    span = ndimage.maximum_filter(array, window) - ndimage.minimum_filter(array, window)
    return float((span * undecided).sum()) / array.size * max(1.0, stats[2] / stats[1])


def _taken(array: np.ndarray, take: Callable[[np.ndarray], np.ndarray] | int | None) -> np.ndarray:
    if isinstance(take, int):
        return array[..., ::take, ::take]
    return take(array) if take else array


def summary(array: np.ndarray) -> np.ndarray:
    """Return mean, population standard deviation and largest absolute value, in float64."""
    values = array.astype(np.float64)
    return np.array([values.mean(), values.std(), np.abs(values).max()])
