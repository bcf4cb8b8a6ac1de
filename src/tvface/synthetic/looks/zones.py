"""Where a face is redder, browner, yellower or darker than its mean: maps in the texture, and a person's amounts."""

from __future__ import annotations

import cv2
import numpy as np

from tvface.synthetic.atlas import SKIN, Atlas
from tvface.synthetic.looks.frontal import Frontal, smooth_path
from tvface.synthetic.people.traits import Traits

EARS, NECK = (7, 8), 14  # zllrunning classes


def smoothstep(x: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return a cubic step from 0 at ``low`` to 1 at ``high`` (``low`` may be above ``high``)."""
    t = np.clip((x - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


class Zones:
    """The maps of one head: ``maps`` (Z, size / 2, size / 2) float32 in [0, 1], ``names`` their order.

    They are smooth, so half of the texture's resolution is enough.
    """

    def __init__(self, atlas: Atlas, frontal: Frontal, beard: np.ndarray) -> None:
        """``beard`` (size, size): where a man's shaven hair shows."""
        self.size = atlas.size
        x, y = np.abs(atlas.position[:, :, 0]), atlas.position[:, :, 1]
        skin = atlas.part == SKIN
        facing = np.clip((85 - np.abs(atlas.theta)) / 20, 0, 1).astype(np.float32) * skin
        points = atlas.landmarks
        wing, corner = np.abs(points[35, :2]) * (1, np.sign(points[35, 1])), points[54]
        eye = points[42:48].mean(0)
        tip, foot, mouth = points[30, 1], points[33, 1], points[[51, 57], 1].mean()
        chin, low = points[8, 1], points[57, 1]

        def blob(cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
            return (np.exp(-(((x - cx) / sx) ** 2) - ((y - cy) / sy) ** 2) * facing).astype(np.float32)

        self.under_neck = cv2.GaussianBlur((atlas.labels == NECK).astype(np.float32), (0, 0), atlas.size / 90)
        zones = {
            "cheek": blob(40, tip + 4, 17, 14),
            "nose": blob(0, tip - 1, 12, 10),
            "bridge": blob(0, tip + 22, 8, 14),
            "wing": np.maximum(blob(wing[0] + 4, foot + 4, 4, 5.5), 0.7 * blob(wing[0] - 4, foot + 1, 4, 3)),
            "ear": np.isin(atlas.labels, EARS).astype(np.float32) * skin,
            "chin": blob(0, chin + 12, 16, 10),
            "forehead": blob(0, 46, 42, 18),
            "temple": blob(62, 22, 14, 22),
            "lid": blob(eye[0], eye[1] + 8, 15, 5),
            "rim": blob(eye[0], eye[1], 16, 7),
            "under_eye": blob(eye[0] - 4, eye[1] - 10, 12, 4.5),
            "socket": blob(eye[0] - 11, eye[1] + 4, 7, 9),
            "mouth": blob(0, mouth, 30, 17),
            "below_lip": blob(0, low - 6, 13, 3.8),
            "corner": blob(corner[0] + 2.5, corner[1] - 0.5, 3.0, 2.6),
            "philtrum": blob(0, 0.5 * (foot + points[51, 1]), 2.6, 6),
            "nostril": blob(7, foot + 1.5, 3.4, 1.7),
            "groove": blob(wing[0] + 4.5, foot + 4, 2.0, 4.5),
            "neck": (self.under_neck * skin).astype(np.float32),
            "low_neck": (self.under_neck * smoothstep(y, -150, -105) * skin).astype(np.float32),
            "beard": beard,
            **self._lines(frontal, points, wing, corner),
        }
        self.names = list(zones)
        half = (atlas.size // 2, atlas.size // 2)
        self.maps = np.stack([cv2.resize(one, half, interpolation=cv2.INTER_AREA) for one in zones.values()])
        self.lid = zones["lid"]

    @staticmethod
    def _lines(frontal: Frontal, points: np.ndarray, wing: np.ndarray, corner: np.ndarray) -> dict[str, np.ndarray]:
        folds, bags, crows, brow_lines = (frontal.empty() for _ in range(4))
        veins = frontal.empty()
        rng = np.random.default_rng(0x7E1)
        for side in (np.ones(2), np.array([-1.0, 1.0])):
            fold = np.stack([wing, wing, corner[:2], corner[:2]]) + np.array([(3, 4), (10, -4), (6, 6), (7, -4)])
            frontal.stroke(folds, smooth_path(fold) * side, 1.2)
            bag = points[[42, 47, 46, 45], :2] + np.array([(1, -4), (0, -6), (0, -6), (-1, -5)])
            frontal.stroke(bags, smooth_path(bag) * side, 1.5)
            for dy in (4.0, 0.5, -3.0):
                line = points[45, :2] + np.array([(6, dy * 0.5), (11, dy), (17, dy * 2)])
                frontal.stroke(crows, smooth_path(line) * side, 0.6)
            for start in ((60, 6), (64, 16), (34, -14), (28, -12), (22, 40)):
                walk = np.cumsum(rng.normal((0.3, 1.6), (1.5, 0.8), (9, 2)), axis=0) + start
                frontal.stroke(veins, smooth_path(walk) * side, 0.9)
        for y in (34.0, 42.0, 50.0):
            xs = np.linspace(-34, 34, 30)
            frontal.stroke(brow_lines, np.stack([xs, y + 2.5 * np.cos(xs / 16)], 1), 0.7)
        drawn = {
            "folds": (folds, 1.6), "bags": (bags, 1.8), "crows": (crows, 0.6),
            "forehead_lines": (brow_lines, 0.7), "veins": (veins, 0.8),
        }  # fmt: skip
        return {name: frontal.to_texture(frontal.soften(canvas, blur)) for name, (canvas, blur) in drawn.items()}

    def amounts(self, traits: Traits) -> np.ndarray:
        """Return a person's melanin, blood, yellow and shade (4, size, size) float32 beside the mean of the skin."""
        age, red, dark = traits.age, traits.redness, traits.darkness
        # Black hair shines through as blue-grey, blond hair hardly.
        shaven = (traits.stubble or 0.12) * (1 - 1.3 * float(np.mean(traits.brow_colour))) if traits.nature.man else 0.0
        tired = 0.6 + 0.8 * traits.tired
        rows: dict[str, tuple[float, float, float, float]] = {
            "cheek": (0.0, 0.05 + 0.42 * red, -0.08, 0.0),
            "nose": (0.02, 0.40 * red + 0.06, -0.04, 0.0),
            "bridge": (0.0, 0.05 * red, 0.02, 0.0),
            "wing": (0.02, 0.26 * red + 0.06, 0.0, 0.02),
            "ear": (0.0, 0.20 * red + 0.04, 0.0, 0.0),
            "chin": (0.0, 0.24 * red, 0.0, 0.02),
            "forehead": (0.03 + 0.06 * traits.tan, -0.06, 0.12, 0.0),
            "temple": (0.03, -0.02, 0.04, 0.0),
            "lid": (0.03 + 0.05 * dark, 0.10 + 0.08 * red, 0.0, 0.03),
            "rim": (0.02, 0.10 + 0.10 * red, 0.0, 0.02),
            "under_eye": (0.06 + 0.10 * dark, 0.05, -0.10, tired * (0.05 + 0.07 * age)),
            "socket": (0.06 + 0.10 * dark, 0.06, -0.06, tired * (0.06 + 0.08 * age)),
            "mouth": (0.05 + 0.12 * dark, 0.02, 0.06, 0.02),
            "below_lip": (0.02, 0.05, 0.0, 0.09),
            "corner": (0.05, 0.10, 0.0, 0.16 + 0.12 * age),
            "philtrum": (0.0, 0.04, 0.0, 0.04),
            "nostril": (0.2, 0.55, 0.0, 1.15),
            "groove": (0.02, 0.16, 0.0, 0.15),
            "neck": (0.02 - 0.08 * traits.tan, -0.04, 0.04, 0.03),
            "low_neck": (0.0, 0.03, 0.0, 0.14),
            "beard": (0.0, -0.10 * shaven, -0.05 * shaven, 0.30 * shaven),
            "folds": (0.02, 0.08, 0.0, 0.07 + 0.20 * age),
            "bags": (0.02, 0.06, 0.0, 0.04 + 0.17 * age),
            "crows": (0.02, 0.03, 0.0, 0.26 * age**1.5),
            "forehead_lines": (0.02, 0.03, 0.0, 0.20 * age**1.5),
            "veins": (0.0, -0.03, -0.10 * (1 - dark), 0.05 * (1 - dark) * (0.4 + age)),
        }
        table = np.array([rows[name] for name in self.names], np.float32)
        coarse = (table.T @ self.maps.reshape(len(table), -1)).reshape(4, *self.maps.shape[1:])
        return np.stack([cv2.resize(one, (self.size, self.size), interpolation=cv2.INTER_LINEAR) for one in coarse])
