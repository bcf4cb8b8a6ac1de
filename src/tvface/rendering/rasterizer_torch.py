"""Rasterisation kernels in plain torch, for any device.

Every pixel of every triangle's bounding box is listed in one flat list (in chunks), tested, and reduced to the nearest
face by an integer minimum over (bits of the depth, face index). The operations and their order are those of the numba
kernels, so both choose the same faces to the last pixel.
"""

import torch
from torch import Tensor

EPSILON = 1e-8
# About 30 bytes of temporaries per listed pixel and operation; 2 million keep the peak near 300 MB.
PIXELS_PER_CHUNK = 1 << 21
_EMPTY = torch.iinfo(torch.int64).max


def _edge(px: Tensor, py: Tensor, ax: Tensor, ay: Tensor, bx: Tensor, by: Tensor) -> Tensor:
    """Doubled signed area of the triangle (p, a, b)."""
    return (px - ax) * (by - ay) - (py - ay) * (bx - ax)


def _boxes(triangles: Tensor, columns: Tensor, rows: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """First column, width, first row, height of the boxes of triangles (N, 3, 3); dropped triangles get empty ones."""
    x, y, z = triangles.unbind(-1)
    doubled = _edge(x[:, 0], y[:, 0], x[:, 1], y[:, 1], x[:, 2], y[:, 2])
    kept = (z >= EPSILON).all(1) & triangles.sum(1).isfinite().all(1) & (doubled.abs() > EPSILON)
    first_column = torch.searchsorted(columns, x.amin(1).contiguous())
    first_row = torch.searchsorted(rows, y.amin(1).contiguous())
    width = torch.searchsorted(columns, x.amax(1).contiguous(), right=True) - first_column
    height = torch.searchsorted(rows, y.amax(1).contiguous(), right=True) - first_row
    return first_column, width.clamp(min=0) * kept, first_row, height.clamp(min=0) * kept


def select_faces(vertices: Tensor, faces: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Face index per pixel, (B, H, W) int64, -1 for none.

    vertices: (B, V, 3) float32, depth already shifted. faces: (F, 3) int64. columns (W,), rows (H,): ascending float32
    centres.
    """
    batch, height, width = vertices.shape[0], rows.shape[0], columns.shape[0]
    buffer = torch.full((batch * height * width,), _EMPTY, dtype=torch.int64, device=vertices.device)
    triangles = vertices[:, faces].flatten(0, 1)
    if triangles.shape[0] == 0:
        return torch.full((batch, height, width), -1, dtype=torch.int64, device=vertices.device)
    first_column, box_width, first_row, box_height = _boxes(triangles, columns, rows)
    counts = box_width * box_height
    ends = counts.cumsum(0)
    chunk_of = (ends - counts) // PIXELS_PER_CHUNK
    # Triangles are cut into runs of consecutive indices; every run lists about PIXELS_PER_CHUNK pixels.
    sizes = torch.unique_consecutive(chunk_of, return_counts=True)[1].tolist()
    start = 0
    for size in sizes:
        run = torch.arange(start, start + size, device=vertices.device)
        start += size
        pixels = counts[run]
        owner = torch.repeat_interleave(run, pixels)
        offset = torch.arange(owner.shape[0], device=vertices.device) - torch.repeat_interleave(
            pixels.cumsum(0) - pixels, pixels
        )
        line = offset // box_width[owner]
        column = first_column[owner] + offset - line * box_width[owner]
        row = first_row[owner] + line
        x, y, z = triangles[owner].unbind(-1)
        (x0, x1, x2), (y0, y1, y2), (z0, z1, z2) = x.unbind(1), y.unbind(1), z.unbind(1)
        px, py = columns[column], rows[row]
        area = _edge(x2, y2, x0, y0, x1, y1) + EPSILON
        w0 = _edge(px, py, x1, y1, x2, y2) / area
        w1 = _edge(px, py, x2, y2, x0, y0) / area
        w2 = _edge(px, py, x0, y0, x1, y1) / area
        depth = w0 * z0 + w1 * z1 + w2 * z2
        inside = (w0 > 0) & (w1 > 0) & (w2 > 0) & (depth >= 0)
        owner, depth = owner[inside], depth[inside]
        image = owner // faces.shape[0]
        # The bits of a float32 that is not negative grow with its value.
        key = (depth.contiguous().view(torch.int32).to(torch.int64) << 32) | (owner - image * faces.shape[0])
        target = (image * height + row[inside]) * width + column[inside]
        buffer.scatter_reduce_(0, target, key, "amin")
    face = torch.where(buffer == _EMPTY, -1, buffer & 0xFFFFFFFF)
    return face.reshape(batch, height, width)


def _covered(face: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Image, row, column and face index of the covered pixels, each (P,)."""
    image, row, column = (face >= 0).nonzero(as_tuple=True)
    return image, row, column, face[image, row, column]


def barycentrics(vertices: Tensor, faces: Tensor, face: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Weights (B, H, W, 3) of the corners of the given faces at the pixel centres, 0 where there is no face."""
    image, row, column, ids = _covered(face)
    corner = vertices[image[:, None], faces[ids]]
    (x0, x1, x2), (y0, y1, y2) = corner[..., 0].unbind(1), corner[..., 1].unbind(1)
    px, py = columns[column], rows[row]
    area = _edge(x2, y2, x0, y0, x1, y1) + EPSILON
    weights = (
        torch.stack(
            (
                _edge(px, py, x1, y1, x2, y2),
                _edge(px, py, x2, y2, x0, y0),
                _edge(px, py, x0, y0, x1, y1),
            ),
            1,
        )
        / area[:, None]
    )
    bary = vertices.new_zeros(*face.shape, 3)
    return bary.index_put((image, row, column), weights)


def barycentrics_backward(
    gradient: Tensor, bary: Tensor, vertices: Tensor, faces: Tensor, face: Tensor, columns: Tensor, rows: Tensor
) -> Tensor:
    """Gradient (B, V, 3) to the vertices (its z part is 0) for a gradient (B, H, W, 3) to the weights."""
    image, row, column, ids = _covered(face)
    corner_index = faces[ids]
    corner = vertices[image[:, None], corner_index]
    x, y = corner[..., 0], corner[..., 1]
    px, py = columns[column][:, None], rows[row][:, None]
    area = _edge(x[:, 2], y[:, 2], x[:, 0], y[:, 0], x[:, 1], y[:, 1]) + EPSILON
    to_edge = gradient[image, row, column] / area[:, None]
    to_area = -(to_edge * bary[image, row, column]).sum(1, keepdim=True)
    # Corner k stands in edge functions k+1 (as its second point) and k+2 (as its first), and in the area.
    x_next, x_last, y_next, y_last = x.roll(-1, 1), x.roll(-2, 1), y.roll(-1, 1), y.roll(-2, 1)
    e_next, e_last = to_edge.roll(-1, 1), to_edge.roll(-2, 1)
    to_x = e_next * (y_last - py) + e_last * (py - y_next) + to_area * (y_last - y_next)
    to_y = e_next * (px - x_last) + e_last * (x_next - px) + to_area * (x_next - x_last)
    result = torch.zeros_like(vertices)
    target = (image[:, None] * vertices.shape[1] + corner_index).flatten()
    flat = result.view(-1, 3)
    flat[:, 0].index_add_(0, target, to_x.flatten())
    flat[:, 1].index_add_(0, target, to_y.flatten())
    return result


def _for_batch(face: Tensor, bary: Tensor, batch: int) -> tuple[Tensor, Tensor]:
    return face.expand(batch, -1, -1), bary.expand(batch, -1, -1, -1)


def interpolate(face: Tensor, bary: Tensor, corners: Tensor, attributes: Tensor) -> Tensor:
    """Attributes (B, N, C) mixed per pixel, (B, C, H, W); face and bary of a batch of 1 serve every item."""
    face, bary = _for_batch(face, bary, attributes.shape[0])
    image, row, column, ids = _covered(face)
    weight = bary[image, row, column]
    corner = attributes[image[:, None], corners[ids]]
    mixed = weight[:, 0:1] * corner[:, 0] + weight[:, 1:2] * corner[:, 1] + weight[:, 2:3] * corner[:, 2]
    out = attributes.new_zeros(*face.shape, attributes.shape[2])
    return out.index_put((image, row, column), mixed).permute(0, 3, 1, 2).contiguous()


def interpolate_backward(
    gradient: Tensor,
    face: Tensor,
    bary: Tensor,
    corners: Tensor,
    attributes: Tensor,
    needs_bary: bool,
    needs_attributes: bool,
) -> tuple[Tensor | None, Tensor | None]:
    """Gradients to bary (B, H, W, 3) and to attributes (B, N, C), each None if not wanted."""
    face, bary = _for_batch(face, bary, attributes.shape[0])
    image, row, column, ids = _covered(face)
    grad = gradient.permute(0, 2, 3, 1)[image, row, column]
    corner_index = corners[ids]
    to_bary = to_attributes = None
    if needs_bary:
        corner = attributes[image[:, None], corner_index]
        to_bary = torch.zeros_like(bary, memory_format=torch.contiguous_format)
        to_bary.index_put_((image, row, column), (corner * grad[:, None]).sum(-1))
    if needs_attributes:
        to_attributes = torch.zeros_like(attributes)
        target = (image[:, None] * attributes.shape[1] + corner_index).flatten()
        share = bary[image, row, column][..., None] * grad[:, None]
        to_attributes.view(-1, attributes.shape[2]).index_add_(0, target, share.flatten(0, 1))
    return to_bary, to_attributes
