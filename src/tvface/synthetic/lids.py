"""Appearance of the eye region that leaves the lids' points in place: folds, lashes, eye make-up."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.frontal import Frontal, smooth_path
from tvface.synthetic.traits import Traits

# Upper and lower lid from the inner to the outer corner, right and left eye.
EYES = (((39, 38, 37, 36), (39, 40, 41, 36)), ((42, 43, 44, 45), (42, 47, 46, 45)))
BAND = (-25.0, 30.0)  # mm, range of heights of all this
GLOW = np.array([0.92, 0.80, 0.76], np.float32)
INK = np.array([0.05, 0.04, 0.04], np.float32)


def paint_lids(frontal: Frontal, landmarks: np.ndarray, colour: np.ndarray, traits: Traits) -> None:
    """Paint lids, lashes and make-up of ``traits`` into ``colour`` (size, size, 3), in place.

    Args:
        landmarks: (68, 3) mm, of the neutral head.
    """
    rng = np.random.default_rng([traits.seed, 0x11D5])
    fold, dark, smoke, bright = (frontal.empty() for _ in range(4))
    slope, below = rng.uniform(-0.2, 0.6), rng.uniform(0.2, 1.2)
    # Eye shadow is often laid on the outer half only, and the inner corner left light or made lighter.
    out, light = rng.uniform(0, 7), rng.uniform(0, 0.55) if rng.random() < 0.6 else 0.0
    for above_points, below_points in EYES:
        upper = smooth_path(landmarks[list(above_points), :2], 40)
        lower = smooth_path(landmarks[list(below_points), :2], 40)
        outward = np.sign(upper[-1, 0])
        t = np.linspace(0, 1, 40)
        height = traits.crease_height * (0.45 + 0.55 * np.sin(np.pi * np.clip(0.15 + 0.75 * t, 0, 1)))
        if traits.crease:
            frontal.stroke(fold, upper + np.stack([outward * 1.5 * t, height], 1), rng.uniform(0.5, 1.0), 1.0)
        if traits.liner:
            line = upper[6:] + np.array([0.0, 0.5 * traits.liner])
            if traits.wing:
                line = np.concatenate([line, line[-1:] + np.array([(outward, slope)]) * traits.wing])
            frontal.stroke(dark, line, traits.liner, 0.9)
        if traits.liner_below:
            frontal.stroke(dark, lower[12:] - np.array([0.0, below]), 0.8, traits.liner_below)
        for at in np.linspace(0.15, 1.0, 16) if traits.lash_length else ():
            root = upper[int(at * 39)]
            angle = np.pi / 2 - (at - 0.35) * 1.6 + rng.normal(0, 0.1)
            reach = traits.lash_length * (0.45 + 0.65 * at) * rng.uniform(0.7, 1.1)
            tip = root + reach * np.array([outward * np.cos(angle), np.sin(angle)])
            frontal.stroke(dark, np.stack([root, tip]), 0.3, 0.75)
        if traits.smoke:
            middle = 0.5 * (upper.mean(0) + lower.mean(0)) + np.array([outward * (1.5 + out), 0.5])
            turn = np.linspace(0, 2 * np.pi, 40)
            frontal.area(smoke, middle + np.stack([(17.5 - out) * np.cos(turn), 7.5 * np.sin(turn)], 1))
        if light:
            turn = np.linspace(0, 2 * np.pi, 30)
            frontal.area(bright, upper[0] + np.stack([5 * np.cos(turn) - outward, 3.5 * np.sin(turn)], 1), light)
    # Only the band of the eyes is softened and looked up: the rest of both pictures stays as it is.
    top, bottom = frontal.pixels(np.array([[0.0, BAND[1]], [0.0, BAND[0]]]))[:, 1].astype(int)
    band = slice(top, bottom)
    shade = np.zeros_like(fold)
    shade[band] = 1 - (1 - 0.75 * traits.crease * np.clip(frontal.soften(fold[band], 0.5), 0, 1)) * (
        1 - traits.smoke * np.clip(frontal.soften(smoke[band], 2.5), 0, 1)
    )
    dark[band] = frontal.soften(dark[band], 0.3)
    bright[band] = frontal.soften(bright[band], 1.5)
    both = frontal.to_texture(np.stack([shade, dark, bright], 2))
    rows, columns = (np.flatnonzero((both > 0).any((2, axis))) for axis in (1, 0))
    if len(rows):
        part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        weight = np.clip(both[part][:, :, 1:2], 0, 0.95)
        colour[part] += np.clip(both[part][:, :, 2:], 0, 1) * (GLOW - colour[part])
        colour[part] *= (1 - both[part][:, :, :1]) * (1 - weight)
        colour[part] += weight * INK
