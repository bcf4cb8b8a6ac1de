"""Expression basis of the generic head: named modes first, then halves and smooth small ones.

A field below is the full movement in mm; a coefficient of :data:`FULL` gives it, so that unit normal coefficients are
mild. Lids close completely at FULL.
"""

from __future__ import annotations

import numpy as np

from tvface.head.generic.parts import carry
from tvface.head.generic.sculpt import LID_CLOSED, UPPER_LID, Skin, gauss, grid, skin, smoothstep

FULL = 2.5  # coefficient of the full movement
WIDE_LID = 5.9  # mm, upper lid of wide eyes


def _named(rest: Skin) -> dict[str, np.ndarray]:
    """Return the full movements of the named modes, (N,3) mm each."""
    x, y, _ = rest.position.T
    s = np.tanh(x / 2.0)
    ax = np.abs(x)
    front = smoothstep(np.cos(rest.theta), 0.0, 0.4)
    corner = gauss(ax, y, 25, -65, 15, 15) * front
    lower = grid().lower
    below = (rest.height < -65) | ((rest.height == -65) & lower)
    inside = np.clip((25.5 - ax) / 7, 0, 1)
    split = 0.5 + np.where(below, -0.5, 0.5) * np.clip(inside + np.abs(rest.height + 65) / 10, 0, 1)
    upper_lip = gauss(x, y, 0, -63, 22, 12) * front * split
    lower_lip = gauss(x, y, 0, -67, 22, 12) * front * (1 - split)

    def field(dx: np.ndarray | float, dy: np.ndarray | float, dz: np.ndarray | float) -> np.ndarray:
        return np.stack([np.broadcast_to(np.asarray(v, float), x.shape) for v in (dx, dy, dz)], 1)

    def weighted(weight: np.ndarray, dx: np.ndarray | float, dy: float, dz: float) -> np.ndarray:
        return weight[:, None] * field(dx, dy, dz)

    cheek = gauss(ax, y, 40, -35, 15, 14) * front
    purse = gauss(x, y, 0, -65, 34, 16) * front
    brow = gauss(ax, y, 32, 21, 27, 13) * smoothstep(y, 4, 13) * front
    inner_brow = gauss(ax, y, 12, 19, 14, 13) * smoothstep(y, 2, 11) * front
    outer_brow = gauss(ax, y, 44, 20, 14, 12) * smoothstep(y, 4, 13) * front
    still = skin().position

    def lids(right: float, left: float) -> np.ndarray:
        return skin((right, left)).position - still

    return {
        "smile": weighted(corner, 6.5 * s, 5.5, -4) + weighted(cheek, 0, 2, 1.5),
        "frown": weighted(corner, 0, -5, -1),
        "pucker": purse[:, None] * field(-0.38 * x, 0, 5),
        "stretch": weighted(corner, 6 * s, -1, -3),
        "lip_up": weighted(upper_lip, 0, 4, 0.5),
        "lip_down": weighted(lower_lip, 0, -4, 0.5),
        "press": weighted(upper_lip, 0, -1.6, -1.5) + weighted(lower_lip, 0, 1.6, -1.5),
        "brow_up": weighted(brow, 0, 6, 0),
        "brow_furrow": weighted(inner_brow, -3 * s, -4, 1),
        "brow_out": weighted(outer_brow, 0, 5, 0),
        "cheek_puff": weighted(gauss(ax, y, 40, -58, 16, 17) * front, 4 * s, 0, 5),
        "sneer": weighted(gauss(ax, y, 12, -39, 9, 9) * front, 0.6 * s, 3, 0.5),
        "lid_L": lids(UPPER_LID, LID_CLOSED),
        "lid_R": lids(LID_CLOSED, UPPER_LID),
        "lid_wide": lids(WIDE_LID, WIDE_LID),
    }


def expression_basis(columns: int) -> tuple[np.ndarray, list[str]]:
    """Return the basis (V,3,columns) in mm per unit coefficient, and the names; L is the subject's left (x > 0)."""
    rest = skin()
    named = _named(rest)
    x, y, _ = rest.position.T
    front = smoothstep(np.cos(rest.theta), 0.0, 0.4)
    left = smoothstep(x, -9, 9)
    fields = {name: field / FULL for name, field in named.items()}
    for name in (
        "smile",
        "frown",
        "stretch",
        "lip_up",
        "lip_down",
        "brow_up",
        "brow_furrow",
        "brow_out",
        "cheek_puff",
        "sneer",
    ):
        fields[f"{name}_L"] = fields[name] * left[:, None]
        fields[f"{name}_R"] = fields[name] * (1 - left)[:, None]
    places = [(cx, cy) for cy in (-65, -84, -50, -30, 22, 38) for cx in (0, 18, 34)]
    axes = (("y", (0, 1, 0)), ("z", (0, 0, 1)))
    for cx, cy in places:
        for label, axis in axes:
            bump = gauss(np.abs(x), y, cx, cy, 13, 11) * front * (1 - gauss(np.abs(x), y, 31, 1, 19, 13))
            fields[f"bump_{label}_{cx}_{cy}"] = 0.35 * bump[:, None] * np.asarray(axis, float)
    names = list(fields)[:columns]
    return np.stack([carry(fields[name], teeth=0.0) for name in names], -1), names
