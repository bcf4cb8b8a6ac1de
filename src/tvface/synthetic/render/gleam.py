"""The lamp that wet and oily skin mirrors."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.render.light import cross
from tvface.synthetic.render.light_numba import Gleam

WINDOW_TILT = 0.25  # by which the mirrored window leans


def gleam(light: np.ndarray, view: np.ndarray) -> Gleam:
    """Return the lamp that a light contains, as a mirror shows it.

    Args:
        light: (9, 3) factors of the plain polynomials; view: (3,) from the surface to the camera.
    """
    towards = light[1:4].sum(1)
    strength = float(np.linalg.norm(towards))
    sun = towards / strength if strength > 1e-6 else np.array([0.0, 0.6, 0.8])
    view = view / (np.linalg.norm(view) + 1e-9)
    half = sun + view
    half = half / (np.linalg.norm(half) + 1e-9)
    side = cross(np.array([WINDOW_TILT, 1.0, 0.0]), sun)
    side = side / (np.linalg.norm(side) + 1e-9)
    # A lamp of gain g adds g / 2 to the first-order factors, see ``directional_light``.
    gain = np.clip(2 * np.linalg.norm(light[1:4], axis=0), 0, 1.6)
    arrays = (sun, half, side, cross(sun, side), view, gain)
    return Gleam(*(np.ascontiguousarray(one, np.float32) for one in arrays))
