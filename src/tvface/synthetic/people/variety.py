"""Additional variety of the people in the training crops: brows, lids, make-up, proportions.

A landmark network that has seen only the bone's brows, at the same place over every eye, predicts them there on
everyone. Here the line of the brow is drawn per person, independent of the bone below, and its ten points move with it.
The means follow the proportions of 300-W as published (the mean of the 51 inner points that aligners use): with the
outer eye distance as 1 the inner brow ends are .26 apart and the outer ones 1.33; the bone of the mean head has .33 and
1.17. The spreads of 2-3 mm keep both portraits and that mean within two standard deviations.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from tvface.conventions.annotation import evenly
from tvface.synthetic.people.haircuts import CUTS
from tvface.synthetic.people.traits import Traits, draw_hat


def draw_brows(rng: np.random.Generator) -> np.ndarray:
    """Draw both brows' lines: (10, 2) frontal mm on the neutral head, points 17..26 of 300-W."""
    inner = np.array([np.clip(rng.normal(11.6, 2.6), 6, 20), rng.normal(16.2, 1.9)])
    outer = np.array([np.clip(rng.normal(56.5, 3.3), 46, 63), rng.normal(14.3, 2.6)])
    lift = rng.normal(0.0, 1.6)
    rise = np.clip(rng.normal(6.6, 2.3), 0.5, 12)
    peak = rng.uniform(0.45, 0.75)
    inner[1] += lift
    outer[1] += lift
    t = np.linspace(0, 1, 41)
    # A skewed arch over the straight line between the ends, highest at ``peak``.
    bent = t ** (np.log(0.5) / np.log(peak))
    line = inner + t[:, None] * (outer - inner)
    line[:, 1] += rise * np.sin(np.pi * bent) ** rng.uniform(0.9, 1.5)
    left = evenly(line, 5)
    right = left[::-1] * (-1, 1)
    # Nobody's brows are mirror images of each other.
    return np.concatenate([right, left]) + np.repeat(rng.normal(0, 0.6, (2, 2)), 5, axis=0)


def _lid_fold(rng: np.random.Generator, traits: Traits) -> dict[str, Any]:
    """Draw the fold of the upper lid: half of the people of Asian origin have none or a low one; age lowers it."""
    nature = traits.nature
    single = rng.random() < 0.04 + 0.5 * nature.asian
    height = rng.uniform(3.0, 6.5) - 1.5 * nature.asian - 1.2 * traits.age
    return {
        "crease": 0.0 if single else float(rng.uniform(0.25, 0.8)),
        "crease_height": float(np.clip(height, 1.6, 6.5)),
    }


def vary(traits: Traits) -> Traits:
    """Return the looks with varied brows, lid creases, lashes, partings and, on some, eye make-up; equal looks give
    equal results.

    Make-up lies beyond the lids' ends; the eye points stay where the lids meet.
    """
    rng = np.random.default_rng([traits.seed, 0xB40])
    painted = traits.eye_shadow > 0 or rng.random() < (0.01 if traits.nature.man else 0.4)
    full = traits.hair_style not in ("bald", "rim", "buzz", "bun", "ponytail") and rng.random() < 0.4
    hanging = CUTS[traits.hair_style].end is not None
    thick = traits.brow_width * float(np.exp(rng.normal(0, 0.3)))
    return dataclasses.replace(
        traits,
        brow_width=float(np.clip(thick, 1.4, 7.5)),
        brow_density=float(np.clip(traits.brow_density + rng.normal(0, 0.15), 0.2, 1.0)),
        brows=tuple((float(x), float(y)) for x, y in draw_brows(rng)),
        **_lid_fold(rng, traits),
        liner=float(rng.uniform(0.8, 2.2)) if painted and rng.random() < 0.7 else 0.0,
        liner_below=float(rng.uniform(0.4, 1.0)) if painted and rng.random() < 0.5 else 0.0,
        wing=float(rng.uniform(0.0, 6.0)),
        lash_length=float(rng.uniform(2.0, 5.5) if painted else rng.uniform(0.0, 3.0)),
        hat=traits.hat or (draw_hat(rng, traits.nature.man) if rng.random() < 0.06 else ""),
        smoke=float(rng.uniform(0.1, 0.6)) if painted and rng.random() < 0.6 else 0.0,
        parting=float(rng.choice([-1.0, 1.0]) * rng.uniform(2, 30)) if rng.random() < 0.75 else 0.0,
        hair_volume=float(rng.uniform(1.1, 1.7)) if full else float(rng.uniform(0.8, 1.1)),
        hair_waves=float(rng.uniform(0.1, 0.5)) if full else float(rng.uniform(0.0, 0.2)),
        curtain=float(rng.uniform(40, 82)) if hanging and rng.random() < 0.6 else 0.0,
    )
