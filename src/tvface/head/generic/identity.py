"""Identity basis of the generic head: named modes first, then smooth harmonics of the surface.

Each mode is one displacement field (mm) of the neutral surface for a coefficient of 1; coefficients are unit normal.
Fields are linear in their coefficient and never cut by a threshold, so nothing jumps; around the eyes every field is
turned into a rigid shift of eyeball and lids plus a slide along the eyeball, so that the lids stay on it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tvface.head.generic.parts import carry
from tvface.head.generic.sculpt import EYE_CENTRE, Skin, gauss, skin, smoothstep

Field = Callable[[np.ndarray, np.ndarray, np.ndarray, Skin], tuple[np.ndarray, np.ndarray, np.ndarray]]
HARMONIC_RMS = 0.45  # mm, of the strongest harmonic; the named modes have 0.1-2.8


def _front(s: Skin) -> np.ndarray:
    return smoothstep(np.cos(s.theta), 0.0, 0.5)


def _named() -> dict[str, Field]:
    """Return the named fields: (|x|, y, z, skin) -> (outward x, y, z) in mm."""

    def nose(x: np.ndarray, y: np.ndarray, cy: float, sy: float, sx: float = 15) -> np.ndarray:
        return gauss(x, y, 0, cy, sx, sy)

    def widths(y: np.ndarray, cy: float, sy: float) -> np.ndarray:
        return np.exp(-(((y - cy) / sy) ** 2))

    return {
        "nose_len": lambda x, y, z, s: (0 * x, -3.0 * nose(x, y, -38, 15, 20) * _front(s), 0 * x),
        "nose_wid": lambda x, y, z, s: (1.5 * (x / 12) * gauss(x, y, 11, -39, 9, 10) * _front(s), 0 * x, 0 * x),
        "nose_h": lambda x, y, z, s: (0 * x, 0 * x, 3.5 * nose(x, y, -33, 15, 11) * _front(s)),
        "bridge": lambda x, y, z, s: (0 * x, 0 * x, 2.0 * nose(x, y, -12, 12, 8) * _front(s)),
        "eye_sep": lambda x, y, z, s: (1.8 * gauss(x, y, 31, 2, 26, 24) * _front(s), 0 * x, 0 * x),
        "eye_w": lambda x, y, z, s: (
            1.2 * np.tanh((x - 31.3) / 9) * gauss(x, y, 31.3, 0, 19, 13) * _front(s),
            0 * x,
            0 * x,
        ),
        "brow_ridge": lambda x, y, z, s: (0 * x, 0 * x, 2.2 * gauss(x, y, 22, 19, 24, 8) * _front(s)),
        "brow_y": lambda x, y, z, s: (
            0 * x,
            2.2 * gauss(x, y, 32, 20, 30, 13) * smoothstep(y, 3, 15) * _front(s),
            0 * x,
        ),
        "cheek": lambda x, y, z, s: (1.0 * gauss(x, y, 48, -24, 18, 15), 0 * x, 3.0 * gauss(x, y, 46, -24, 17, 15)),
        "lip_thick": lambda x, y, z, s: (
            0 * x,
            (1.2 * gauss(x, y, 0, -58.5, 22, 4.5) - 1.4 * gauss(x, y, 0, -73, 22, 5)) * _front(s),
            1.3 * (gauss(x, y, 0, -61, 18, 4.5) + gauss(x, y, 0, -70, 18, 5)) * _front(s),
        ),
        "mouth_w": lambda x, y, z, s: (
            3.0 * (x / 26) * gauss(x, y, 14, -65, 24, 15) * _front(s),
            0 * x,
            -1.0 * gauss(x, y, 26, -65, 9, 10) * _front(s),
        ),
        "chin": lambda x, y, z, s: (0 * x, 0 * x, 4.0 * gauss(x, y, 0, -100, 30, 20) * _front(s)),
        "chin_len": lambda x, y, z, s: (
            0 * x,
            -5.0
            * smoothstep(-y, 68, 106)
            * (1 - smoothstep(-s.height, 112, 150))
            * smoothstep(np.cos(s.theta), -0.2, 0.8),
            0 * x,
        ),
        "jaw_w": lambda x, y, z, s: (3.0 * np.tanh(x / 40) * np.exp(-(((s.height + 85) / 32) ** 2)), 0 * x, 0 * x),
        "face_w": lambda x, y, z, s: (
            4.0 * np.tanh(x / 45) * smoothstep(s.height, -100, -40) * (1 - smoothstep(s.height, 75, 112)),
            0 * x,
            0 * x,
        ),
        "forehead": lambda x, y, z, s: (0 * x, 0 * x, 4.0 * gauss(x, y, 0, 55, 55, 30) * _front(s)),
        "head_d": lambda x, y, z, s: (0 * x, 0 * x, -6.0 * smoothstep(-np.cos(s.theta), -0.2, 0.9) * widths(y, 25, 75)),
        "face_len": lambda x, y, z, s: (0 * x, -5.0 * smoothstep(-y, -10, 110), 0 * x),
        "mouth_y": lambda x, y, z, s: (0 * x, 2.5 * gauss(x, y, 0, -66, 38, 14) * _front(s), 0 * x),
        "crown": lambda x, y, z, s: (0 * x, 5.0 * smoothstep(y, 25, 115), 0 * x),
        "cheek_full": lambda x, y, z, s: (
            2.6 * gauss(x, y, 55, -58, 22, 22),
            0 * x,
            2.6 * gauss(x, y, 42, -56, 20, 20) * _front(s),
        ),
        "eye_tilt": lambda x, y, z, s: (
            0 * x,
            1.3 * np.tanh((x - 31.3) / 12) * gauss(x, y, 31.3, 2, 22, 16) * _front(s),
            0 * x,
        ),
        "eye_open": lambda x, y, z, s: (
            0 * x,
            0.8 * np.tanh((y - 0.6) / 2.0) * gauss(x, y, 31.3, 0, 13, 9) * _front(s),
            0 * x,
        ),
        "nose_tip": lambda x, y, z, s: (0 * x, 2.2 * nose(x, y, -36, 8, 9) * _front(s), 0 * x),
        "neck_w": lambda x, y, z, s: (
            5.0 * np.tanh(x / 40) * smoothstep(-y, 70, 125),
            0 * x,
            -2.0 * smoothstep(-z, 0, 40) * smoothstep(-y, 60, 110),
        ),
    }


def _stay_on_eyes(field: np.ndarray, rest: Skin) -> tuple[np.ndarray, np.ndarray]:
    """Make lids and eyeballs move together.

    Returns:
        The field (N,3) with its component towards the eyeball removed where the skin lies on it, and the eyeballs'
        shifts (2,3), right and left.
    """
    out = field.copy()
    shifts = np.zeros((2, 3))
    for k, side in enumerate((-1, 1)):
        centre = EYE_CENTRE * (side, 1, 1)
        away = rest.position - centre
        distance = np.linalg.norm(away, axis=1)
        near = (1 - smoothstep(distance, 18.0, 27.0)) * (rest.position[:, 2] > 60)
        close = near > 0.5
        shifts[k] = field[close].mean(0)
        relative = field - shifts[k]
        normal = away / distance[:, None]
        towards = (relative * normal).sum(1, keepdims=True) * normal
        touching = (1 - smoothstep(distance, 17.5, 23.0)) * (rest.position[:, 2] > 60)
        out -= touching[:, None] * towards
    return out, shifts


def _harmonics(rest: Skin, count: int) -> list[tuple[str, np.ndarray]]:
    """Return symmetric smooth fields of rising frequency and falling strength."""
    found = []
    tall = (115 - rest.height) / 287
    outward = np.stack([np.sin(rest.theta), 0.25 * np.cos(np.pi * tall), np.cos(rest.theta)], 1)
    outward /= np.linalg.norm(outward, axis=1, keepdims=True)
    fade = 1 - smoothstep(-rest.height, 140, 172)
    order = sorted(
        ((i, j, d) for i in range(7) for j in range(9) for d in range(2) if i + j > 0),
        key=lambda t: (t[0] ** 2 + t[1] ** 2 + 3 * t[2], t),
    )
    for i, j, d in order[:count]:
        wave = np.cos(i * rest.theta) * np.cos(np.pi * j * tall) * fade
        if d == 0:
            field = wave[:, None] * outward
        else:
            field = np.stack([0.5 * np.sin(i * rest.theta) * np.cos(np.pi * j * tall) * fade, 0.8 * wave, 0 * wave], 1)
        field = field / np.sqrt((field**2).sum(1).mean())
        strength = HARMONIC_RMS / (1 + 0.35 * (i**2 + j**2) ** 0.75)
        found.append((f"harmonic_{'radial' if d == 0 else 'slide'}_{i}_{j}", strength * field))
    return found


def identity_basis(columns: int) -> tuple[np.ndarray, list[str]]:
    """Return the basis (V,3,columns) in mm per unit coefficient, and the names of the columns."""
    rest = skin()
    x, y, z = rest.position.T
    side = np.tanh(x / 2.0)  # sign of x, smooth through the mid-plane
    fields: list[tuple[str, np.ndarray]] = []
    for name, make in _named().items():
        dx, dy, dz = make(np.abs(x), y, z, rest)
        fields.append((name, np.stack([side * dx, dy, dz], 1)))
    fields += _harmonics(rest, max(0, columns - len(fields)))
    basis, names = [], []
    for name, field in fields[:columns]:
        moved, eyes = _stay_on_eyes(field, rest)
        basis.append(carry(moved, eyes))
        names.append(name)
    return np.stack(basis, -1), names
