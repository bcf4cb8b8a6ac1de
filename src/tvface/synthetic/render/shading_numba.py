"""Compiled shading of the scene renderer: what each sample shows of its triangle, its textures and relief."""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from tvface.synthetic.render.light_numba import (
    ARRIVES,
    BARE,
    BATCH,
    LAMPS,
    NX,
    NY,
    NZ,
    SHARP,
    SOFT,
    STRENGTH,
    SX,
    SY,
    SZ,
    TEXTURE,
    Gleam,
    finish,
)


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


@numba.njit(nogil=True, fastmath=True)
def bilinear(texture, k, place, s, t):  # type: ignore[no-untyped-def]
    """Return channel k of a texture (h, w, C) between the columns and rows ``place`` = (left, right, upper, lower), s
    and t of the way."""
    p, p1, q, q1 = place
    return (1 - t) * ((1 - s) * texture[q, p, k] + s * texture[q, p1, k]) + t * (
        (1 - s) * texture[q1, p, k] + s * texture[q1, p1, k]
    )


@numba.njit(nogil=True, fastmath=True)
def load(f, faces, vertices, normals, reach, lamps, texel, relief, scale, corner, slopes):  # type: ignore[no-untyped-def]
    """Load a triangle: its corners' texel coordinates, normals, reach and lamps into ``corner`` (3, 12), and how much
    the normal moves per step of the relief along both axes of the texture into ``slopes`` (2, 3)."""
    for m in range(3):
        vertex = np.uintp(faces[f, m])
        corner[m, 0], corner[m, 1], corner[m, 5] = texel[f, m, 0], texel[f, m, 1], reach[vertex]
        for k in range(3):
            corner[m, 2 + k] = normals[vertex, k]
            corner[m, 6 + k] = lamps[vertex, k]
    if relief.shape[0] > 1:
        a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
        # Gradients of the texel coordinates along the triangle (its Gram matrix inverted).
        ax, ay = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1]
        bx, by = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1]
        az, bz = vertices[b, 2] - vertices[a, 2], vertices[c, 2] - vertices[a, 2]
        aa, ab = ax * ax + ay * ay + az * az, ax * bx + ay * by + az * bz
        bb = bx * bx + by * by + bz * bz
        gram = aa * bb - ab * ab
        step = scale / gram if gram > 1e-16 else 0.0
        for m in range(2):
            s, t = texel[f, 1, m] - texel[f, 0, m], texel[f, 2, m] - texel[f, 0, m]
            first, second = step * (s * bb - t * ab), step * (t * aa - s * ab)
            slopes[m, 0], slopes[m, 1] = first * ax + second * bx, first * ay + second * by
            slopes[m, 2] = first * az + second * bz


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
    # Taken out of their tuples once: a compiled loop counts references to what it takes out of a tuple.
    points, faces, vertices, normals = mesh.points, mesh.faces, mesh.vertices, mesh.normals
    reach, lamps, first = mesh.reach, mesh.lamps, mesh.first
    corners, classes, texture, sheen, relief = look.corners, look.classes, look.texture, look.sheen, look.relief
    scale, gloss = look.texture_scale, look.gloss
    rows, columns = texture.shape[0], texture.shape[1]
    soft = light.copy()
    for k in range(3):
        soft[1:4, k] *= SOFT[k, 0]
        soft[4:9, k] *= SOFT[k, 1]
    living, rough = sheen.shape[0] > 1, relief.shape[0] > 1
    batch = np.empty(18 * BATCH)
    place = np.empty((BATCH, 3), np.int64)  # of each sample in order: pixel, column in the batch
    corner, value, slopes = np.zeros((3, 12)), np.empty(12), np.zeros((2, 3))
    x0 = y0 = z0 = x1 = y1 = z1 = x2 = y2 = z2 = 0.0
    pixel = np.arange(face.shape[1]) // samples
    loaded = -1
    count, skins, cloths = 0, 0, BATCH  # skin fills the batch from the front, all else from the back
    for j in range(window[2], window[3]):
        for i in range(window[0], window[1]):
            f = face[j, i] - first
            if f < 0 or f >= faces.shape[0]:
                continue
            if f != loaded:
                loaded = f
                a, b, c = np.uintp(faces[f, 0]), np.uintp(faces[f, 1]), np.uintp(faces[f, 2])
                x0, y0, z0 = points[a, 0], points[a, 1], points[a, 2]
                x1, y1, z1 = points[b, 0], points[b, 1], points[b, 2]
                x2, y2, z2 = points[c, 0], points[c, 1], points[c, 2]
                load(np.uintp(f), faces, vertices, normals, reach, lamps, corners, relief, scale, corner, slopes)
            w0 = ((x1 - i) * (y2 - j) - (y1 - j) * (x2 - i)) * z0
            w1 = ((x2 - i) * (y0 - j) - (y2 - j) * (x0 - i)) * z1
            w2 = ((x0 - i) * (y1 - j) - (y0 - j) * (x1 - i)) * z2
            total = w0 + w1 + w2
            if total == 0.0:
                continue
            w0, w1, w2 = w0 / total, w1 / total, w2 / total
            for m in range(12):
                value[m] = w0 * corner[0, m] + w1 * corner[1, m] + w2 * corner[2, m]
            u, v = value[0], value[1]
            column = np.uintp(min(max(int(u + 0.5), 0), classes.shape[1] - 1))
            label = classes[np.uintp(min(max(int(v + 0.5), 0), classes.shape[0] - 1)), column]
            labels[j, i] = label
            nx, ny, nz = unit(value[2], value[3], value[4])
            s = min(max((u + 0.5) * scale - 0.5, 0.0), columns - 1.001)
            t = min(max((v + 0.5) * scale - 0.5, 0.0), rows - 1.001)
            s0, t0 = int(s), int(t)
            s, t = s - s0, t - t0
            # Unsigned: a compiled index that may be negative costs a test for each access.
            texels = np.uintp(s0), np.uintp(s0 + 1), np.uintp(t0), np.uintp(t0 + 1)
            if living and label < BARE:
                n = np.uintp(skins)
                skins += 1
                batch[n + SX], batch[n + SY], batch[n + SZ] = nx, ny, nz
                batch[n + STRENGTH] = bilinear(sheen, 0, texels, s, t) / 255.0
                batch[n + SHARP] = sheen[texels[2], texels[0], 1] / 255.0
            else:
                cloths -= 1
                n = np.uintp(cloths)
            if rough:
                p, p1, q, q1 = texels
                rise_u = (1 - t) * (relief[q, p1] - relief[q, p]) + t * (relief[q1, p1] - relief[q1, p])
                rise_v = (1 - s) * (relief[q1, p] - relief[q, p]) + s * (relief[q1, p1] - relief[q, p1])
                nx, ny, nz = unit(
                    nx - rise_u * slopes[0, 0] - rise_v * slopes[1, 0],
                    ny - rise_u * slopes[0, 1] - rise_v * slopes[1, 1],
                    nz - rise_u * slopes[0, 2] - rise_v * slopes[1, 2],
                )
            batch[n + NX], batch[n + NY], batch[n + NZ] = nx, ny, nz
            batch[n + ARRIVES] = value[5]
            for k in range(3):
                batch[n + LAMPS[k]] = value[6 + k]
                batch[n + TEXTURE[k]] = bilinear(texture, k, texels, s, t)
            place[count, 0], place[count, 1], place[count, 2] = j // samples, pixel[i], n
            count += 1
            if count == BATCH:
                finish(batch, place, count, skins, cloths, soft, light, gleam, gloss, colour)
                count, skins, cloths = 0, 0, BATCH
    finish(batch, place, count, skins, cloths, soft, light, gleam, gloss, colour)
