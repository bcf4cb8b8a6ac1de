"""Where a head shines: oil on the skin, moist lips and wet eyes, and what they mirror of the light."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tvface.synthetic.atlas import LEFT_EYE, MOUTH, RIGHT_EYE, SKIN, Atlas, pyramid
from tvface.synthetic.frontal import Frontal, smooth_path
from tvface.synthetic.shading_numba import Gleam

WET = 255  # of the second channel: an eye, which mirrors the lamp as a window
WINDOW_TILT = 0.25  # by which the mirrored window leans


def _zone(atlas: Atlas) -> Callable[[float, float, float, float], np.ndarray]:
    x, y = np.abs(atlas.position[:, :, 0]), atlas.position[:, :, 1]
    facing = np.clip((85 - np.abs(atlas.theta)) / 20, 0, 1)

    def blob(cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
        return np.asarray(np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2) * facing)

    return blob


def sheen_map(atlas: Atlas, frontal: Frontal) -> tuple[np.ndarray, ...]:
    """Return strength and sharpness of the highlights in the texture: (size, size, 2) uint8 and its halvings."""
    blob, points = _zone(atlas), atlas.landmarks
    tip, mouth, chin = points[30, 1], points[[51, 57], 1].mean(), points[8, 1]
    eye = points[42:48].mean(0)
    oil = 0.38 + 0.55 * blob(0, 44, 34, 17) + 0.75 * blob(0, tip, 9, 8) + 0.45 * blob(0, tip + 18, 6, 18)
    oil += 0.35 * blob(36, tip + 16, 14, 9) + 0.3 * blob(0, chin + 9, 10, 7) + 0.2 * blob(eye[0], eye[1] + 9, 13, 4)
    oil -= 0.18 * blob(0, mouth, 40, 18)
    sharp = 0.28 + 0.27 * blob(0, tip, 12, 12) + 0.12 * blob(0, 44, 34, 17)
    canvas = frontal.empty()
    frontal.area(canvas, smooth_path(points[48:60, :2], 80, closed=True))
    lips = frontal.to_texture(frontal.soften(canvas, 1.0))
    lower = np.clip((mouth - 1 - atlas.position[:, :, 1]) / 3, 0, 1)
    oil += lips * (0.25 + 0.55 * lower - oil * 0.5)
    sharp += lips * (0.8 - sharp)
    # The wet edge of the lower lid.
    edge = frontal.empty()
    for lid in ((39, 40, 41, 36), (45, 46, 47, 42)):
        frontal.stroke(edge, smooth_path(points[list(lid), :2]), 0.8)
    edge = frontal.to_texture(frontal.soften(edge, 0.4))
    oil += edge * 0.3
    result = np.zeros((atlas.size, atlas.size, 2), np.float32)
    skin = atlas.part == SKIN
    result[skin, 0], result[skin, 1] = np.clip(oil, 0, 1.34)[skin] * 190, np.clip(sharp, 0, 0.9)[skin] * 255
    eyes = (atlas.part == RIGHT_EYE) | (atlas.part == LEFT_EYE)
    result[eyes] = (255, WET)
    result[atlas.part == MOUTH] = (90, 180)
    row, column = atlas.nearest
    return pyramid(np.clip(result[row, column] + 0.5, 0, 255).astype(np.uint8))


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
    side = np.cross([WINDOW_TILT, 1.0, 0.0], sun)
    side = side / (np.linalg.norm(side) + 1e-9)
    # A lamp of gain g adds g / 2 to the first-order factors, see ``directional_light``.
    gain = np.clip(2 * np.linalg.norm(light[1:4], axis=0), 0, 1.6)
    arrays = (sun, half, side, np.cross(sun, side), view, gain)
    return Gleam(*(np.ascontiguousarray(one, np.float32) for one in arrays))
