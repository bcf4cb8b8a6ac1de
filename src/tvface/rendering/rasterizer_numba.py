"""Rasterisation kernels for the CPU, compiled with numba.

The images of a batch are spread over plain Python threads (the kernels release the GIL) instead of numba's own
threading layer: its OpenMP runtime changes ``torch.get_num_threads()`` for the rest of the process.

No fast-math and no fused multiply-add: both change the last bits, and with them which face wins on an edge.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import torch
from torch import Tensor

# mypy: disallow-untyped-defs=False, check-untyped-defs=True
# The compiled functions have no annotations: numba takes their types from the arguments.


def over_images(count: int, function: Callable[[int], None]) -> None:
    """Call a function that releases the GIL for every image, on as many threads as torch may use."""
    threads = min(count, torch.get_num_threads())
    if threads <= 1:
        for index in range(count):
            function(index)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(function, range(count)))


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _pixel_range(low, high, centres):
    """First and one-past-last index of the (ascending) centres within [low, high]."""
    size = centres.shape[0]
    step = (centres[size - 1] - centres[0]) / max(size - 1, 1)
    if step <= 0.0:
        step = np.float32(1.0)
    # Clamped as float: a far-away vertex must not overflow the conversion to int.
    first = int(min(max((low - centres[0]) / step, -1.0), float(size))) - 1
    first = max(first, 0)
    while first < size and centres[first] < low:
        first += 1
    last = first
    last = max(last, min(int(min(max((high - centres[0]) / step, -1.0), float(size))) - 1, size))
    while last < size and centres[last] <= high:
        last += 1
    return first, last


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _select_faces(vertices, faces, columns, rows, depth, face):
    """Fill ``face`` (H, W) for one image; ``depth`` (H, W) float32 holds +inf before and the winning depth after."""
    epsilon = np.float32(1e-8)
    zero = np.float32(0.0)
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, y0, z0 = vertices[a, 0], vertices[a, 1], vertices[a, 2]
        x1, y1, z1 = vertices[b, 0], vertices[b, 1], vertices[b, 2]
        x2, y2, z2 = vertices[c, 0], vertices[c, 1], vertices[c, 2]
        # Written so that NaN fails it; the sums catch infinities.
        if not (z0 >= epsilon and z1 >= epsilon and z2 >= epsilon):
            continue
        if not (np.isfinite(x0 + x1 + x2) and np.isfinite(y0 + y1 + y2) and np.isfinite(z0 + z1 + z2)):
            continue
        doubled = (x0 - x1) * (y2 - y1) - (y0 - y1) * (x2 - x1)
        if -epsilon <= doubled <= epsilon:
            continue
        i0, i1 = _pixel_range(min(x0, x1, x2), max(x0, x1, x2), columns)
        if i0 >= i1:
            continue
        j0, j1 = _pixel_range(min(y0, y1, y2), max(y0, y1, y2), rows)
        area = (x2 - x0) * (y1 - y0) - (y2 - y0) * (x1 - x0) + epsilon
        for j in range(j0, j1):
            y = rows[j]
            r0 = (y - y1) * (x2 - x1)
            r1 = (y - y2) * (x0 - x2)
            r2 = (y - y0) * (x1 - x0)
            for i in range(i0, i1):
                x = columns[i]
                e0 = (x - x1) * (y2 - y1) - r0
                e1 = (x - x2) * (y0 - y2) - r1
                e2 = (x - x0) * (y1 - y0) - r2
                # The sign test spares the divisions outside; the quotients are tested again because they may underflow.
                if area > zero:
                    if not (e0 > zero and e1 > zero and e2 > zero):
                        continue
                elif not (e0 < zero and e1 < zero and e2 < zero):
                    continue
                w0, w1, w2 = e0 / area, e1 / area, e2 / area
                if not (w0 > zero and w1 > zero and w2 > zero):
                    continue
                z = w0 * z0 + w1 * z1 + w2 * z2
                # Faces come in ascending order, so a tie keeps the lower index.
                if z >= zero and z < depth[j, i]:
                    depth[j, i] = z
                    face[j, i] = f


def select_faces(vertices: Tensor, faces: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return the face index of each pixel, (B, H, W) int64, -1 for none.

    Args:
        vertices: (B, V, 3) float32, depth already shifted.
        faces: (F, 3) int64.
        columns, rows: (W,) and (H,) float32, ascending pixel centres.
    """
    shape = (vertices.shape[0], rows.shape[0], columns.shape[0])
    face = np.full(shape, -1, np.int64)
    depth = np.full(shape, np.inf, np.float32)
    points, triangles, xs, ys = vertices.numpy(), faces.numpy(), columns.numpy(), rows.numpy()
    over_images(shape[0], lambda b: _select_faces(points[b], triangles, xs, ys, depth[b], face[b]))
    return torch.from_numpy(face)


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _barycentrics(vertices, faces, face, columns, rows, epsilon, bary):
    for j in range(face.shape[0]):
        y = rows[j]
        for i in range(face.shape[1]):
            f = face[j, i]
            if f < 0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            x0, y0 = vertices[a, 0], vertices[a, 1]
            x1, y1 = vertices[b, 0], vertices[b, 1]
            x2, y2 = vertices[c, 0], vertices[c, 1]
            x = columns[i]
            area = (x2 - x0) * (y1 - y0) - (y2 - y0) * (x1 - x0) + epsilon
            bary[j, i, 0] = ((x - x1) * (y2 - y1) - (y - y1) * (x2 - x1)) / area
            bary[j, i, 1] = ((x - x2) * (y0 - y2) - (y - y2) * (x0 - x2)) / area
            bary[j, i, 2] = ((x - x0) * (y1 - y0) - (y - y0) * (x1 - x0)) / area


