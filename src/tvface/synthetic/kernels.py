"""Compiled inner loops of the scene renderer: z-buffer and shading, perspective-correct, into supersampled pictures.

The training renderer's rasteriser works in normalised coordinates with orthographic weights; footage needs
perspective, one z-buffer for many meshes and textures, and no gradients, so these loops are separate.
"""

from __future__ import annotations

from typing import NamedTuple

import numba
import numpy as np

from tvface.synthetic.filling import NO_ALPHA, NO_CORNERS, fill

__all__ = [
    "NO_ALPHA",
    "NO_CORNERS",
    "Look",
    "Projected",
    "composite",
    "fill",
    "majority",
    "shade",
    "vertex_normals",
    "weights",
]


class Projected(NamedTuple):
    """A mesh before the camera.

    points (V, 3) float32, faces (F, 3) int32, first: as in :func:`fill`. vertices (V, 3) float32 metres and normals
    (V, 3) float32, camera axes. reach (V,) float32: share of the light that arrives. lamps (V, 3) float32: added light
    of small lamps.
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
    strength of a soft highlight seen from the camera.
    """

    corners: np.ndarray
    classes: np.ndarray
    texture: np.ndarray
    texture_scale: float
    relief: np.ndarray
    gloss: float


@numba.njit(inline="always")
def raw_weights(points, a, b, c, i, j):  # type: ignore[no-untyped-def]
    """Return the perspective-correct weights of corners a, b, c at the centre of pixel (i, j), and their sum."""
    x0, y0, x1, y1, x2, y2 = points[a, 0], points[a, 1], points[b, 0], points[b, 1], points[c, 0], points[c, 1]
    w0 = ((x1 - i) * (y2 - j) - (y1 - j) * (x2 - i)) * points[a, 2]
    w1 = ((x2 - i) * (y0 - j) - (y2 - j) * (x0 - i)) * points[b, 2]
    w2 = ((x0 - i) * (y1 - j) - (y0 - j) * (x1 - i)) * points[c, 2]
    return w0, w1, w2, w0 + w1 + w2


@numba.njit(inline="always")
def corner_weights(points, triangle, i, j):  # type: ignore[no-untyped-def]
    """Return the perspective-correct weights of a triangle's corners at the centre of pixel (i, j)."""
    w0, w1, w2, total = raw_weights(points, triangle[0], triangle[1], triangle[2], i, j)
    return w0 / total, w1 / total, w2 / total


@numba.njit(cache=True, nogil=True)
def weights(points: np.ndarray, faces: np.ndarray, face: np.ndarray, bary: np.ndarray) -> None:
    """Write perspective-correct corner weights (H, W, 3) of the triangles in ``face``; empty pixels are left alone."""
    for j in range(face.shape[0]):
        for i in range(face.shape[1]):
            f = face[j, i]
            if f < 0:
                continue
            bary[j, i, 0], bary[j, i, 1], bary[j, i, 2] = corner_weights(points, faces[f], i, j)


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


