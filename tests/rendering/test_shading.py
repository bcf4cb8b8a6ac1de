"""Shading and vertex normals against geometry. Their numbers are checked by tests/reference."""

import math

import numpy as np
import pytest
import torch

from tests.reference.arrays import SHARED
from tvface.rendering.normals_numba import face_normal_sums
from tvface.rendering.shading import (
    SH_FACTORS,
    sh_basis,
    sh_shading,
    shape_shading,
    vertex_normals,
)

FILE = SHARED / "reference" / "deca" / "shading.npz"


def test_factors_are_the_printed_ones() -> None:
    printed = [0.2820948, *[1.0233267] * 3, *[0.8580855] * 3, 0.4290428, 0.2477080]
    np.testing.assert_allclose(SH_FACTORS, printed, atol=5e-8)


def test_basis_on_the_axes() -> None:
    """Each basis function at +x, +y, +z, -z, by hand; xy, xz, yz at a diagonal."""
    normals = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0, -1], [0.6, 0.8, 0], [0, 0, 0]]).T.reshape(
        1, 3, 1, 6
    )
    raw = sh_basis(normals)[0, :, 0].T / torch.tensor(SH_FACTORS)
    expected = torch.tensor(
        [
            [1, 1, 0, 0, 0, 0, 0, 1, -1],
            [1, 0, 1, 0, 0, 0, 0, -1, -1],
            [1, 0, 0, 1, 0, 0, 0, 0, 2],
            [1, 0, 0, -1, 0, 0, 0, 0, 2],
            [1, 0.6, 0.8, 0, 0.48, 0, 0, -0.28, -1],
            [1, 0, 0, 0, 0, 0, 0, 0, -1],
        ]
    )
    torch.testing.assert_close(raw, expected, atol=1e-6, rtol=0)


def test_basis_is_the_irradiance_of_its_band() -> None:
    """The clamped cosine integrated against each harmonic over the sphere gives pi times the first and the others.

    Independent of the closed forms in the module: plain numerical integration (Ramamoorthi and Hanrahan 2001, eq. 7).
    """
    rows, columns = (np.arange(400) + 0.5) / 400, (np.arange(800) + 0.5) / 800
    polar, around = np.meshgrid(rows * np.pi, columns * 2 * np.pi, indexing="ij")
    x, y, z = np.sin(polar) * np.cos(around), np.sin(polar) * np.sin(around), np.cos(polar)
    solid_angle = np.sin(polar) * (np.pi / 400) * (2 * np.pi / 800)
    functions = [np.ones_like(x), x, y, z, x * y, x * z, y * z, x * x - y * y, 3 * z * z - 1]
    normal = np.array([0.36, 0.48, 0.8])
    cosine = np.clip(normal[0] * x + normal[1] * y + normal[2] * z, 0, None)
    ours = sh_basis(torch.tensor(normal).reshape(1, 3, 1, 1)).flatten()
    for index, function in enumerate(functions):
        norm = math.sqrt((function**2 * solid_angle).sum())
        irradiance = (cosine * function / norm * solid_angle).sum() / (math.pi if index == 0 else 1)
        assert float(ours[index]) == pytest.approx(irradiance, abs=1e-4), index


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_compiled_sums_equal_the_tensor_operations(dtype: torch.dtype) -> None:
    """Other devices than the CPU take the tensor operations."""
    generator = torch.Generator().manual_seed(3)
    vertices = torch.randn(3, 40, 3, generator=generator, dtype=dtype)
    faces = torch.randint(0, 40, (90, 3), generator=generator)
    cotangent = torch.randn(3, 40, 3, generator=generator, dtype=dtype)
    own, other = vertices.clone().requires_grad_(), vertices.clone().requires_grad_()
    sums = face_normal_sums(own, faces)
    (sums * cotangent).sum().backward()
    first, second, third = (other[:, faces[:, k]] for k in range(3))
    normals = torch.linalg.cross(second - first, third - first)
    expected = torch.zeros_like(vertices)
    for k in range(3):
        expected = expected.index_add(1, faces[:, k], normals)
    (expected * cotangent).sum().backward()
    torch.testing.assert_close(sums, expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(own.grad, other.grad, rtol=1e-5, atol=1e-4)


def test_vertex_normals_are_weighted_by_area_and_vanish_without_faces() -> None:
    vertices = torch.tensor([[[0.0, 0, 0], [3, 0, 0], [0, 1, 0], [0, 0, 1], [9, 9, 9]]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    normals = vertex_normals(vertices, faces)[0]
    torch.testing.assert_close(normals[0], torch.tensor([1.0, 0, 3.0]) / math.sqrt(10))
    torch.testing.assert_close(normals[1], torch.tensor([0.0, 0, 1]))
    assert not normals[4].any()


def test_shape_shading_of_a_frontal_surface() -> None:
    """Four lights at cosine 1/sqrt(3) and one at 1, intensity 1.7, mean of five; nothing from behind."""
    front = torch.tensor([0.0, 0, 1]).reshape(1, 3, 1, 1)
    expected = 1.7 * (4 / math.sqrt(3) + 1) / 5
    torch.testing.assert_close(shape_shading(front).flatten(), torch.full((3,), expected))
    assert not shape_shading(-front).any()


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match=r"\(1, 27\)"):
        sh_shading(torch.zeros(1, 3, 2, 2), torch.zeros(1, 27))
    with pytest.raises(ValueError, match=r"\(4, 3\)"):
        vertex_normals(torch.zeros(4, 3), torch.zeros(2, 3, dtype=torch.int64))
