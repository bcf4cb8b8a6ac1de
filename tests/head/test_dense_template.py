"""DECA's template of the dense mesh: reading, refusals, and the mesh made with it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.head import synthetic_flame
from tests.published_files import dense_template
from tvface.head.data import HeadData, HeadError
from tvface.head.dense_template import read_dense_template
from tvface.head.flame import convert
from tvface.rendering.uv import UVSpace
from tvface.settings import parse_settings

SIZE = 32


@pytest.fixture
def head(tmp_path: Path) -> HeadData:
    named, model = synthetic_flame.write_all(tmp_path)
    path = dense_template(tmp_path / "texture_data_256.npy", model, SIZE)
    sizes = {"n_shape": 4, "n_expression": 3, "n_texture": 2, "uv_size": SIZE}
    return convert(parse_settings({"head": {**named, **sizes, "dense_template": str(path)}}).head)


def test_vertices_are_mixed_and_displaced(head: HeadData) -> None:
    generator = torch.Generator().manual_seed(0)
    vertices = torch.from_numpy(head.v_template)
    normals = torch.nn.functional.normalize(torch.rand(len(vertices), 3, generator=generator) - 0.5, dim=1)
    displacement = 0.01 * torch.rand(SIZE, SIZE, generator=generator)
    mesh = UVSpace(head, SIZE).dense_mesh(vertices, normals, displacement)
    assert head.dense_corners is not None and head.dense_bary is not None and head.dense_faces is not None
    np.testing.assert_array_equal(mesh.faces, head.dense_faces)
    row, column = mesh.pixels[17]
    corners, weights = head.dense_corners[17], head.dense_bary[17]
    normal = weights @ normals.numpy()[corners]
    moved = float(displacement[row, column]) + head.fixed_displacement[row, column]
    expected = weights @ head.v_template[corners] + moved * normal / np.linalg.norm(normal)
    np.testing.assert_allclose(mesh.vertices[17], expected, atol=1e-6)
    assert mesh.vertices.shape == (len(head.dense_corners), 3)


def test_another_map_size_takes_the_uv_layout(head: HeadData) -> None:
    vertices = torch.from_numpy(head.v_template)
    plain = dataclasses.replace(head, dense_faces=None, dense_pixels=None, dense_corners=None, dense_bary=None)
    flat = torch.zeros(64, 64)
    ours, theirs = (UVSpace(one, 64).dense_mesh(vertices, vertices, flat) for one in (plain, head))
    np.testing.assert_array_equal(ours.vertices, theirs.vertices)


def test_it_travels_with_the_head(head: HeadData, tmp_path: Path) -> None:
    head.save(tmp_path / "head.npz")
    again = HeadData.load(tmp_path / "head.npz")
    assert again.notes["dense_size"] == SIZE
    np.testing.assert_array_equal(again.dense_pixels, head.dense_pixels)
    with pytest.raises(HeadError, match="dense_bary missing beside"):
        dataclasses.replace(head, dense_bary=None)


def changed(path: Path, **parts: Any) -> Path:
    content = np.load(path, allow_pickle=True)[()]  # made by this test
    np.save(path, np.array({**content, **parts}, dtype=object), allow_pickle=True)
    return path


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"f": np.array([[0, 1, 10**6]])}, r"f holds 0\.\.1000000"),
        ({"valid_pixel_ids": np.array([-1])}, "valid_pixel_ids holds -1"),
        ({"valid_pixel_b_coords": np.zeros((2, 3))}, r"valid_pixel_b_coords has shape \(2, 3\)"),
        ({"img_size": 8}, "x_coords and y_coords holds"),
        ({"x_coords": np.zeros(3)}, "3 x_coords and 1024 y_coords"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, parts: dict[str, Any], message: str) -> None:
    path = changed(dense_template(tmp_path / "texture_data_256.npy", size=SIZE), **parts)
    with pytest.raises(HeadError, match=message):
        read_dense_template(path)


def test_a_head_with_fewer_vertices_is_refused(tmp_path: Path) -> None:
    path = dense_template(tmp_path / "texture_data_256.npy", size=SIZE)
    assert read_dense_template(path, 3).size == SIZE
    with pytest.raises(HeadError, match=r"valid_pixel_3d_faces holds 0\.\.2, expected 0\.\.1"):
        read_dense_template(path, 2)
