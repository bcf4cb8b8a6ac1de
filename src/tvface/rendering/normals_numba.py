"""Sums of face normals at vertices on the CPU, compiled with numba: one pass over the faces, without corner lists."""

import numba
import numpy as np
import torch
from torch import Tensor
from torch.autograd.function import FunctionCtx, once_differentiable

from tvface.rendering.rasterizer_numba import over_images

# mypy: disallow-untyped-defs=False, check-untyped-defs=True
# The compiled functions have no annotations: numba takes their types from the arguments.


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sum(vertices, faces, total):
    """Add the cross product of every face to its three vertices in ``total`` (V, 3), initially zero."""
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = (vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2])
        bx, by, bz = (vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2])
        x, y, z = ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx
        for corner in (i, j, k):
            total[corner, 0] += x
            total[corner, 1] += y
            total[corner, 2] += z


@numba.njit(cache=True, nogil=True, error_model="numpy")
def _sum_backward(vertices, faces, grad, result):
    """Add the gradient of the vertices to ``result`` (V, 3), initially zero; ``grad`` is the gradient of the sums."""
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = (vertices[j, 0] - vertices[i, 0], vertices[j, 1] - vertices[i, 1], vertices[j, 2] - vertices[i, 2])
        bx, by, bz = (vertices[k, 0] - vertices[i, 0], vertices[k, 1] - vertices[i, 1], vertices[k, 2] - vertices[i, 2])
        gx = grad[i, 0] + grad[j, 0] + grad[k, 0]
        gy = grad[i, 1] + grad[j, 1] + grad[k, 1]
        gz = grad[i, 2] + grad[j, 2] + grad[k, 2]
        # d(g . (a x b)) = (b x g) . da + (g x a) . db
        px, py, pz = by * gz - bz * gy, bz * gx - bx * gz, bx * gy - by * gx
        qx, qy, qz = gy * az - gz * ay, gz * ax - gx * az, gx * ay - gy * ax
        result[j, 0] += px
        result[j, 1] += py
        result[j, 2] += pz
        result[k, 0] += qx
        result[k, 1] += qy
        result[k, 2] += qz
        result[i, 0] -= px + qx
        result[i, 1] -= py + qy
        result[i, 2] -= pz + qz


class _FaceNormalSums(torch.autograd.Function):
    @staticmethod
    def forward(ctx: FunctionCtx, vertices: Tensor, faces: Tensor) -> Tensor:
        ctx.save_for_backward(vertices, faces)
        return _over_meshes(_sum, vertices, faces)

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:  # type: ignore[override]
        vertices, faces = ctx.saved_tensors  # type: ignore[attr-defined]
        return _over_meshes(_sum_backward, vertices, faces, grad), None


def _over_meshes(kernel, vertices, faces, *others):
    result = torch.zeros_like(vertices, memory_format=torch.contiguous_format)
    arrays = [tensor.detach().contiguous().numpy() for tensor in (vertices, *others)]
    index, out = np.ascontiguousarray(faces.numpy()), result.numpy()
    over_images(len(out), lambda b: kernel(arrays[0][b], index, *(array[b] for array in arrays[1:]), out[b]))
    return result


def face_normal_sums(vertices: Tensor, faces: Tensor) -> Tensor:
    """Return the sum of the cross products of the faces around each vertex.

    Args:
        vertices: (B, V, 3) float32 or float64 on the CPU.
        faces: (F, 3) int64.

    Returns:
        (B, V, 3), differentiable once.
    """
    sums: Tensor = _FaceNormalSums.apply(vertices, faces)  # type: ignore[no-untyped-call]
    return sums
