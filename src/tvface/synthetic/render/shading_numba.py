"""Compiled shading of the scene renderer: relief, light that enters the skin, and mirrored lamps."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from tvface.synthetic.render.kernels import raw_weights


class Projected(NamedTuple):
    """A mesh before the camera.

    points (V, 3) float32, faces (F, 3) int32, first: as in :func:`kernels.fill`. vertices (V, 3) float32 metres and
    normals (V, 3) float32, camera axes. reach (V,) float32: share of the light that arrives. lamps (V, 3) float32:
    added light of small lamps.
    """

    points: np.ndarray
    faces: np.ndarray
    first: int
    vertices: np.ndarray
    normals: np.ndarray
    reach: np.ndarray
    lamps: np.ndarray


class Gleam(NamedTuple):
    """A lamp that surfaces mirror, all (3,) float32: ``sun``, unit vector to it; ``half``, halfway to the camera;
    ``side`` and ``top``, axes of its window; ``eye``, to the camera; ``gain``, brightness of white that faces it."""

    sun: np.ndarray
    half: np.ndarray
    side: np.ndarray
    top: np.ndarray
    eye: np.ndarray
    gain: np.ndarray


class Look(NamedTuple):
    """The textures of a mesh.

    corners (F, 3, 2) float32: texel coordinates at full size. classes (h', w') uint8 at full size. texture (h, w, 3)
    uint8, shrunk by texture_scale. relief (h, w) float32: height over the mesh in metres, or (1, 1) for none. gloss:
    strength of the highlights. sheen (h, w, 2) uint8: their strength and sharpness at each texel of a head, where light
    enters the skin and blurs; or (1, 1, 2) for cloth and hair, without both.
    """

    corners: np.ndarray
    classes: np.ndarray
    texture: np.ndarray
    texture_scale: float
    relief: np.ndarray
    gloss: float
    sheen: np.ndarray


@numba.njit(inline="always")
def unit(x, y, z):  # type: ignore[no-untyped-def]
    """Return a vector of length 1."""
    length = np.sqrt(x * x + y * y + z * z) + 1e-12
    return x / length, y / length, z / length


@numba.njit(inline="always")
def tilted(normal, vertices, a, b, c, corners, relief, scale, p, q, s, t):  # type: ignore[no-untyped-def]
    """Return the normal of a triangle a, b, c tilted by the slope of its relief.

    corners (3, 2): its texel coordinates at full size; relief is shrunk by ``scale``; p, q: the relief's texel left
    and above, s, t: the rest.
    """
    nx, ny, nz = normal
    # Gradients of the texel coordinates along the triangle (its Gram matrix inverted), times the slopes.
    ax, ay = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
    bx, by = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1]
    az, bz = vertices[b, 2] - vertices[a, 2], vertices[c, 2] - vertices[a, 2]
    aa, ab = ax * ax + ay * ay + az * az, ax * bx + ay * by + az * bz
    bb = bx * bx + by * by + bz * bz
    gram = aa * bb - ab * ab
    if gram > 1e-16:
        su, tu = corners[1, 0] - corners[0, 0], corners[2, 0] - corners[0, 0]
        sv, tv = corners[1, 1] - corners[0, 1], corners[2, 1] - corners[0, 1]
        rise_u = (1 - t) * (relief[q, p + 1] - relief[q, p]) + t * (relief[q + 1, p + 1] - relief[q + 1, p])
        rise_v = (1 - s) * (relief[q + 1, p] - relief[q, p]) + s * (relief[q + 1, p + 1] - relief[q, p + 1])
        # Coordinates of the slope in the triangle's two edges.
        first_edge = rise_u * (su * bb - tu * ab) + rise_v * (sv * bb - tv * ab)
        second_edge = rise_u * (tu * aa - su * ab) + rise_v * (tv * aa - sv * ab)
        first_edge, second_edge = first_edge * scale / gram, second_edge * scale / gram
        nx -= first_edge * ax + second_edge * bx
        ny -= first_edge * ay + second_edge * by
        nz -= first_edge * az + second_edge * bz
        nx, ny, nz = unit(nx, ny, nz)
    return nx, ny, nz


@numba.njit(inline="always")
def irradiance(light, k, nx, ny, nz):  # type: ignore[no-untyped-def]
    """Return the light (9, 3) of colour k that a surface with this normal gets."""
    return (
        light[0, k]
        + light[1, k] * nx
        + light[2, k] * ny
        + light[3, k] * nz
        + light[4, k] * nx * ny
        + light[5, k] * nx * nz
        + light[6, k] * ny * nz
        + light[7, k] * (nx * nx - ny * ny)
        + light[8, k] * (3 * nz * nz - 1)
    )


@numba.njit(inline="always")
def mirrored(gleam, nx, ny, nz, strength, sharp):  # type: ignore[no-untyped-def]
    """Return how brightly a surface with this normal mirrors the lamp, for a lamp of gain 1, and the rim's share.

    Skin mirrors two lobes, a broad and a narrow one (Blinn and Phong); ``sharp`` 1 mirrors a window, as wet eyes do.
    """
    facing = nx * gleam.eye[0] + ny * gleam.eye[1] + nz * gleam.eye[2]
    rim = max(1.0 - max(facing, 0.0), 0.0)
    rim = rim * rim
    rim = rim * rim
    if sharp > 0.95:
        rx, ry, rz = 2 * facing * nx - gleam.eye[0], 2 * facing * ny - gleam.eye[1], 2 * facing * nz - gleam.eye[2]
        if rx * gleam.sun[0] + ry * gleam.sun[1] + rz * gleam.sun[2] <= 0.0:
            return 0.0, rim
        a = abs(rx * gleam.side[0] + ry * gleam.side[1] + rz * gleam.side[2])
        b = abs(rx * gleam.top[0] + ry * gleam.top[1] + rz * gleam.top[2])
        inside = min(max(2.0 - a * 7.0, 0.0), 1.0) * min(max(2.0 - b * 5.5, 0.0), 1.0)
        return 0.9 * inside * strength, rim
    along = max(nx * gleam.half[0] + ny * gleam.half[1] + nz * gleam.half[2], 0.0)
    lit = min(max(4.0 * (nx * gleam.sun[0] + ny * gleam.sun[1] + nz * gleam.sun[2]), 0.0), 1.0)
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


# How much of the first and second order of the light is left after it has spread below the skin, per colour, how much
# of the relief's slope, and how much light leaks into shadow: red travels farthest.
SOFT = np.array([(0.93, 0.72), (0.985, 0.92), (1.0, 1.0)], np.float32)
SLOPE = np.array([0.45, 0.85, 1.0], np.float32)
LEAK = np.array([0.42, 0.14, 0.06], np.float32)
DEEPEN = np.array([0.0, 0.09, 0.13], np.float32)  # skin in shadow is of a fuller colour
BARE = 15  # classes below it are skin, eyes and mouth; cloth, hair and hats follow


@numba.njit(cache=True, nogil=True, fastmath=True)
def shade(
    mesh: Projected,
    look: Look,
    light: np.ndarray,
    gleam: Gleam,
    face: np.ndarray,
    window: np.ndarray,
    samples: int,
    colour: np.ndarray,
    labels: np.ndarray,
) -> None:
    """Shade the samples that show a mesh and add them to the picture.

    Args:
        mesh: geometry of the mesh.
        look: its textures.
        light: (9, 3) float32, factors of the plain polynomials.
        gleam: the lamp in that light.
        face: (H s, W s) int32, as in :func:`kernels.fill`.
        window: (4,) int, columns and rows [x0, x1), [y0, y1) of samples that may show the mesh.
        samples: samples per pixel side.
        colour: (H, W, 4) float32, sums of RGB and of covered samples, added to; labels: (H s, W s) uint8, written.
    """
    points, faces, normals, corners, texture = mesh.points, mesh.faces, mesh.normals, look.corners, look.texture
    rows, columns = texture.shape[0], texture.shape[1]
    last = mesh.first + faces.shape[0]
    soft = light.copy()
    for k in range(3):
        soft[1:4, k] *= SOFT[k, 0]
        soft[4:9, k] *= SOFT[k, 1]
    living = look.sheen.shape[0] > 1
    for j in range(window[2], window[3]):
        for i in range(window[0], window[1]):
            f = face[j, i]
            if f < mesh.first or f >= last:
                continue
            f -= mesh.first
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            w0, w1, w2, total = raw_weights(points, a, b, c, i, j)
            if total == 0.0:
                continue
            w0, w1, w2 = w0 / total, w1 / total, w2 / total
            u = w0 * corners[f, 0, 0] + w1 * corners[f, 1, 0] + w2 * corners[f, 2, 0]
            v = w0 * corners[f, 0, 1] + w1 * corners[f, 1, 1] + w2 * corners[f, 2, 1]
            column = min(max(int(u + 0.5), 0), look.classes.shape[1] - 1)
            row = min(max(int(v + 0.5), 0), look.classes.shape[0] - 1)
            label = look.classes[row, column]
            labels[j, i] = label
            nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
            ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
            nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
            nx, ny, nz = unit(nx, ny, nz)
            sx, sy, sz = nx, ny, nz
            s = min(max((u + 0.5) * look.texture_scale - 0.5, 0.0), columns - 1.001)
            t = min(max((v + 0.5) * look.texture_scale - 0.5, 0.0), rows - 1.001)
            p, q = int(s), int(t)
            s, t = s - p, t - q
            if look.relief.shape[0] > 1:
                nx, ny, nz = tilted(
                    (nx, ny, nz), mesh.vertices, a, b, c, corners[f], look.relief, look.texture_scale, p, q, s, t
                )
            arrives = w0 * mesh.reach[a] + w1 * mesh.reach[b] + w2 * mesh.reach[c]
            skin = living and label < BARE
            specular, rim = 0.0, 0.0
            if skin:
                sheen = look.sheen
                strength = (1 - t) * ((1 - s) * sheen[q, p, 0] + s * sheen[q, p + 1, 0]) + t * (
                    (1 - s) * sheen[q + 1, p, 0] + s * sheen[q + 1, p + 1, 0]
                )
                sharp = sheen[q, p, 1] / 255.0
                oil = arrives if sharp > 0.95 else look.gloss * arrives
                specular, rim = mirrored(gleam, nx, ny, nz, strength / 255.0, sharp)
                specular, rim = specular * oil, rim * oil * 0.18 * max(0.4 + 0.6 * ny, 0.0)
            y, x = j // samples, i // samples
            for k in range(3):
                value = (1 - t) * ((1 - s) * texture[q, p, k] + s * texture[q, p + 1, k]) + t * (
                    (1 - s) * texture[q + 1, p, k] + s * texture[q + 1, p + 1, k]
                )
                shading = w0 * mesh.lamps[a, k] + w1 * mesh.lamps[b, k] + w2 * mesh.lamps[c, k]
                if skin:
                    e = SLOPE[k]
                    bent = irradiance(soft, k, sx + e * (nx - sx), sy + e * (ny - sy), sz + e * (nz - sz))
                    shading += max(bent, 0.02) * arrives * (1.0 + LEAK[k] * (1.0 - arrives))
                    shading *= 1.0 - DEEPEN[k] * max(1.0 - shading, 0.0)
                    mirror = specular * gleam.gain[k] + rim * max(light[0, k], 0.0)
                    colour[y, x, k] += rolled_off(shading * value + 255.0 * mirror)
                else:
                    shading += irradiance(light, k, nx, ny, nz) * arrives
                    colour[y, x, k] += rolled_off(max(shading, 0.02) * value)
            colour[y, x, 3] += 1.0
