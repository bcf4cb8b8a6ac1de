"""Additional variety of the people in the training crops: brows, lids, make-up, proportions.

A landmark network that has seen only the generic head's brows, at the same place over every eye, predicts them there on
everyone. Here the line of the brow is drawn per person, independent of the bone below, and its ten points move with it.
The means follow the proportions of 300-W as published (the mean shape of dlib's predictor, as in OpenFace's template;
Apache-2.0); the spreads of 2-3 mm keep both portraits and that mean within two standard deviations.
Outer eye distance = 1: inner eye corners .43, inner brow ends .28, outer ones 1.33, nose .33, mouth .65, chin 1.38
below the eyes; the neutral generic head has .38, .37, 1.15, .27, .58, 1.25. Its jaw is .05 narrower on either side at
the height of the mouth.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from tvface.conventions.annotation import evenly
from tvface.synthetic.hair_cuts import CUTS
from tvface.synthetic.traits import Traits, draw_hat

# Mean and standard deviation of the named identity columns in the training crops; all others have SPREAD around 0.
SPREAD = 0.9
PROPORTIONS = {
    "eye_w": (-1.2, 1.5),
    "eye_sep": (0.0, 1.6),
    "eye_open": (0.0, 1.3),
    "eye_tilt": (0.0, 1.3),
    "brow_y": (0.4, 1.3),
    "nose_wid": (1.2, 1.3),
    "mouth_w": (0.9, 1.2),
    "lip_thick": (0.4, 1.2),
    "jaw_w": (1.0, 1.2),
    "cheek_full": (0.6, 1.2),
    "face_len": (0.5, 1.1),
    "chin_len": (0.5, 1.1),
}


def draw_identity(names: Sequence[str], rng: np.random.Generator) -> np.ndarray:
    """Draw an identity code: one coefficient per named column of the head's basis."""
    table = np.array([PROPORTIONS.get(name, (0.0, SPREAD)) for name in names])
    return rng.normal(table[:, 0], table[:, 1])


def draw_brows(rng: np.random.Generator) -> np.ndarray:
    """Draw both brows' lines: (10, 2) frontal mm on the neutral head, points 17..26 of 300-W."""
    inner = np.array([np.clip(rng.normal(12.5, 2.7), 7, 21), rng.normal(16.2, 1.9)])
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


def vary(traits: Traits) -> Traits:
    """Return the looks with varied brows, lid creases, lashes, partings and, on some, eye make-up; equal looks give
    equal results.

    Make-up lies beyond the lids' ends; the eye points stay where the lids meet.
    """
    rng = np.random.default_rng([traits.seed, 0xB40])
    painted = traits.eye_shadow > 0 or rng.random() < 0.15
    full = traits.hair_style not in ("bald", "rim", "buzz", "bun", "ponytail") and rng.random() < 0.4
    hanging = CUTS[traits.hair_style].end is not None
    thick = traits.brow_width * float(np.exp(rng.normal(0, 0.3)))
    return dataclasses.replace(
        traits,
        brow_width=float(np.clip(thick, 1.4, 7.5)),
        brow_density=float(np.clip(traits.brow_density + rng.normal(0, 0.15), 0.2, 1.0)),
        brows=tuple((float(x), float(y)) for x, y in draw_brows(rng)),
        crease=float(rng.uniform(0.1, 0.6)) if rng.random() < 0.75 else 0.0,
        crease_height=float(rng.uniform(2.0, 6.5)),
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