@numba.njit(cache=True, nogil=True, fastmath=True)
def shade(
    mesh: Projected,
    look: Look,
    light: np.ndarray,
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
        face: (H s, W s) int32, as in :func:`fill`.
        window: (4,) int, columns and rows [x0, x1), [y0, y1) of samples that may show the mesh.
        samples: samples per pixel side.
        colour: (H, W, 4) float32, sums of RGB and of covered samples, added to; labels: (H s, W s) uint8, written.
    """
    points, faces, normals, corners, texture = mesh.points, mesh.faces, mesh.normals, look.corners, look.texture
    rows, columns = texture.shape[0], texture.shape[1]
    last = mesh.first + faces.shape[0]
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
            labels[j, i] = look.classes[row, column]
            nx = w0 * normals[a, 0] + w1 * normals[b, 0] + w2 * normals[c, 0]
            ny = w0 * normals[a, 1] + w1 * normals[b, 1] + w2 * normals[c, 1]
            nz = w0 * normals[a, 2] + w1 * normals[b, 2] + w2 * normals[c, 2]
            nx, ny, nz = unit(nx, ny, nz)
            s = min(max((u + 0.5) * look.texture_scale - 0.5, 0.0), columns - 1.001)
            t = min(max((v + 0.5) * look.texture_scale - 0.5, 0.0), rows - 1.001)
            p, q = int(s), int(t)
            s, t = s - p, t - q
            if look.relief.shape[0] > 1:
                nx, ny, nz = tilted(
                    (nx, ny, nz), mesh.vertices, a, b, c, corners[f], look.relief, look.texture_scale, p, q, s, t
                )
            arrives = w0 * mesh.reach[a] + w1 * mesh.reach[b] + w2 * mesh.reach[c]
            specular = look.gloss * max(nz * 0.92 + ny * 0.36, 0.0) ** 24
            y, x = j // samples, i // samples
            for k in range(3):
                value = (1 - t) * ((1 - s) * texture[q, p, k] + s * texture[q, p + 1, k]) + t * (
                    (1 - s) * texture[q + 1, p, k] + s * texture[q + 1, p + 1, k]
                )
                lamp = w0 * mesh.lamps[a, k] + w1 * mesh.lamps[b, k] + w2 * mesh.lamps[c, k]
                shading = irradiance(light, k, nx, ny, nz) * arrives + lamp
                colour[y, x, k] += max(shading, 0.02) * (value + 255.0 * specular)
            colour[y, x, 3] += 1.0


@numba.njit(cache=True, nogil=True)
def majority(fine: np.ndarray, samples: int, labels: np.ndarray) -> None:
    """Reduce labels (H s, W s) to the most frequent class of each pixel (H, W); on a tie the first one wins."""
    count = np.zeros(256, np.int32)
    for y in range(labels.shape[0]):
        for x in range(labels.shape[1]):
            best, winner = 0, fine[y * samples, x * samples]
            for j in range(samples):
                for i in range(samples):
                    value = fine[y * samples + j, x * samples + i]
                    count[value] += 1
                    if count[value] > best:
                        best, winner = count[value], value
            for j in range(samples):
                for i in range(samples):
                    count[fine[y * samples + j, x * samples + i]] = 0
            labels[y, x] = winner


@numba.njit(cache=True, nogil=True)
def composite(total: np.ndarray, background: np.ndarray, samples: int, image: np.ndarray) -> None:
    """Average samples over a background.

    Args:
        total: (H, W, 4) float32, sums of RGB and of covered samples, as :func:`shade` makes them.
        background: (H, W, 3) uint8 RGB; samples: samples per pixel side; image: (H, W, 3) uint8, written.
    """
    count = np.float32(samples * samples)
    for y in range(image.shape[0]):
        for x in range(image.shape[1]):
            uncovered = np.float32(1.0) - total[y, x, 3] / count
            for k in range(3):
                value = total[y, x, k] / count + uncovered * np.float32(background[y, x, k]) + np.float32(0.5)
                image[y, x, k] = np.uint8(min(max(value, np.float32(0.0)), np.float32(255.0)))


@numba.njit(cache=True, nogil=True)
def vertex_normals(vertices: np.ndarray, faces: np.ndarray, normals: np.ndarray) -> None:
    """Write unit normals, the faces' weighted by their areas: (V, 3) float32, zero before.

    Args:
        vertices: (V, 3) float32; faces: (F, 3) int32, counter-clockwise seen from outside.
    """
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        px, py, pz = vertices[b, 0] - vertices[a, 0], vertices[b, 1] - vertices[a, 1], vertices[b, 2] - vertices[a, 2]
        qx, qy, qz = vertices[c, 0] - vertices[a, 0], vertices[c, 1] - vertices[a, 1], vertices[c, 2] - vertices[a, 2]
        x, y, z = py * qz - pz * qy, pz * qx - px * qz, px * qy - py * qx
        for corner in (a, b, c):
            normals[corner, 0] += x
            normals[corner, 1] += y
            normals[corner, 2] += z
    for v in range(normals.shape[0]):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        length = np.sqrt(x * x + y * y + z * z) + np.float32(1e-12)
        normals[v, 0], normals[v, 1], normals[v, 2] = x / length, y / length, z / length
