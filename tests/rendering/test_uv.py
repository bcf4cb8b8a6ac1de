"""UV images, normals and the dense mesh by construction. Their numbers are checked by tests/reference."""

import numpy as np
import pytest
import torch

from tests.rendering.scenes import Scene
from tvface.rendering.renderer import Renderer
from tvface.rendering.shading import vertex_normals
from tvface.rendering.uv import dense_margins, dense_triangles, grid_normals, uv_to_grid


@pytest.fixture(scope="module", params=("uv_free", "uv"))
def scene(request: pytest.FixtureRequest) -> Scene:
    return Scene(request.param)


@pytest.fixture(scope="module")
def renderer(scene: Scene) -> Renderer:
    return Renderer(scene.head, 224, 256)


@pytest.fixture(scope="module")
def surface(scene: Scene) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Vertices, projected vertices, normals."""
    vertices = scene.reference.tensor("verts")
    return vertices, scene.projected(vertices), vertex_normals(vertices, scene.faces)


@pytest.mark.parametrize("size", [32, 256])
def test_normals_on_slices_equal_normals_on_triangles(size: int) -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(2, 3, size, size, generator=generator, dtype=torch.float64)
    listed = vertex_normals(points.flatten(2).transpose(1, 2), torch.from_numpy(dense_triangles(size)))
    torch.testing.assert_close(grid_normals(points), listed.transpose(1, 2).reshape(points.shape))


def test_grid_normals_point_out_of_a_front_view() -> None:
    """u to the right, v up, z towards the viewer: the normals of a flat sheet are +z inside the margins."""
    row, column = torch.meshgrid(torch.arange(64.0), torch.arange(64.0), indexing="ij")
    normals = grid_normals(torch.stack((column, -row, torch.zeros_like(row)))[None])
    margin_x, margin_y = dense_margins(64)
    inside = normals[0, :, margin_y : 64 - margin_y, margin_x : 64 - margin_x]
    torch.testing.assert_close(inside, torch.tensor([0.0, 0.0, 1.0])[:, None, None].expand_as(inside))
    assert not normals[0, :, :margin_y].any() and not normals[0, :, :, -margin_x:].any()


def test_margins_are_the_originals_at_256_and_scale() -> None:
    assert dense_margins(256) == (2, 5)
    assert dense_margins(512) == (4, 10)
    assert dense_margins(64) == (1, 1)


def test_another_uv_size(scene: Scene, surface: tuple) -> None:
    """Maps are resized to the UV size, and the normals stay close to the ones at 256."""
    vertices, _, normals = surface
    small = Renderer(scene.head, 64, 128)
    fine = small.detail_normals(torch.zeros(1, 1, 128, 128), vertices, normals)
    assert fine.shape == (1, 3, 128, 128)
    assert small.uv.face_eye_mask.shape == (1, 1, 128, 128)
    large = Renderer(scene.head, 64, 256).detail_normals(torch.zeros(1, 1, 256, 256), vertices, normals)
    half = torch.nn.functional.avg_pool2d(large, 2)
    inside = torch.nn.functional.max_pool2d((~small.uv.valid).float(), 9, 1, 4)[0, 0] == 0
    cosine = torch.cosine_similarity(fine, half, dim=1)[0][inside]
    assert cosine.median() > 0.97


def test_dense_mesh(scene: Scene, renderer: Renderer, surface: tuple) -> None:
    vertices, _, normals = surface
    mesh = renderer.dense_mesh(vertices[0], torch.zeros(1, 256, 256))
    assert len(mesh.vertices) == len(mesh.pixels) == int(renderer.uv.valid.sum())
    assert mesh.faces.min() >= 0 and mesh.faces.max() < len(mesh.vertices)
    assert len(np.unique(np.sort(mesh.faces, 1), axis=0)) == len(mesh.faces)
    # Without displacement the vertices differ from the coarse surface by the fixed displacement alone.
    coarse = renderer.world_to_uv(vertices)[0].permute(1, 2, 0).numpy()[mesh.pixels[:, 0], mesh.pixels[:, 1]]
    fixed = np.abs(scene.head.fixed_displacement[mesh.pixels[:, 0], mesh.pixels[:, 1]])
    np.testing.assert_allclose(np.linalg.norm(mesh.vertices - coarse, axis=1), fixed, atol=1e-6)
    # The winding is the coarse mesh's: dense face normals agree with the interpolated vertex normals.
    a, b, c = (mesh.vertices[mesh.faces[:, k]] for k in range(3))
    cross = np.cross(b - a, c - a)
    image = renderer.world_to_uv(normals)[0].permute(1, 2, 0).numpy()
    pixel = mesh.pixels[mesh.faces[:, 0]]
    agreement = (cross * image[pixel[:, 0], pixel[:, 1]]).sum(1) > 0
    assert agreement.mean() > 0.97
    # As the rendering, only the masked part is displaced; the original's export displaces all.
    for unmasked in (False, True):
        moved = renderer.dense_mesh(vertices[0], torch.full((1, 256, 256), 0.005), unmasked)
        mask = scene.head.face_eye_mask[mesh.pixels[:, 0], mesh.pixels[:, 1]]
        expected = 0.005 * (np.ones_like(mask) if unmasked else mask)
        np.testing.assert_allclose(
            np.linalg.norm(moved.vertices - mesh.vertices, axis=1), expected, rtol=1e-3, atol=1e-6
        )
    assert mask.min() < 0.1 and mask.max() > 0.9


def test_dense_mesh_keeps_islands_apart() -> None:
    """Two squares that touch in UV but share no UV vertex stay two parts."""
    from types import SimpleNamespace

    corners = np.array([[0, 0], [0.5, 0], [0.5, 1], [0, 1]], np.float32)
    uv = np.concatenate((corners, corners + np.float32([0.5, 0])))
    faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
    maps = np.ones((32, 32), np.float32)
    head = SimpleNamespace(
        dense_faces=None,
        faces=faces,
        uv=uv,
        uv_faces=faces,
        face_mask=maps,
        face_eye_mask=maps,
        fixed_displacement=0 * maps,
        full_faces=np.zeros(68, int),
        full_bary=np.ones((68, 3), np.float32) / 3,
    )
    vertices = torch.from_numpy(np.pad(uv, ((0, 0), (0, 1))))
    mesh = Renderer(head, 16, 32).dense_mesh(vertices, torch.zeros(1, 32, 32))
    left = mesh.pixels[mesh.faces][..., 1] < 16
    assert len(mesh.faces) > 1000
    assert (left.all(1) | ~left.any(1)).all()


def test_uv_to_grid_turns_v_over() -> None:
    grid = uv_to_grid(torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.5, 0.5]]))
    torch.testing.assert_close(grid, torch.tensor([[-1.0, -1.0], [1.0, 1.0], [0.0, 0.0]]))


def test_wrong_displacement_size_is_named(renderer: Renderer, surface: tuple) -> None:
    vertices, _, normals = surface
    with pytest.raises(ValueError, match=r"256, 256.*\(1, 1, 64, 64\)"):
        renderer.detail_normals(torch.zeros(1, 1, 64, 64), vertices, normals)
