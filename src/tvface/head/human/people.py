"""Persons drawn in slider space: adults of every age, sex, origin and build, with asymmetry.

Spread of a slider: :data:`SHARE` x min(:data:`WEIGHT`, cap / its largest displacement), so that no single slider makes
a caricature; both sides share the draw and differ by a quarter of it. Unpaired targets (round or square heads) are
drawn with both signs: with one sign they would only add roundness, and the people would look soft.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tvface.head.human.sliders import ORIGINS, Slider

YOUNGEST, OLDEST = 25.0, 90.0  # years at MakeHuman's ages .5 and 1
SHARE, WEIGHT, CLIP = 0.6, 0.35, 2.5
CAPS = {"head": 3.5, "forehead": 3.5, "chin": 3.5, "asym": 1.0}  # mm of the largest displacement; others:
CAP = 2.6
MACRO_SHARE = 0.9  # of the deviations by age, sex, origin and build
ONE_SIDED = 0.25  # deviation of one side from the common draw, in spreads
# Sliders that get less spread than the rest: fat, age and double chin only make faces rounder and softer, and the skull
# varies enough by sex and stature.
CALMED = {
    "head-back-scale-depth-incr": 0.45,
    "head-scale-depth-incr": 0.5,
    "head-fat-incr": 0.5,
    "head-age-incr": 0.6,
    "head-scale-vert-incr": 0.7,
    "head-scale-horiz-incr": 0.7,
    "head-round": 0.5,
    "head-oval": 0.6,
    "neck-double-incr": 0.3,
}
# Means of sliders for women and men, at which the drawn people measure as adults do on average (the anthropometry
# command prints both): MakeHuman's heads are 14 mm too long, its men's 20 mm longer than its women's instead of 10.
MEANS: dict[str, tuple[float, float]] = {
    "head-scale-depth-incr": (-0.45, -0.45),
    "head-back-scale-depth-incr": (-0.07, -0.42),
    "head-oval": (-0.12, -0.12),
    "nose-scale-horiz-incr": (-0.12, -0.12),
    "nose-width3-incr": (-0.10, -0.10),
    "chin-height-incr": (0.22, 0.22),
    "mouth-scale-horiz-incr": (0.08, 0.08),
}
# MakeHuman's weight and muscle do not change the head. These sliders follow them: change per unit of the setting.
FOLLOWS = {
    "head-fat-incr": ("weight", 0.9),
    "neck-double-incr": ("weight", 0.5),
    "measure-neck-circ-incr": ("muscle", 0.7),
}
STATURE = 0.06  # standard deviation of height, which sets the size of the head


@dataclass(frozen=True)
class People:
    """N persons: male (N,) share of the male shape; age (N,) years; origin (N,3) shares of :data:`ORIGINS`; muscle,
    weight, height (N,) in [0,1], .5 the average; sliders (N,S)."""

    male: np.ndarray
    age: np.ndarray
    origin: np.ndarray
    muscle: np.ndarray
    weight: np.ndarray
    height: np.ndarray
    sliders: np.ndarray

    def __len__(self) -> int:
        return len(self.male)

    @property
    def old(self) -> np.ndarray:
        """Return (N,) the share of MakeHuman's old shape."""
        return (self.age - YOUNGEST) / (OLDEST - YOUNGEST)


def draw(count: int, sliders: Sequence[Slider], strengths_mm: np.ndarray, rng: np.random.Generator) -> People:
    """Draw persons.

    Args:
        count: N. sliders: the S local sliders; strengths_mm: (S,) the largest displacement by each at 1.
    """
    # Men and women with some overlap, not a continuum of androgynes.
    male = np.where(rng.random(count) < 0.5, 1.0, 0.0)
    male = np.abs(male - 0.25 * rng.beta(1.2, 2.5, count))
    age = YOUNGEST + (80.0 - YOUNGEST) * rng.beta(1.0, 1.8, count)
    origin = rng.dirichlet([0.3] * len(ORIGINS), count)
    muscle = np.clip(rng.normal(0.5, 0.13, count), 0, 1)
    weight = np.clip(rng.normal(0.47, 0.14, count), 0, 1)
    height = np.clip(rng.normal(0.5, STATURE, count), 0, 1)
    build = {"weight": weight, "muscle": muscle}
    weights = np.zeros((count, len(sliders)))
    common: dict[tuple[str, str], np.ndarray] = {}
    for column, (slider, strength) in enumerate(zip(sliders, strengths_mm, strict=True)):
        spread = SHARE * min(WEIGHT, CAPS.get(slider.folder, CAP) / strength) * CALMED.get(slider.name, 1.0)
        normal = rng.normal(size=count)
        if slider.side:
            key = (slider.folder, slider.name)
            shared = common.setdefault(key, rng.normal(size=count))
            normal = shared + ONE_SIDED * normal
        women, men = MEANS.get(slider.name, (0.0, 0.0))
        weights[:, column] = women + (men - women) * male + spread * np.clip(normal, -CLIP, CLIP)
        if slider.name in FOLLOWS:
            setting, slope = FOLLOWS[slider.name]
            weights[:, column] += slope * (build[setting] - build[setting].mean())
    return People(male, age, origin, muscle, weight, height, weights)
