"""Rasterisation kernels in plain torch, for any device.

Every pixel of every triangle's bounding box is listed in one flat list (in chunks), tested, and reduced to the nearest
face by an integer minimum over (bits of the depth, face index). The operations and their order are those of the numba
kernels, so both select the same faces to the last pixel.

One number per call is read back from a GPU, the length of the list; all other sizes are known beforehand. To that end
the other kernels work on all pixels, including those without a face, and set the latter to zero at the end.
"""

import torch
from torch import Tensor

EPSILON = 1e-8
# A few dozen temporaries of 4 to 8 bytes per listed pixel: on a CPU they stay in the cache, on a GPU they fill it.
PIXELS_PER_CHUNK = {"cpu": 1 << 18}
PIXELS_PER_CHUNK_ELSEWHERE = 1 << 22
_EMPTY = torch.iinfo(torch.int64).max


def _edge(px: Tensor, py: Tensor, ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor) -> Tensor:
    """Return the doubled signed area of the triangle (p, a, b)."""
    return (px - ax) * (by - ay) - (py - ay) * (bx - ax)


def _boxes(corners: Tensor, columns: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return first column, width, first row, height of the bounding boxes of triangles; dropped ones get empty boxes.

    Args:
        corners: (3, 3, N): coordinate, corner, triangle.
        columns, rows: (W,) and (H,), ascending pixel centres.
    """
    x, y, z = corners
    doubled = _edge(x[0], y[0], x[1], y[1], x[2], y[2])
    kept = (z >= EPSILON).all(0) & corners.sum(1).isfinite().all(0) & (doubled.abs() > EPSILON)
    first_column = torch.searchsorted(columns, x.amin(0))
    first_row = torch.searchsorted(rows, y.amin(0))
    width = torch.searchsorted(columns, x.amax(0), right=True) - first_column
    height = torch.searchsorted(rows, y.amax(0), right=True) - first_row
    return first_column, width.clamp(min=0) * kept, first_row, height.clamp(min=0) * kept


def select_faces(vertices: Tensor, faces: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return the face index of each pixel, (B, H, W) int64, -1 for none.

    Args:
        vertices: (B, V, 3) float32, depth already shifted.
        faces: (F, 3) int64.
        columns, rows: (W,) and (H,) float32, ascending pixel centres.
    """
    batch, height, width = vertices.shape[0], rows.shape[0], columns.shape[0]
    device = vertices.device
    if faces.shape[0] == 0 or batch == 0:
        return torch.full((batch, height, width), -1, dtype=torch.int64, device=device)
    buffer = torch.full((batch * height * width,), _EMPTY, dtype=torch.int64, device=device)
    corners = vertices.permute(2, 0, 1)[:, :, faces.t()].transpose(1, 2).reshape(3, 3, -1)  # coordinate, corner, B F
    first_column, box_width, first_row, box_height = _boxes(corners, columns, rows)
    starts = torch.zeros(corners.shape[-1] + 1, dtype=torch.int64, device=device)
    torch.cumsum(box_width * box_height, 0, out=starts[1:])
    (x0, x1, x2), (y0, y1, y2), (z0, z1, z2) = corners
    area = _edge(x2, y2, x0, y0, x1, y1) + EPSILON
    number = torch.arange(batch * len(faces), device=device)
    image = number // len(faces)
    place = image * (height * width)  # of the image's first pixel in the buffer
    number = number - image * len(faces)
    total = int(starts[-1])  # the one number read back from a GPU
    chunk = PIXELS_PER_CHUNK.get(device.type, PIXELS_PER_CHUNK_ELSEWHERE)

    def take(values: Tensor, index: Tensor) -> Tensor:
        return values.index_select(0, index)

    for begin in range(0, total, chunk):
        size = min(chunk, total - begin)
        # The owner of a listed pixel is the last triangle that starts at or before it.
        marks = torch.zeros(size + 1, dtype=torch.int64, device=device)
        marks.index_add_(0, (starts[:-1] - begin).clamp(0, size), torch.ones_like(number))
        owner = marks[:size].cumsum(0) - 1
        offset = torch.arange(begin, begin + size, device=device) - take(starts, owner)
        across = take(box_width, owner)
        line = ((offset + 0.5) / across.double()).to(torch.int64)  # integer division is several times slower
        column = take(first_column, owner) + offset - line * across
        row = take(first_row, owner) + line
        px, py, whole = take(columns, column), take(rows, row), take(area, owner)
        ax, ay, bx, by, cx, cy = (take(part, owner) for part in (x0, y0, x1, y1, x2, y2))
        w0 = _edge(px, py, bx, by, cx, cy) / whole
        w1 = _edge(px, py, cx, cy, ax, ay) / whole
        w2 = _edge(px, py, ax, ay, bx, by) / whole
        inside = (w0 > 0) & (w1 > 0) & (w2 > 0)
        target = take(place, owner) + row * width + column
        if device.type == "cpu":  # a list of those inside saves time on a CPU, but makes a GPU wait
            indices = inside.nonzero().squeeze(1)
            owner, target, inside, w0, w1, w2 = (take(part, indices) for part in (owner, target, inside, w0, w1, w2))
        depth = w0 * take(z0, owner) + w1 * take(z1, owner) + w2 * take(z2, owner)
        # The bits of a float32 that is not negative grow with its value.
        key = (depth.view(torch.int32).to(torch.int64) << 32) | take(number, owner)
        buffer.scatter_reduce_(0, target, torch.where(inside & (depth >= 0), key, _EMPTY), "amin")
    face = torch.where(buffer == _EMPTY, -1, buffer & 0xFFFFFFFF)
    return face.reshape(batch, height, width)


def _any_face(face: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Return which pixels have a face (n,) bool, and a face index for every pixel (n,).

    Pixels without a face get different faces, so that atomic additions of their zeros do not queue at one address.
    """
    flat = face.reshape(-1)
    covered = flat >= 0
    others = torch.arange(count, device=face.device).repeat(-(-len(flat) // count))[: len(flat)]
    return covered, torch.where(covered, flat, others)


def _per_pixel(table: Tensor, face: Tensor, ids: Tensor) -> Tensor:
    """Return the rows (n, K) of a table (B, F, K) for the face of every pixel; face (B, H, W), ids (n,)."""
    image = torch.arange(len(face), device=face.device).repeat_interleave(face[0].numel(), output_size=face.numel())
    return table.flatten(0, 1).index_select(0, image * table.shape[1] + ids)


def _centres(face: Tensor, columns: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    px = columns.expand(face.shape).reshape(-1)
    return px, rows[:, None].expand(face.shape).reshape(-1)


def _corner_coordinates(
    vertices: Tensor, faces: Tensor, face: Tensor, ids: Tensor
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Return x and y (n,) of the three corners of every pixel's face."""
    table = vertices[..., :2][:, faces].flatten(2)
    x0, y0, x1, y1, x2, y2 = _per_pixel(table, face, ids).t().contiguous()
    return (x0, x1, x2), (y0, y1, y2)


def barycentrics(vertices: Tensor, faces: Tensor, face: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """See :func:`tvface.rendering.rasterizer_numba.barycentrics`."""
    if faces.shape[0] == 0 or face.numel() == 0:
        return vertices.new_zeros(*face.shape, 3)
    covered, ids = _any_face(face, len(faces))
    (x0, x1, x2), (y0, y1, y2) = _corner_coordinates(vertices, faces, face, ids)
    px, py = _centres(face, columns, rows)
    area = _edge(x2, y2, x0, y0, x1, y1) + EPSILON
    edges = (_edge(px, py, x1, y1, x2, y2), _edge(px, py, x2, y2, x0, y0), _edge(px, py, x0, y0, x1, y1))
    return torch.stack([torch.where(covered, edge / area, 0) for edge in edges], 1).view(*face.shape, 3)


def barycentrics_backward(
    gradient: Tensor, bary: Tensor, vertices: Tensor, faces: Tensor, face: Tensor, columns: Tensor, rows: Tensor
) -> Tensor:
    """See :func:`tvface.rendering.rasterizer_numba.barycentrics_backward`."""
    result = torch.zeros_like(vertices)
    if faces.shape[0] == 0 or face.numel() == 0:
        return result
    covered, ids = _any_face(face, len(faces))
    (x0, x1, x2), (y0, y1, y2) = _corner_coordinates(vertices, faces, face, ids)
    px, py = _centres(face, columns, rows)
    area = _edge(x2, y2, x0, y0, x1, y1) + EPSILON
    h0, h1, h2 = (part / area for part in gradient.reshape(-1, 3).unbind(1))
    b0, b1, b2 = bary.reshape(-1, 3).unbind(1)
    # w_k = e_k / area with e_k the edge functions: h_k is the gradient to e_k, ha the one to the area.
    ha = -(h0 * b0 + h1 * b1 + h2 * b2)
    to_corners = (
        (h1 * (y2 - py) + h2 * (py - y1) + ha * (y2 - y1), h1 * (px - x2) + h2 * (x1 - px) + ha * (x1 - x2)),
        (h0 * (py - y2) + h2 * (y0 - py) + ha * (y0 - y2), h0 * (x2 - px) + h2 * (px - x0) + ha * (x2 - x0)),
        (h0 * (y1 - py) + h1 * (py - y0) + ha * (y1 - y0), h0 * (px - x1) + h1 * (x0 - px) + ha * (x0 - x1)),
    )
    share = torch.stack([torch.where(covered, part, 0) for corner in to_corners for part in corner], 1)
    # First per face, then per corner: pixels of a face lie together, and there are fewer faces than pixels.
    per_face = vertices.new_zeros(len(face) * len(faces), 6)
    per_face.index_add_(0, _image_offsets(face, len(faces)) + ids, share)
    target = _corner_rows(faces, len(face), vertices.shape[1]).reshape(-1)
    result.view(-1, 3)[:, :2].index_add_(0, target, per_face.view(-1, 2))
    return result


def _image_offsets(face: Tensor, count: int) -> Tensor:
    """Return ``count`` times the image index of every pixel, (n,)."""
    first = torch.arange(len(face), device=face.device) * count
    return first.repeat_interleave(face[0].numel(), output_size=face.numel())


def _corner_rows(corners: Tensor, batch: int, count: int) -> Tensor:
    """Return the row of each corner in a flat table of ``count`` rows per image, (batch * F, 3)."""
    first = torch.arange(batch, device=corners.device) * count
    return (first[:, None, None] + corners).flatten(0, 1)


def _for_batch(face: Tensor, bary: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    return face.expand(batch, -1, -1), bary.expand(batch, -1, -1, -1)


def interpolate(face: Tensor, bary: Tensor, corners: Tensor, attributes: Tensor) -> Tensor:
    """See :func:`tvface.rendering.rasterizer_numba.interpolate`."""
    batch, _, channels = attributes.shape
    face, bary = _for_batch(face, bary, batch)
    if corners.shape[0] == 0 or face.numel() == 0 or channels == 0:
        return attributes.new_zeros(batch, channels, *face.shape[1:])
    covered, ids = _any_face(face, len(corners))
    rows = corners[ids] + _image_offsets(face, attributes.shape[1])[:, None]
    flat, weights = attributes.reshape(-1, channels), bary.reshape(-1, 3)
    first, second, third = (flat.index_select(0, rows[:, k]) * weights[:, k : k + 1] for k in range(3))
    mixed = torch.where(covered[:, None], first + second + third, 0)
    return mixed.view(*face.shape, channels).permute(0, 3, 1, 2).contiguous()


def interpolate_backward(
    gradient: Tensor,
    face: Tensor,
    bary: Tensor,
    corners: Tensor,
    attributes: Tensor,
    needs_bary: bool,
    needs_attributes: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """See :func:`tvface.rendering.rasterizer_numba.interpolate_backward`."""
    batch, count, channels = attributes.shape
    face, bary = _for_batch(face, bary, batch)
    to_bary = torch.zeros_like(bary, memory_format=torch.contiguous_format) if needs_bary else None
    to_attributes = torch.zeros_like(attributes) if needs_attributes else None
    if corners.shape[0] == 0 or face.numel() == 0 or channels == 0:
        return to_bary, to_attributes
    covered, ids = _any_face(face, len(corners))
    rows = corners[ids] + _image_offsets(face, count)[:, None]
    grad = torch.where(covered[:, None], gradient.permute(0, 2, 3, 1).reshape(-1, channels), 0)
    if needs_bary:
        flat = attributes.reshape(-1, channels)
        products = [torch.where(covered, (flat.index_select(0, rows[:, k]) * grad).sum(1), 0) for k in range(3)]
        to_bary = torch.stack(products, 1).view(*face.shape, 3)
    if to_attributes is not None:
        weights = bary.reshape(-1, 3)
        for k in range(3):
            to_attributes.view(-1, channels).index_add_(0, rows[:, k], grad * weights[:, k : k + 1])
    return to_bary, to_attributes
