"""Painting of the eyeballs: white with veins, iris with streaks and a dark rim, pupil, shadow of the lid."""

from __future__ import annotations

import numpy as np

from tvface.synthetic.atlas import LEFT_EYE, RIGHT_EYE, Atlas
from tvface.synthetic.people.pigments import absorbed
from tvface.synthetic.people.traits import Traits

IRIS = 5.7  # mm, radius
CORNEA = 0.9  # mm that it stands out

LIMIT = 0.95


def _step(x: np.ndarray, low: float, high: float) -> np.ndarray:
    t = np.clip((x - low) / (high - low), 0, 1)
    return np.asarray(t * t * (3 - 2 * t))


class EyePainter:
    """Painter of the eyes of one head; everything that does not depend on the person is computed once."""

    def __init__(self, atlas: Atlas) -> None:
        self.atlas = atlas
        self.parts = []
        for part, centre, corner in (
            (RIGHT_EYE, atlas.eye_centres[0], atlas.landmarks[39]),
            (LEFT_EYE, atlas.eye_centres[1], atlas.landmarks[42]),
        ):
            inside = atlas.part == part
            offset = (atlas.position[inside] - centre).astype(np.float64)
            away = np.hypot(offset[:, 0], offset[:, 1]) + 2 * atlas.eye_radius * (offset[:, 2] < 0)
            angle = np.arctan2(offset[:, 1], offset[:, 0])
            inner = np.linalg.norm(atlas.position[inside] - corner, axis=1)
            self.parts.append((inside, offset, away, angle, inner))

    def cornea(self) -> np.ndarray:
        """Return the height of both corneas over the balls: (size, size) float32 mm."""
        height = np.zeros((self.atlas.size, self.atlas.size), np.float32)
        for inside, _, away, _, _ in self.parts:
            height[inside] = CORNEA * np.exp(-((away / (0.95 * IRIS)) ** 2))
        return height

    def paint(self, colour: np.ndarray, traits: Traits, rng: np.random.Generator) -> None:
        """Paint both eyes of a person into ``colour`` (size, size, 3), in place."""
        skin = np.array(traits.skin)
        # In the same light the white of an eye is as bright as light skin: it lies in the lids' shadow.
        bright = 0.33 + 0.56 * float(skin.mean())
        old = traits.age
        white = bright * np.array([1.0, 0.955 - 0.03 * old, 0.92 - 0.06 * old])
        redness = rng.uniform(0.4, 1.3)
        size = float(np.clip(rng.normal(1.0, 0.03), 0.93, 1.07)) * IRIS
        pupil = rng.uniform(0.30, 0.46)
        tint = np.array(traits.iris)
        warm = absorbed(tint, -0.35, 0.0, 0.5)  # around the pupil
        streak_phases = rng.uniform(0, 2 * np.pi, 5)
        lid = rng.uniform(0.42, 0.6)
        for inside, offset, away, angle, inner in self.parts:
            x, y = offset[:, 0], offset[:, 1]
            vein_phases = rng.uniform(0, 2 * np.pi, 6)
            ball = np.repeat(white[None], len(away), 0)
            edge = _step(away, size, 2.6 * size)
            veins = sum(
                np.clip(np.cos(k * angle + p + 0.35 * np.sin(away * f)) - 0.93, 0, 1) / 0.07
                for k, p, f in zip((5, 7, 9), vein_phases[:3], (0.9, 1.3, 1.7), strict=True)
            )
            red = redness * (0.28 * edge + 0.16 * edge * veins) + 0.12 * old * edge
            ball *= np.exp(-red[:, None] * np.array([0.10, 0.62, 0.58]))
            # The pink flesh of the inner corner.
            flesh = _step(inner, 6.0, 3.0)
            ball += flesh[:, None] * (skin * np.array([0.95, 0.62, 0.60]) + 0.06 - ball)
            relative = away / size
            fibres = sum(
                np.sin(k * angle + p + 3 * relative) for k, p in zip((17, 23, 31, 43, 61), streak_phases, strict=True)
            )
            depth = 0.86 + 0.13 * fibres / 2.2
            ring = _step(relative, 0.62, 0.46)
            iris = tint * (1 - 0.55 * ring[:, None]) + 0.55 * ring[:, None] * warm
            # Light that enters from above leaves the iris below.
            iris = iris * (depth * (1.0 - 0.22 * y / size))[:, None]
            iris = iris * (1 - 0.62 * _step(relative, 0.76, 1.0))[:, None]
            ball += _step(relative, 1.12, 0.92)[:, None] * (np.clip(iris, 0.015, 1) - ball)
            ball *= (1 - 0.95 * _step(relative, pupil + 0.07, pupil - 0.07))[:, None]
            # The upper lid and its lashes throw a shadow, the corners lie deeper.
            ball *= (1 - lid * _step(y, 0.5, 5.2) - 0.18 * _step(np.abs(x), 8.0, 14.0))[:, None]
            ball *= (1 - 0.12 * _step(y, -3.5, -6.5))[:, None]
            colour[inside] = np.clip(ball, 0.01, LIMIT)
