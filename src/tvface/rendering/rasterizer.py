"""Mesh rasterisation with differentiable barycentric coordinates.

The selection of the face that covers a pixel equals that of pytorch3d's ``rasterize_meshes`` with blur radius 0, one
face per pixel and no perspective correction, because the models' reference numbers were made with it: a pixel centre
on an edge belongs to no face, the lowest (depth, face index) wins, 1e-8 is added to a triangle's (doubled) area, a face
with a vertex at a depth below 1e-8 is dropped whole. The selection has no gradient; the barycentric coordinates of the
selected face have one, with a hand-written backward pass.

Backends select the faces: ``numba`` (CPU), ``torch`` (any device), ``pytorch3d`` (if installed). All select the same.
"""

import functools
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from tvface.rendering import rasterizer_numba, rasterizer_torch
from tvface.runtime.device import constant

BACKENDS = ("auto", "numba", "torch", "pytorch3d")
# DECA's shift of the depth: without it every face with a vertex behind the image plane z = 0 would be dropped.
DEPTH_SHIFT = 10.0


class Fragments(NamedTuple):
    """The face that covers each pixel.

    Attributes:
        face: (B, H, W) int64, index into the faces, -1 where there is none.
        bary: (B, H, W, 3) weights of the face's three corners, differentiable with respect to the vertices' x and y, 0
            where there is no face.
        depth: (B, H, W) z of the surface in the vertices' frame (no shift), +inf where there is no face; no gradient.
    """

    face: Tensor
    bary: Tensor
    depth: Tensor

    @property
    def alpha(self) -> Tensor:
        """Coverage (B, 1, H, W), 1 where there is a face, else 0, in the dtype of ``bary``."""
        return (self.face >= 0).unsqueeze(1).to(self.bary.dtype)


def pixel_centres(size: int, other: int) -> np.ndarray:
    """Return the coordinates of the pixel centres along one side of a picture.

    The shorter side spans [-1, 1], the longer side spans [-r, r] with r the aspect ratio: triangles keep their area
    ratio. For a square picture the centre of pixel i is -1 + (2 i + 1) / size. The order of the float32 operations, and
    counting from the far end, are those of pytorch3d, so that pixels on an edge get the same face.

    Args:
        size: pixels along this side.
        other: pixels along the other side.

    Returns:
        (size,) float32, ascending.
    """
    two = np.float32(2)
    span = np.float32(size) / np.float32(other) * two if size > other else two
    half = span / two
    reversed_index = np.arange(size - 1, -1, -1, dtype=np.float32)
    return -(-half + (span * reversed_index + half) / np.float32(size))


@functools.lru_cache(maxsize=64)
def _centres(size: int, other: int, device: torch.device) -> Tensor:
    return torch.from_numpy(pixel_centres(size, other)).to(device)


class _Barycentrics(torch.autograd.Function):
    """Barycentric coordinates of the selected faces at pixel centres; gradient to the corners' x and y."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, vertices: Tensor, faces: Tensor, face: Tensor, columns: Tensor, rows: Tensor, kernels: ModuleType
    ) -> Tensor:
        bary = kernels.barycentrics(vertices, faces, face, columns, rows)
        ctx.save_for_backward(vertices, faces, face, columns, rows, bary)
        ctx.kernels = kernels
        return bary

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        vertices, faces, face, columns, rows, bary = ctx.saved_tensors
        grad = ctx.kernels.barycentrics_backward(gradient.contiguous(), bary, vertices, faces, face, columns, rows)
        return grad, None, None, None, None, None


class _Interpolation(torch.autograd.Function):
    """Weighted sum of three corner attributes per covered pixel; gradient to the weights and to the attributes."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, bary: Tensor, attributes: Tensor, corners: Tensor, face: Tensor, kernels: ModuleType
    ) -> Tensor:
        ctx.save_for_backward(bary, attributes, corners, face)
        ctx.kernels = kernels
        return kernels.interpolate(face, bary, corners, attributes)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        bary, attributes, corners, face = ctx.saved_tensors
        needs_bary, needs_attributes = ctx.needs_input_grad[:2]
        to_bary, to_attributes = ctx.kernels.interpolate_backward(
            gradient.contiguous(), face, bary, corners, attributes, needs_bary, needs_attributes
        )
        return to_bary, to_attributes, None, None, None


def _kernels(backend: str, device: torch.device) -> ModuleType:
    """Return the module with the barycentric and interpolation kernels for a backend on a device."""
    if backend == "numba" and device.type != "cpu":
        raise ValueError(
            f"rasterizer backend 'numba' works on the CPU, the vertices are on {device}: use 'torch' or 'auto'"
        )
    if device.type == "cpu" and backend != "torch":
        return rasterizer_numba
    return rasterizer_torch


def _select(backend: str, device: torch.device) -> Any:
    """Return the function that selects the faces."""
    if backend not in BACKENDS:
        raise ValueError(f"rasterizer backend {backend!r} is unknown: use one of {', '.join(BACKENDS)}")
    if backend == "pytorch3d":
        from tvface.rendering import rasterizer_pytorch3d

        return rasterizer_pytorch3d.select_faces
    return _kernels(backend, device).select_faces


def _check_mesh(vertices: Tensor, faces: Tensor) -> None:
    if vertices.ndim != 3 or vertices.shape[-1] != 3 or not vertices.is_floating_point():
        raise ValueError(f"vertices must be floating point (B, V, 3), got {vertices.dtype} {tuple(vertices.shape)}")
    if faces.ndim != 2 or faces.shape[-1] != 3 or faces.is_floating_point():
        raise ValueError(f"faces must be integer (F, 3), got {faces.dtype} {tuple(faces.shape)}")
    _check_indices(faces, vertices.shape[1], "faces", "vertices")


