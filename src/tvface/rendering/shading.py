"""Shading by spherical harmonics (nine coefficients), directional and point lights; vertex normals."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from tvface.rendering.normals_numba import face_normal_sums
from tvface.runtime.device import constant

# Real spherical harmonics of bands 0-2 convolved with the clamped cosine (Ramamoorthi and Hanrahan, "An efficient
# representation for irradiance environment maps", 2001): pi, 2 pi / 3 and pi / 4 per band, the first divided by pi as
# in DECA (a constant that the light's first coefficient absorbs).
_BAND1 = (2 * math.pi / 3) * math.sqrt(3 / (4 * math.pi))
_BAND2 = (math.pi / 4) * 3 * math.sqrt(5 / (12 * math.pi))
SH_FACTORS = (
    1 / math.sqrt(4 * math.pi),
    *(_BAND1,) * 3,
    *(_BAND2,) * 3,
    (math.pi / 4) * (3 / 2) * math.sqrt(5 / (12 * math.pi)),
    (math.pi / 4) * (1 / 2) * math.sqrt(5 / (4 * math.pi)),
)

# Lights of DECA's grey shape pictures: directions from the surface to the light in head space, and their intensity.
SHAPE_LIGHT_DIRECTIONS = ((-1.0, 1.0, 1.0), (1.0, 1.0, 1.0), (-1.0, -1.0, 1.0), (1.0, -1.0, 1.0), (0.0, 0.0, 1.0))
SHAPE_LIGHT_INTENSITY = 1.7


def sh_basis(normals: Tensor) -> Tensor:
    """Return the nine basis functions at normals: 1, x, y, z, xy, xz, yz, x^2 - y^2, 3 z^2 - 1, times ``SH_FACTORS``.

    Args:
        normals: (B, 3, H, W), used as they are, unit length or not: a zero normal (background) gives ``SH_FACTORS[0]``
            and ``-SH_FACTORS[8]`` in the first and last function.

    Returns:
        (B, 9, H, W).
    """
    x, y, z = normals.unbind(1)
    one = torch.ones_like(x)
    basis = torch.stack((one, x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1), 1)
    return basis * constant(SH_FACTORS, basis)[:, None, None]


def sh_shading(normals: Tensor, light: Tensor) -> Tensor:
    """Return the irradiance of spherical-harmonic light with nine coefficients per channel.

    Source: ``add_SHlight`` in DECA's ``renderer.py``.

    Args:
        normals: (B, 3, H, W), normally unit length, in head space.
        light: (B, 9, 3), rows in the order of :func:`sh_basis`, columns R, G, B.

    Returns:
        (B, 3, H, W), not clamped: may be negative.
    """
    if normals.ndim != 4 or normals.shape[1] != 3 or light.shape[1:] != (9, 3):
        raise ValueError(
            f"sh_shading needs normals (B, 3, H, W) and light (B, 9, 3), "
            f"got {tuple(normals.shape)} and {tuple(light.shape)}"
        )
    return torch.einsum("bkc,bkhw->bchw", light, sh_basis(normals))


def directional_shading(normals: Tensor, directions: Tensor, intensities: Tensor) -> Tensor:
    """Return Lambert shading, the mean over lights of clamp(n . l, 0, 1) times the intensity.

    Args:
        normals: (B, 3, H, W).
        directions: (B or 1, L, 3) from the surface to the light, any length.
        intensities: (B or 1, L, 3) RGB.

    Returns:
        (B, 3, H, W).
    """
    unit = F.normalize(directions, dim=-1)
    cosine = torch.einsum("blc,bchw->blhw", unit.expand(normals.shape[0], -1, -1), normals).clamp(0, 1)
    share = intensities.expand(normals.shape[0], -1, -1) / intensities.shape[1]
    return torch.einsum("blhw,blc->bchw", cosine, share)


def shape_shading(normals: Tensor) -> Tensor:
    """Return the shading (B, 3, H, W) of DECA's grey shape pictures for normals (B, 3, H, W) in head space."""
    directions = normals.new_tensor(SHAPE_LIGHT_DIRECTIONS)[None]
    return directional_shading(normals, directions, torch.full_like(directions, SHAPE_LIGHT_INTENSITY))


# torch's cross product and norm work on three numbers at a time, which is five to ten times slower on a CPU.


def cross(a: Tensor, b: Tensor, dim: int) -> Tensor:
    """Return the cross product of vectors along ``dim`` (size 3)."""
    (ax, ay, az), (bx, by, bz) = a.unbind(dim), b.unbind(dim)
    return torch.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), dim)


def normalised(vectors: Tensor, dim: int) -> Tensor:
    """Return vectors along ``dim`` (size 3) divided by max(length, 1e-6); below that the length has no gradient."""
    x, y, z = vectors.unbind(dim)
    return vectors / (x * x + y * y + z * z).clamp(min=1e-12).sqrt().unsqueeze(dim)


def vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Return unit vertex normals: the normalised sum of the adjacent faces' cross products, so weighted by area.

    Args:
        vertices: (B, V, 3).
        faces: (F, 3) integer, counter-clockwise seen from outside.

    Returns:
        (B, V, 3), outward. The sum is divided by max(length, 1e-6), so a vertex without faces, or with tiny ones, gets
        a shorter normal.
    """
    if vertices.ndim != 3 or vertices.shape[-1] != 3 or faces.ndim != 2 or faces.shape[-1] != 3:
        raise ValueError(
            f"vertices must be (B, V, 3) and faces (F, 3), got {tuple(vertices.shape)}, {tuple(faces.shape)}"
        )
    faces = faces.to(device=vertices.device, dtype=torch.int64)
    if vertices.device.type == "cpu" and vertices.dtype in (torch.float32, torch.float64):
        return normalised(face_normal_sums(vertices, faces), -1)
    first, second, third = (vertices.index_select(1, faces[:, k]) for k in range(3))
    # The cross products at the three corners are the same vector in exact arithmetic; DECA computes each at its own
    # corner, which changes the last bits only.
    normals = cross(second - first, third - first, -1)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total = total.index_add(1, faces[:, k], normals)
    return normalised(total, -1)
