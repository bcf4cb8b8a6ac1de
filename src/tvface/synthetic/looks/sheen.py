"""Where a head shines: oil on the skin, moist lips and wet eyes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tvface.synthetic.atlas import LEFT_EYE, MOUTH, RIGHT_EYE, SKIN, Atlas, pyramid
from tvface.synthetic.looks.frontal import Frontal, smooth_path

WET = 255  # of the second channel: an eye, which mirrors the lamp as a window


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