def _check_indices(indices: Tensor, count: int, what: str, of: str) -> None:
    # Only on the CPU: the numba kernels do not check bounds, torch's do, and reading from the device would cost a
    # synchronisation.
    if indices.device.type == "cpu" and indices.numel():
        low, high = indices.aminmax()
        if int(low) < 0 or int(high) >= count:
            raise ValueError(f"{what} point to {of} {int(low)}..{int(high)}, but there are only {count} {of}")


def rasterize(vertices: Tensor, faces: Tensor, height: int, width: int, backend: str = "auto") -> Fragments:
    """Find the face that covers each pixel and the barycentric coordinates of the pixel centre in it.

    Faces with a vertex at z < -10 + 1e-8 or with a coordinate that is not finite are dropped. Faces are selected in
    float32; the weights have the vertices' dtype (float16 and bfloat16 become float32).

    Convention: normalised image coordinates, x right, y down, [-1, 1] over the whole picture (also if it is not
    square), smaller z nearer; the centre of column i is at -1 + (2 i + 1) / width.

    Source: conventions of pytorch3d 0.7 ``rasterize_meshes`` as DECA calls it.

    Args:
        vertices: (B, V, 3) float.
        faces: (F, 3) integer, the same for the batch; both windings are drawn.
        height, width: of the picture in pixels.
        backend: 'auto' (numba on the CPU, torch elsewhere), 'numba', 'torch' or 'pytorch3d'.

    Raises:
        ValueError: wrong shapes, sizes, indices or backend name.
        ImportError: the backend is 'pytorch3d' and the package is not installed.
    """
    _check_mesh(vertices, faces)
    if height < 1 or width < 1:
        raise ValueError(f"height and width must be at least 1 pixel, got {height} x {width}")
    if vertices.dtype not in (torch.float32, torch.float64):
        vertices = vertices.float()
    select = _select(backend, vertices.device)
    kernels = _kernels("auto" if backend == "pytorch3d" else backend, vertices.device)
    faces = faces.to(device=vertices.device, dtype=torch.int64).contiguous()
    columns, rows = _centres(width, height, vertices.device), _centres(height, width, vertices.device)

    if height == width:
        scaled = vertices.contiguous()
    else:
        aspect = (width / height, 1.0, 1.0) if width > height else (1.0, height / width, 1.0)
        scaled = vertices * constant(aspect, vertices)
    with torch.no_grad():
        shifted = scaled.detach().float()
        shifted = shifted + constant((0.0, 0.0, DEPTH_SHIFT), shifted)
        face = select(shifted.contiguous(), faces, columns, rows)
    columns, rows = columns.to(scaled.dtype), rows.to(scaled.dtype)
    bary = _Barycentrics.apply(scaled, faces, face, columns, rows, kernels)
    with torch.no_grad():
        depth = kernels.interpolate(face, bary.detach(), faces, scaled.detach()[..., 2:].contiguous())[:, 0]
        depth = depth.masked_fill(face < 0, torch.inf)
    return Fragments(face, bary, depth)


def interpolate(fragments: Fragments, faces: Tensor, attributes: Tensor) -> Tensor:
    """Interpolate corner attributes with the barycentric coordinates of every pixel.

    Gradients flow to the attributes and, through the weights, to the vertices.

    Args:
        fragments: of a batch of B or of 1 (then used for the whole batch of ``attributes``, e.g. a fixed UV layout).
        faces: (F, 3) integer, the faces passed to :func:`rasterize`; for attributes on another topology with the same
            face order (UV coordinates, or a mesh read in UV space) the faces of that topology.
        attributes: (B, V, C) per vertex or (B, F, 3, C) per face corner; B may be 1 for attributes common to the batch.

    Returns:
        (B, C, H, W) in the attributes' dtype promoted with the weights', 0 where there is no face.

    Raises:
        ValueError: shapes or indices do not fit.
    """
    if attributes.ndim == 4:
        if attributes.shape[1] != len(faces) or attributes.shape[2] != 3:
            raise ValueError(f"attributes of corners must be (B, {len(faces)}, 3, C), got {tuple(attributes.shape)}")
        faces = torch.arange(3 * len(faces), device=attributes.device).reshape(-1, 3)
        attributes = attributes.flatten(1, 2)
    elif attributes.ndim != 3:
        raise ValueError(f"attributes must be (B, V, C) or (B, F, 3, C), got {tuple(attributes.shape)}")
    batch = max(fragments.face.shape[0], attributes.shape[0]) if attributes.shape[0] else 0
    for name, tensor in (("fragments", fragments.face), ("attributes", attributes)):
        if tensor.shape[0] not in (1, batch):
            raise ValueError(f"{name} have a batch of {tensor.shape[0]}, the other side has {batch}")
    _check_indices(faces, attributes.shape[1], "faces", "attributes")
    if fragments.face.device.type == "cpu" and fragments.face.numel() and int(fragments.face.max()) >= len(faces):
        raise ValueError(f"fragments point to face {int(fragments.face.max())}, but there are only {len(faces)} faces")
    dtype = torch.promote_types(fragments.bary.dtype, attributes.dtype)
    bary = fragments.bary.to(dtype).contiguous()
    attributes = attributes.to(dtype).expand(batch, -1, -1).contiguous()
    if bary.requires_grad:
        bary = bary.expand(batch, -1, -1, -1)
    corners = faces.to(device=attributes.device, dtype=torch.int64).contiguous()
    kernels = _kernels("auto", attributes.device)
    return _Interpolation.apply(bary, attributes, corners, fragments.face, kernels)
