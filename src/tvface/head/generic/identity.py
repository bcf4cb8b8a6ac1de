"""Identity basis of the generic head: named modes first, then smooth harmonics of the surface.

Each mode is one displacement field (mm) of the neutral surface for a coefficient of 1; coefficients are unit normal.
Fields are linear in their coefficient and continuous, without thresholds; around the eyes every field is turned into
a rigid shift of eyeball and lids plus a slide along the eyeball, so that the lids stay on it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tvface.head.generic.parts import carry
from tvface.head.generic.sculpt import EYE_CENTRE, Skin, gauss, skin, smoothstep

HARMONIC_RMS = 0.45  # mm, of the strongest harmonic; the named modes have 0.1-2.8


class _Place:
    """Places of the skin's right half: ``x`` >= 0, ``y``, ``z`` (N,) mm, ``height`` and ``theta`` of the surface;
    ``front`` is 1 on the face and 0 on the back of the head."""

    def __init__(self, rest: Skin) -> None:
        self.x, self.y, self.z = np.abs(rest.position[:, 0]), rest.position[:, 1], rest.position[:, 2]
        self.height, self.theta = rest.height, rest.theta
        self.front = smoothstep(np.cos(rest.theta), 0.0, 0.5)

    def near(self, cx: float, cy: float, sx: float, sy: float) -> np.ndarray:
        """Return a Gaussian bump around (cx, cy)."""
        return gauss(self.x, self.y, cx, cy, sx, sy)


# Outward, up, forward.
X, Y, Z = range(3)
Part = Callable[[_Place], np.ndarray]
# The parts of each named field along the axes that it moves, in mm.
_NAMED: dict[str, dict[int, Part]] = {
    "nose_len": {Y: lambda p: -3.0 * p.near(0, -38, 20, 15) * p.front},
    "nose_wid": {X: lambda p: 1.5 * (p.x / 12) * p.near(11, -39, 9, 10) * p.front},
    "nose_h": {Z: lambda p: 3.5 * p.near(0, -33, 11, 15) * p.front},
    "bridge": {Z: lambda p: 2.0 * p.near(0, -12, 8, 12) * p.front},
    "eye_sep": {X: lambda p: 1.8 * p.near(31, 2, 26, 24) * p.front},
    "eye_w": {X: lambda p: 1.2 * np.tanh((p.x - 31.3) / 9) * p.near(31.3, 0, 19, 13) * p.front},
    "brow_ridge": {Z: lambda p: 2.2 * p.near(22, 19, 24, 8) * p.front},
    "brow_y": {Y: lambda p: 2.2 * p.near(32, 20, 30, 13) * smoothstep(p.y, 3, 15) * p.front},
    "cheek": {X: lambda p: 1.0 * p.near(48, -24, 18, 15), Z: lambda p: 3.0 * p.near(46, -24, 17, 15)},
    "lip_thick": {
        Y: lambda p: (1.2 * p.near(0, -58.5, 22, 4.5) - 1.4 * p.near(0, -73, 22, 5)) * p.front,
        Z: lambda p: 1.3 * (p.near(0, -61, 18, 4.5) + p.near(0, -70, 18, 5)) * p.front,
    },
    "mouth_w": {
        X: lambda p: 3.0 * (p.x / 26) * p.near(14, -65, 24, 15) * p.front,
        Z: lambda p: -1.0 * p.near(26, -65, 9, 10) * p.front,
    },
    "chin": {Z: lambda p: 4.0 * p.near(0, -100, 30, 20) * p.front},
    "chin_len": {
        Y: lambda p: (
            -5.0
            * smoothstep(-p.y, 68, 106)
            * (1 - smoothstep(-p.height, 112, 150))
            * smoothstep(np.cos(p.theta), -0.2, 0.8)
        )
    },
    "jaw_w": {X: lambda p: 3.0 * np.tanh(p.x / 40) * np.exp(-(((p.height + 85) / 32) ** 2))},
    "face_w": {
        X: lambda p: 4.0 * np.tanh(p.x / 45) * smoothstep(p.height, -100, -40) * (1 - smoothstep(p.height, 75, 112))
    },
    "forehead": {Z: lambda p: 4.0 * p.near(0, 55, 55, 30) * p.front},
    "head_d": {Z: lambda p: -6.0 * smoothstep(-np.cos(p.theta), -0.2, 0.9) * np.exp(-(((p.y - 25) / 75) ** 2))},
    "face_len": {Y: lambda p: -5.0 * smoothstep(-p.y, -10, 110)},
    "mouth_y": {Y: lambda p: 2.5 * p.near(0, -66, 38, 14) * p.front},
    "crown": {Y: lambda p: 5.0 * smoothstep(p.y, 25, 115)},
    "cheek_full": {
        X: lambda p: 2.6 * p.near(55, -58, 22, 22),
        Z: lambda p: 2.6 * p.near(42, -56, 20, 20) * p.front,
    },
    "eye_tilt": {Y: lambda p: 1.3 * np.tanh((p.x - 31.3) / 12) * p.near(31.3, 2, 22, 16) * p.front},
    "eye_open": {Y: lambda p: 0.8 * np.tanh((p.y - 0.6) / 2.0) * p.near(31.3, 0, 13, 9) * p.front},
    "nose_tip": {Y: lambda p: 2.2 * p.near(0, -36, 9, 8) * p.front},
    "neck_w": {
        X: lambda p: 5.0 * np.tanh(p.x / 40) * smoothstep(-p.y, 70, 125),
        Z: lambda p: -2.0 * smoothstep(-p.z, 0, 40) * smoothstep(-p.y, 60, 110),
    },
}


def _named(rest: Skin) -> list[tuple[str, np.ndarray]]:
    """Return the named fields (N,3), symmetric, in mm."""
    x = rest.position[:, 0]
    side = np.tanh(x / 2.0)  # sign of x, smooth through the mid-plane
    place, still = _Place(rest), np.zeros_like(x)
    fields = []
    for name, parts in _NAMED.items():
        outward, up, forward = (parts[axis](place) if axis in parts else still for axis in (X, Y, Z))
        fields.append((name, np.stack([side * outward, up, forward], 1)))
    return fields


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
    harmonics = []
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
        harmonics.append((f"harmonic_{'radial' if d == 0 else 'slide'}_{i}_{j}", strength * field))
    return harmonics


def identity_basis(columns: int) -> tuple[np.ndarray, list[str]]:
    """Return the basis (V,3,columns) in mm per unit coefficient, and the names of the columns."""
    rest = skin()
    fields = _named(rest)
    fields += _harmonics(rest, max(0, columns - len(fields)))
    basis, names = [], []
    for name, field in fields[:columns]:
        moved, eyes = _stay_on_eyes(field, rest)
        basis.append(carry(moved, eyes))
        names.append(name)
    return np.stack(basis, -1), names
