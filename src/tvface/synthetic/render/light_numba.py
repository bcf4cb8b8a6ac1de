"""Compiled light of batches of samples: light that enters the skin, cloth and hair, and mirrored lamps."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

# How much of the first and second order of the light is left after it has spread below the skin, per colour, how much
# of the relief's slope, and how much light leaks into shadow: red travels farthest.
SOFT = np.array([(0.93, 0.72), (0.985, 0.92), (1.0, 1.0)], np.float32)
SLOPE = np.array([0.45, 0.85, 1.0], np.float32)
LEAK = np.array([0.42, 0.14, 0.06], np.float32)
DEEPEN = np.array([0.0, 0.09, 0.13], np.float32)  # skin in shadow is of a fuller colour
BARE = 15  # classes below it are skin, eyes and mouth; cloth, hair and hats follow

# Samples are shaded in batches, rows of a flat table, so that the compiler computes several at once: normal of the
# relief, normal of the mesh, share of the light that arrives, strength and sharpness of the sheen, which become
# highlight and rim, lamps, texture, shaded colour. Unsigned: an index that may be negative costs a test for each
# access.
BATCH = 128
NX, NY, NZ, SX, SY, SZ, ARRIVES, STRENGTH, SHARP = (np.uintp(row * BATCH) for row in range(9))
LAMPS, TEXTURE, SHADED = (tuple(np.uintp((row + k) * BATCH) for k in range(3)) for row in (9, 12, 15))


class Gleam(NamedTuple):
    """A lamp that surfaces mirror, all (3,) float32: ``sun``, unit vector to it; ``half``, halfway to the camera;
    ``side`` and ``top``, axes of its window; ``eye``, to the camera; ``gain``, brightness of white that faces it."""

    sun: np.ndarray
    half: np.ndarray
    side: np.ndarray
    top: np.ndarray
    eye: np.ndarray
    gain: np.ndarray


@numba.njit(inline="always")
def column_of(light, k):  # type: ignore[no-untyped-def]
    """Return the factors of colour k of a light (9, 3)."""
    return (
        light[0, k],
        light[1, k],
        light[2, k],
        light[3, k],
        light[4, k],
        light[5, k],
        light[6, k],
        light[7, k],
        light[8, k],
    )


@numba.njit(inline="always")
def lit(light, nx, ny, nz):  # type: ignore[no-untyped-def]
    """Return the light (9 factors) that a surface with this normal gets."""
    return (
        light[0]
        + light[1] * nx
        + light[2] * ny
        + light[3] * nz
        + light[4] * nx * ny
        + light[5] * nx * nz
        + light[6] * ny * nz
        + light[7] * (nx * nx - ny * ny)
        + light[8] * (3 * nz * nz - 1)
    )


@numba.njit(inline="always")
def three(vector):  # type: ignore[no-untyped-def]
    """Return the numbers of a vector."""
    return vector[0], vector[1], vector[2]


@numba.njit(inline="always")
def mirrored(axes, nx, ny, nz, strength, sharp):  # type: ignore[no-untyped-def]
    """Return how brightly a surface with this normal mirrors the lamp, for a lamp of gain 1, and the rim's share.

    ``axes``: sun, half, side, top and eye of the :class:`Gleam`, three numbers each. Skin mirrors two lobes, a
    broad and a narrow one (Blinn and Phong); ``sharp`` 1 mirrors a window, as wet eyes do.
    """
    sun, half, side, top, eye = axes
    facing = nx * eye[0] + ny * eye[1] + nz * eye[2]
    rim = max(1.0 - max(facing, 0.0), 0.0)
    rim = rim * rim
    rim = rim * rim
    if sharp > 0.95:
        rx, ry, rz = 2 * facing * nx - eye[0], 2 * facing * ny - eye[1], 2 * facing * nz - eye[2]
        if rx * sun[0] + ry * sun[1] + rz * sun[2] <= 0.0:
            return 0.0, rim
        a = abs(rx * side[0] + ry * side[1] + rz * side[2])
        b = abs(rx * top[0] + ry * top[1] + rz * top[2])
        inside = min(max(2.0 - a * 7.0, 0.0), 1.0) * min(max(2.0 - b * 5.5, 0.0), 1.0)
        return 0.9 * inside * strength, rim
    along = max(nx * half[0] + ny * half[1] + nz * half[2], 0.0)
    lit = min(max(4.0 * (nx * sun[0] + ny * sun[1] + nz * sun[2]), 0.0), 1.0)
    x4 = along * along
    x4 = x4 * x4
    x8 = x4 * x4
    x32 = x8 * x8
    x32 = x32 * x32
    return lit * strength * ((1.0 - sharp) * 0.15 * x8 * x4 + sharp * 0.55 * x32 * x8), rim


@numba.njit(inline="always")
def rolled_off(value):  # type: ignore[no-untyped-def]
    """Return a brightness as a camera records it: bright values approach 255 smoothly."""
    if value > 175.0:
        return 175.0 + 80.0 * (1.0 - np.exp((175.0 - value) / 80.0))
    return value


@numba.njit(inline="always")
def light_skin(batch, last, k, soft, ambient, gain):  # type: ignore[no-untyped-def]
    """Shade colour k of the first ``last`` samples, which show skin."""
    e, leak, deepen = SLOPE[k], LEAK[k], DEEPEN[k]
    lamps, texture, shaded = LAMPS[k], TEXTURE[k], SHADED[k]
    for place in range(last):
        n = np.uintp(place)
        sx, sy, sz = batch[n + SX], batch[n + SY], batch[n + SZ]
        nx, ny, nz = batch[n + NX], batch[n + NY], batch[n + NZ]
        arrives = batch[n + ARRIVES]
        bent = lit(soft, sx + e * (nx - sx), sy + e * (ny - sy), sz + e * (nz - sz))
        shading = batch[n + lamps] + max(bent, 0.02) * arrives * (1.0 + leak * (1.0 - arrives))
        shading *= 1.0 - deepen * max(1.0 - shading, 0.0)
        mirror = batch[n + STRENGTH] * gain + batch[n + SHARP] * ambient
        batch[n + shaded] = shading * batch[n + texture] + 255.0 * mirror


@numba.njit(inline="always")
def light_cloth(batch, first, k, light):  # type: ignore[no-untyped-def]
    """Shade colour k of the samples from ``first`` on, which show cloth or hair."""
    lamps, texture, shaded = LAMPS[k], TEXTURE[k], SHADED[k]
    for place in range(BATCH - first):
        n = np.uintp(first + place)
        shading = batch[n + lamps] + batch[n + ARRIVES] * lit(light, batch[n + NX], batch[n + NY], batch[n + NZ])
        batch[n + shaded] = max(shading, 0.02) * batch[n + texture]


@numba.njit(nogil=True, fastmath=True)
def finish(batch, place, count, skins, cloths, soft, light, gleam, gloss, colour):  # type: ignore[no-untyped-def]
    """Light a batch and add its ``count`` samples to the picture in their order."""
    # Numbers, not arrays: a loop counts references to an array in a tuple, which is slow.
    sun, half, side = three(gleam.sun), three(gleam.half), three(gleam.side)
    axes = sun, half, side, three(gleam.top), three(gleam.eye)
    for m in range(skins):
        n = np.uintp(m)
        arrives, sharp, ny = batch[n + ARRIVES], batch[n + SHARP], batch[n + NY]
        oil = arrives if sharp > 0.95 else gloss * arrives
        specular, rim = mirrored(axes, batch[n + NX], ny, batch[n + NZ], batch[n + STRENGTH], sharp)
        batch[n + STRENGTH] = specular * oil
        batch[n + SHARP] = rim * oil * 0.18 * max(0.4 + 0.6 * ny, 0.0)
    light_skin(batch, skins, 0, column_of(soft, 0), max(light[0, 0], 0.0), gleam.gain[0])
    light_skin(batch, skins, 1, column_of(soft, 1), max(light[0, 1], 0.0), gleam.gain[1])
    light_skin(batch, skins, 2, column_of(soft, 2), max(light[0, 2], 0.0), gleam.gain[2])
    light_cloth(batch, cloths, 0, column_of(light, 0))
    light_cloth(batch, cloths, 1, column_of(light, 1))
    light_cloth(batch, cloths, 2, column_of(light, 2))
    for m in range(count):
        y, x, at = np.uintp(place[m, 0]), np.uintp(place[m, 1]), np.uintp(place[m, 2])
        for k in range(3):
            colour[y, x, k] += rolled_off(batch[at + SHADED[k]])
        colour[y, x, 3] += 1.0
