"""Spherical-harmonics light in DECA's basis (the truth that the manifests store and the model estimates)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# Ramamoorthi & Hanrahan 2001: irradiance coefficients pi, 2 pi/3, pi/4 times the real basis functions, as DECA
# writes them. Order: 1, x, y, z, xy, xz, yz, xx - yy, 3zz - 1 with the normal in camera axes (x right, y up, z to
# the camera).
SH_FACTORS: np.ndarray = np.array(
    [
        1 / np.sqrt(4 * np.pi),
        *[(2 * np.pi / 3) * np.sqrt(3 / (4 * np.pi))] * 3,
        *[(np.pi / 4) * 3 * np.sqrt(5 / (12 * np.pi))] * 3,
        (np.pi / 4) * 1.5 * np.sqrt(5 / (12 * np.pi)),
        (np.pi / 4) * 0.5 * np.sqrt(5 / (4 * np.pi)),
    ],
    dtype=np.float32,
)


def sh_light(coefficients: np.ndarray) -> np.ndarray:
    """Convert factors of the plain polynomials (9,) or (9, 3) into DECA's coefficients (9, 3) float32."""
    plain = np.asarray(coefficients, np.float32)
    if plain.ndim == 1:
        plain = np.repeat(plain[:, None], 3, axis=1)
    return (plain / SH_FACTORS[:, None]).astype(np.float32)


def directional_light(
    direction: np.ndarray, ambient: float, gain: float, colour: np.ndarray, ambient_colour: np.ndarray
) -> np.ndarray:
    """Project one lamp and an even ambient light on spherical harmonics.

    The clamped cosine of a lamp from ``d`` is, to order 2, 1/4 + 1/2 (d.n) + 5/32 (3 (d.n)^2 - 1) (Ramamoorthi &
    Hanrahan 2001); the polynomial of ``n`` is written out in the nine basis terms.

    Args:
        direction: (3,) towards the lamp, camera axes, any length.
        ambient, gain: reflected brightness of white by the ambient light and, facing it, by the lamp.
        colour, ambient_colour: (3,) RGB tints around 1.

    Returns:
        (9, 3) float32 in DECA's basis.
    """
    x, y, z = np.asarray(direction, np.float64) / np.linalg.norm(direction)
    lamp = np.zeros(9)
    lamp[0] = 0.25
    lamp[1:4] = 0.5 * np.array([x, y, z])
    # 3 (d.n)^2 - 1 = 6xy XY + 6xz XZ + 6yz YZ + 1.5 (x^2 - y^2)(XX - YY) + (3z^2 - 1)/2 (3ZZ - 1)
    lamp[4:9] = 5 / 32 * np.array([6 * x * y, 6 * x * z, 6 * y * z, 1.5 * (x * x - y * y), 0.5 * (3 * z * z - 1)])
    plain = gain * lamp[:, None] * np.asarray(colour)[None]
    plain[0] += ambient * np.asarray(ambient_colour)
    return sh_light(plain)


@dataclass(frozen=True)
class PointLight:
    """A lamp: position (3,) metres in camera coordinates (x right, y up, z to the camera); colour (3,), the
    reflected brightness of white that faces it a metre away. It falls off with the square of the distance.

    ``spread`` is the angular radius in radians under which the head sees it: the width of its shadows' edges.
    """

    position: np.ndarray
    colour: np.ndarray
    spread: float = 0.0

    def irradiance(self, vertices: np.ndarray, normals: np.ndarray) -> np.ndarray:
        """Return the unoccluded light at vertices (V, 3) with unit normals (V, 3): (V, 3) float32."""
        towards = self.position - vertices
        far = np.linalg.norm(towards, axis=1)
        facing = facing_disc((normals * towards).sum(1) / (far + 1e-9), self.spread)
        return ((facing / (far + 1e-3) ** 2)[:, None] * self.colour).astype(np.float32)


def cross(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the cross product of two vectors (3,), float64; NumPy's takes ten times as long for a single pair."""
    (a, b, c), (x, y, z) = (np.asarray(vector, np.float64).tolist() for vector in (one, other))
    return np.array([b * z - c * y, c * x - a * z, a * y - b * x])


def facing_disc(cosine: np.ndarray, spread: float) -> np.ndarray:
    """Return the light that a surface gets from a disc of angular radius ``spread``, 1 where it faces the disc.

    ``cosine`` is of the angle to the disc's middle. A wide disc sets gradually: the parabola joins zero and the cosine.
    """
    edge = np.sin(spread)
    if edge < 1e-3:
        return np.maximum(cosine, 0)
    return np.where(cosine > edge, cosine, np.clip(cosine + edge, 0, None) ** 2 / (4 * edge))


def expose(light: np.ndarray, skin: np.ndarray, target: float) -> np.ndarray:
    """Scale a light as a camera's exposure does, so that skin facing the camera comes out near ``target`` in [0, 1].

    Args:
        light: (9, 3) in DECA's basis.
        skin: (3,) RGB reflectance.
        target: mean brightness to reach. The gain stays within
            .6..2.4, so dark skin stays darker and dark scenes stay dark.
    """
    normals = np.array([(0, 0, 1), (0.6, 0, 0.8), (-0.6, 0, 0.8), (0, 0.6, 0.8), (0, -0.6, 0.8)])
    x, y, z = normals.T
    basis = np.stack([np.ones(5), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1], axis=1) * SH_FACTORS
    shown = np.maximum(basis @ light, 0.02).mean(0) @ np.asarray(skin) / 3
    return (light * np.clip(target / shown, 0.6, 2.4)).astype(np.float32)