def barycentrics(vertices: Tensor, faces: Tensor, face: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return the weights of the corners of each pixel's face at the pixel's centre.

    Args:
        vertices: (B, V, 3) float32 or float64.
        faces: (F, 3) int64.
        face: (B, H, W) int64 from :func:`select_faces`.
        columns, rows: (W,) and (H,), pixel centres.

    Returns:
        (B, H, W, 3), 0 where there is no face.
    """
    bary = torch.zeros(*face.shape, 3, dtype=vertices.dtype)
    out, points, triangles, ids = bary.numpy(), vertices.detach().numpy(), faces.numpy(), face.numpy()
    xs, ys, epsilon = columns.numpy(), rows.numpy(), points.dtype.type(1e-8)
    over_images(len(ids), lambda b: _barycentrics(points[b], triangles, ids[b], xs, ys, epsilon, out[b]))
    return bary


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _barycentrics_backward(gradient, bary, vertices, faces, face, columns, rows, epsilon, out):
    for j in range(face.shape[0]):
        y = rows[j]
        for i in range(face.shape[1]):
            f = face[j, i]
            if f < 0:
                continue
            g0, g1, g2 = gradient[j, i, 0], gradient[j, i, 1], gradient[j, i, 2]
            if g0 == 0.0 and g1 == 0.0 and g2 == 0.0:
                continue
            a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
            x0, y0 = vertices[a, 0], vertices[a, 1]
            x1, y1 = vertices[b, 0], vertices[b, 1]
            x2, y2 = vertices[c, 0], vertices[c, 1]
            x = columns[i]
            area = (x2 - x0) * (y1 - y0) - (y2 - y0) * (x1 - x0) + epsilon
            # w_k = e_k / area with e_k the edge functions: h_k is the gradient to e_k, ha the one to the area.
            h0, h1, h2 = g0 / area, g1 / area, g2 / area
            ha = -(h0 * bary[j, i, 0] + h1 * bary[j, i, 1] + h2 * bary[j, i, 2])
            out[a, 0] += h1 * (y2 - y) + h2 * (y - y1) + ha * (y2 - y1)
            out[a, 1] += h1 * (x - x2) + h2 * (x1 - x) + ha * (x1 - x2)
            out[b, 0] += h0 * (y - y2) + h2 * (y0 - y) + ha * (y0 - y2)
            out[b, 1] += h0 * (x2 - x) + h2 * (x - x0) + ha * (x2 - x0)
            out[c, 0] += h0 * (y1 - y) + h1 * (y - y0) + ha * (y1 - y0)
            out[c, 1] += h0 * (x - x1) + h1 * (x0 - x) + ha * (x0 - x1)


def barycentrics_backward(
    gradient: Tensor, bary: Tensor, vertices: Tensor, faces: Tensor, face: Tensor, columns: Tensor, rows: Tensor
) -> Tensor:
    """Return the gradient (B, V, 3) to the vertices (0 in z) for a gradient (B, H, W, 3) to the weights.

    The other arguments are those and the result of :func:`barycentrics`.
    """
    result = torch.zeros_like(vertices)
    out, points, triangles, ids = result.numpy(), vertices.detach().numpy(), faces.numpy(), face.numpy()
    xs, ys, epsilon = columns.numpy(), rows.numpy(), points.dtype.type(1e-8)
    grad, weights = gradient.detach().numpy(), bary.detach().numpy()
    over_images(
        len(ids),
        lambda b: _barycentrics_backward(grad[b], weights[b], points[b], triangles, ids[b], xs, ys, epsilon, out[b]),
    )
    return result


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _interpolate(face, bary, corners, attributes, out):
    for j in range(face.shape[0]):
        for i in range(face.shape[1]):
            f = face[j, i]
            if f < 0:
                continue
            a, b, c = corners[f, 0], corners[f, 1], corners[f, 2]
            w0, w1, w2 = bary[j, i, 0], bary[j, i, 1], bary[j, i, 2]
            for k in range(attributes.shape[1]):
                out[k, j, i] = w0 * attributes[a, k] + w1 * attributes[b, k] + w2 * attributes[c, k]


def interpolate(face: Tensor, bary: Tensor, corners: Tensor, attributes: Tensor) -> Tensor:
    """Return attributes interpolated per pixel, (B, C, H, W), 0 where there is no face.

    Args:
        face, bary: (B or 1, H, W) and (B or 1, H, W, 3).
        corners: (F, 3) int64, rows of ``attributes``.
        attributes: (B, N, C).
    """
    result = attributes.new_zeros(attributes.shape[0], attributes.shape[2], *face.shape[1:])
    out, ids, weights = result.numpy(), face.numpy(), bary.detach().numpy()
    indices, values = corners.numpy(), attributes.detach().numpy()
    over_images(
        len(values), lambda b: _interpolate(ids[b % len(ids)], weights[b % len(weights)], indices, values[b], out[b])
    )
    return result


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _interpolate_backward(gradient, face, bary, corners, attributes, to_bary, to_attributes):
    """Add to the two outputs; an output with a leading size of 0 is skipped."""
    for j in range(face.shape[0]):
        for i in range(face.shape[1]):
            f = face[j, i]
            if f < 0:
                continue
            a, b, c = corners[f, 0], corners[f, 1], corners[f, 2]
            if to_bary.shape[0] > 0:
                for k in range(attributes.shape[1]):
                    g = gradient[k, j, i]
                    to_bary[j, i, 0] += g * attributes[a, k]
                    to_bary[j, i, 1] += g * attributes[b, k]
                    to_bary[j, i, 2] += g * attributes[c, k]
            if to_attributes.shape[0] > 0:
                w0, w1, w2 = bary[j, i, 0], bary[j, i, 1], bary[j, i, 2]
                for k in range(attributes.shape[1]):
                    g = gradient[k, j, i]
                    to_attributes[a, k] += w0 * g
                    to_attributes[b, k] += w1 * g
                    to_attributes[c, k] += w2 * g


def interpolate_backward(
    gradient: Tensor,
    face: Tensor,
    bary: Tensor,
    corners: Tensor,
    attributes: Tensor,
    needs_bary: bool,
    needs_attributes: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """Return the gradients to bary (B, H, W, 3) and to attributes (B, N, C), each None if not needed.

    ``gradient`` is (B, C, H, W); the other arguments are those of :func:`interpolate`.
    """
    to_bary = torch.zeros_like(bary, memory_format=torch.contiguous_format) if needs_bary else None
    to_attributes = torch.zeros_like(attributes) if needs_attributes else None
    nothing_bary = np.zeros((0, 0, 3), bary.detach().numpy().dtype)
    nothing_attributes = np.zeros((0, 0), nothing_bary.dtype)
    grad, ids, weights = gradient.detach().numpy(), face.numpy(), bary.detach().numpy()
    indices, values = corners.numpy(), attributes.detach().numpy()

    def one(b: int) -> None:
        _interpolate_backward(
            grad[b],
            ids[b % len(ids)],
            weights[b % len(weights)],
            indices,
            values[b],
            nothing_bary if to_bary is None else to_bary[b].numpy(),
            nothing_attributes if to_attributes is None else to_attributes[b].numpy(),
        )

    over_images(len(values), one)
    return to_bary, to_attributes


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _draw(vertices, faces, perspective, face, bary, depth):
    """Fill the pictures of ``rasterize_numpy``; for speed the weights are stepped from pixel to pixel."""
    height, width = face.shape
    for f in range(faces.shape[0]):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        x0, y0, z0 = float(vertices[a, 0]), float(vertices[a, 1]), float(vertices[a, 2])
        x1, y1, z1 = float(vertices[b, 0]), float(vertices[b, 1]), float(vertices[b, 2])
        x2, y2, z2 = float(vertices[c, 0]), float(vertices[c, 1]), float(vertices[c, 2])
        area = (x2 - x0) * (y1 - y0) - (y2 - y0) * (x1 - x0)
        # Also drops coordinates that are not finite: the sum is then NaN or infinite.
        if area == 0.0 or not np.isfinite(area + z0 + z1 + z2):
            continue
        if perspective:
            if z0 <= 0.0 or z1 <= 0.0 or z2 <= 0.0:
                continue
            z0, z1, z2 = 1.0 / z0, 1.0 / z1, 1.0 / z2
        left = int(max(np.ceil(min(x0, x1, x2)), 0.0))
        right = int(min(np.floor(max(x0, x1, x2)), width - 1.0))
        top = int(max(np.ceil(min(y0, y1, y2)), 0.0))
        bottom = int(min(np.floor(max(y0, y1, y2)), height - 1.0))
        d0, d1, d2 = (y2 - y1) / area, (y0 - y2) / area, (y1 - y0) / area
        for j in range(top, bottom + 1):
            w0 = ((left - x1) * (y2 - y1) - (j - y1) * (x2 - x1)) / area
            w1 = ((left - x2) * (y0 - y2) - (j - y2) * (x0 - x2)) / area
            w2 = ((left - x0) * (y1 - y0) - (j - y0) * (x1 - x0)) / area
            for i in range(left, right + 1):
                # Inclusive, with room for rounding: footage must not have pinholes on edges.
                if w0 >= -1e-9 and w1 >= -1e-9 and w2 >= -1e-9:
                    z = w0 * z0 + w1 * z1 + w2 * z2
                    inverse = 1.0
                    if perspective:
                        inverse = 1.0 / z
                        z = inverse
                    if z < depth[j, i]:
                        depth[j, i] = z
                        face[j, i] = f
                        if perspective:
                            bary[j, i, 0] = w0 * z0 * inverse
                            bary[j, i, 1] = w1 * z1 * inverse
                            bary[j, i, 2] = w2 * z2 * inverse
                        else:
                            bary[j, i, 0] = w0
                            bary[j, i, 1] = w1
                            bary[j, i, 2] = w2
                w0 += d0
                w1 += d1
                w2 += d2


def rasterize_numpy(
    vertices: np.ndarray, faces: np.ndarray, height: int, width: int, *, perspective: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rasterise one mesh without gradients, fast enough for footage.

    A pixel centre on an edge belongs to the nearer face, so closed surfaces have no pinholes. Faces with coordinates
    that are not finite are dropped. For supersampling by s, rasterise a larger picture with the vertices at
    s * (p + 0.5) - 0.5. Shading: ``(bary[..., None] * attributes[faces[face]]).sum(-2)``.

    Convention: pixels, x right, y down, centres at integers; z the depth, smaller nearer.

    Args:
        vertices: (V, 3) float32.
        faces: (F, 3) integer; both windings are drawn.
        height, width: of the picture in pixels.
        perspective: z is the distance along the optical axis of a pinhole camera, and weights and depth are perspective
            correct (1/z is linear in the picture). Faces with a vertex at z <= 0 are dropped whole, not clipped.

    Returns:
        face (H, W) int32, -1 where there is none; bary (H, W, 3) float32, weights of the face's corners, else 0; depth
        (H, W) float32, else +inf.

    Raises:
        ValueError: wrong shapes or indices.
    """
    vertices, faces = np.ascontiguousarray(vertices, np.float32), np.ascontiguousarray(faces, np.int64)
    if vertices.ndim != 2 or vertices.shape[1] != 3 or faces.ndim != 2 or faces.shape[1] != 3:
        raise ValueError(f"vertices must be (V, 3) and faces (F, 3), got {vertices.shape} and {faces.shape}")
    if height < 1 or width < 1:
        raise ValueError(f"height and width must be at least 1 pixel, got {height} x {width}")
    if faces.size and (faces.min() < 0 or faces.max() >= len(vertices)):
        raise ValueError(f"faces point to vertices {faces.min()}..{faces.max()}, there are {len(vertices)} vertices")
    face = np.full((height, width), -1, np.int32)
    bary = np.zeros((height, width, 3), np.float32)
    depth = np.full((height, width), np.inf, np.float32)
    _draw(vertices, faces, perspective, face, bary, depth)
    return face, bary, depth
