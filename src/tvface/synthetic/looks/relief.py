"""Fine relief of the skin, which the mesh cannot resolve: wrinkles that depend on the expression, and pores.

Heights are maps in the head's texture; the renderer tilts its normals by their slope (bump mapping, Blinn 1978). Which
fold answers to which movement follows the facial action coding system (Ekman & Friesen 1978): lifted brows crease the
forehead (action units 1 and 2), drawn ones the glabella (4), a smile deepens the nasolabial fold and, by the raised
cheek, the crow's feet (6 and 12), a sneer wrinkles the root of the nose (9).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from tvface.synthetic.atlas import SKIN, Atlas, pyramid
from tvface.synthetic.looks.eyes import EyePainter
from tvface.synthetic.looks.frontal import Frontal, smooth_path
from tvface.synthetic.noise import Noise
from tvface.synthetic.render.surfaces import Relief, filled_box

# Full movements that cause a group of folds, and the depth of the folds in an old face (mm); in a young face they are
# shallower.
ANSWERS: dict[str, tuple[tuple[str, ...], float]] = {
    "forehead": (("brow_up", "brow_out"), 0.75),
    "glabella": (("brow_furrow",), 0.8),
    "nasolabial": (("smile", "lip_up", "sneer"), 1.0),
    "crow": (("smile", "cheek_puff"), 0.5),
    "nose": (("sneer",), 0.5),
    "bags": (("smile", "cheek_puff"), 0.55),
    "marionette": (("frown", "stretch"), 0.8),
    "chin": (("press", "pucker"), 0.35),
    "neck": ((), 0.8),
}
YOUNG = 0.3  # share of the depth at age 0
RESTING = 0.3  # share of the full folds that age 1 keeps at rest
PORES = 0.03  # mm
MICRO = 1.1  # of the pores, their share on nose and cheeks over the rest


class ReliefPainter:
    """The folds of one head: their places are the same for all people, their depths are not."""

    def __init__(self, atlas: Atlas, frontal: Frontal, names: Sequence[str]) -> None:
        """``names`` are the names of the head's expression columns."""
        self.atlas, self.frontal, self.names = atlas, frontal, list(names)

    @cached_property
    def maps(self) -> tuple[tuple[np.ndarray, ...], ...]:
        """Folds of unit depth in the order of ANSWERS, then pores, then what all people have: each a map and
        its halvings."""
        points = self.atlas.landmarks
        drawn = [getattr(self, f"_{group}")(points) for group in ANSWERS]
        rng = np.random.default_rng(0x9E1)
        size = self.atlas.size
        coarse = np.exp(
            -((np.abs(self.atlas.position[:, :, 0]) / 34) ** 2) - ((self.atlas.position[:, :, 1] + 32) / 22) ** 2
        )
        pores = Noise(size // 2, 2).draw(size, size, rng) * (self.atlas.part == SKIN) * (0.7 + MICRO * coarse)
        always = EyePainter(self.atlas).cornea() + self._lips(points)
        return tuple(pyramid(one.astype(np.float32)) for one in [*drawn, pores, always])

    @cached_property
    def boxes(self) -> tuple[tuple[tuple[slice, slice], ...], ...]:
        """Where the maps are not 0; most folds take a small part of the texture."""
        return tuple(tuple(filled_box(level) for level in levels) for levels in self.maps)

    @cached_property
    def _fold_columns(self) -> tuple[list[tuple[int, float]], ...]:
        """Expression columns that cause each group of folds in ANSWERS, and their shares: one side causes half."""
        columns = []
        for movements, _ in ANSWERS.values():
            shares = dict.fromkeys(movements, 1.0)
            shares |= {f"{name}_{side}": 0.5 for name in movements for side in ("L", "R")}
            columns.append([(index, shares[name]) for index, name in enumerate(self.names) if name in shares])
        return tuple(columns)

    def _groove(self, lines: Sequence[np.ndarray], width: float) -> np.ndarray:
        """Return grooves of unit depth with raised edges along ``lines`` (N, 2) mm."""
        canvas = self.frontal.empty()
        for line in lines:
            self.frontal.stroke(canvas, line, width)
        sharp, wide = self.frontal.soften(canvas, 0.45 * width), self.frontal.soften(canvas, 1.3 * width)
        groove = -(sharp - 0.8 * wide)
        return self.frontal.to_texture(groove / max(float(-groove.min()), 1e-6))

    def _forehead(self, points: np.ndarray) -> np.ndarray:
        x = np.linspace(-38, 38, 60)
        wander = 1.2 * np.sin(x / 9)
        return self._groove([np.stack([x, y + 2.5 * np.cos(x / 16) + wander], 1) for y in (34, 41, 48, 55)], 1.8)

    def _glabella(self, points: np.ndarray) -> np.ndarray:
        low = points[27, 1] + 4
        return self._groove(
            [np.array([(side * 3.6, low), (side * 4.2, low + 8), (side * 5.5, low + 15)]) for side in (-1, 1)], 1.6
        )

    def _nasolabial(self, points: np.ndarray) -> np.ndarray:
        wing, corner = np.abs(points[35, :2]) * (1, np.sign(points[35, 1])), points[54, :2]
        fold = np.stack([wing, wing, corner, corner]) + np.array([(4, 5), (11, -4), (7, 6), (8, -5)])
        return self._groove([smooth_path(fold) * (side, 1) for side in (-1, 1)], 2.2)

    def _crow(self, points: np.ndarray) -> np.ndarray:
        outer = points[45, :2]
        lines = [outer + np.array([(5, 0.4 * dy), (11, dy), (18, 2.1 * dy)]) for dy in (5.0, 1.5, -2.0, -5.5)]
        return self._groove([line * (side, 1) for line in lines for side in (-1, 1)], 1.1)

    def _nose(self, points: np.ndarray) -> np.ndarray:
        y = points[27, 1]
        lines = [np.array([(4, y - d), (8, y - d + 1.5), (11, y - d + 4)]) for d in (1.0, 5.0, 9.0)]
        return self._groove([line * (side, 1) for line in lines for side in (-1, 1)], 1.1)

    def _bags(self, points: np.ndarray) -> np.ndarray:
        lid = points[[42, 47, 46, 45], :2]
        upper, lower = (lid + np.array([(1, -d), (0, -1.6 * d), (0, -1.5 * d), (-3, -d)]) for d in (3.5, 6.5))
        grooves = [smooth_path(line) * (side, 1) for line in (upper, lower) for side in (-1, 1)]
        return self._groove(grooves, 2.0)

    def _marionette(self, points: np.ndarray) -> np.ndarray:
        corner = points[54, :2]
        line = corner + np.array([(2.5, -1), (4.5, -8), (5.5, -16), (4.5, -24)])
        return self._groove([smooth_path(line) * (side, 1) for side in (-1, 1)], 1.8)

    def _chin(self, points: np.ndarray) -> np.ndarray:
        x, y = np.linspace(-13, 13, 30), 0.5 * (points[57, 1] + points[8, 1]) + 3
        return self._groove([np.stack([x, y - 0.012 * x**2 + 1.0 * np.sin(x / 3)], 1)], 2.2)

    def _neck(self, points: np.ndarray) -> np.ndarray:
        x, y = np.linspace(-60, 60, 50), points[8, 1]
        return self._groove([np.stack([x, y - d + 0.004 * x**2], 1) for d in (20.0, 33.0)], 2.0)

    def _lips(self, points: np.ndarray) -> np.ndarray:
        """Return the creases across the lips, mm."""
        area = self.frontal.empty()
        self.frontal.area(area, smooth_path(points[48:60, :2], 80, closed=True))
        rng = np.random.default_rng(0x11B)
        place = self.atlas.position[:, :, 0] * (1 + 0.018 * np.abs(self.atlas.position[:, :, 1] - points[48, 1])) + 40
        pattern = np.interp(place * 1.1, np.arange(90), rng.standard_normal(90))
        return np.asarray(self.frontal.to_texture(self.frontal.soften(area, 1.2)) * 0.06 * pattern, np.float32)

    def of(self, age: float, expression: np.ndarray, full: float) -> Relief:
        """Return the relief of a face of ``age`` 0..1 with an expression code (E,), ``full`` its full movement."""
        amounts = []
        for callers, (_, depth) in zip(self._fold_columns, ANSWERS.values(), strict=True):
            shown = [(share, float(expression[index])) for index, share in callers if index < len(expression)]
            called = sum(share * max(value / full, 0.0) for share, value in shown)
            grown = YOUNG + (1 - YOUNG) * age
            # Necks never come to rest: their lines are as deep as they get.
            resting = RESTING if callers else 1.0
            amounts.append(depth * grown * max(min(called, 1.2), resting * age**1.5))
        return Relief(self.maps, np.array([*amounts, PORES * (0.65 + 0.5 * age), 1.0]), self.boxes)
