"""The rasteriser for footage: same surfaces as the differentiable one, perspective, no pinholes."""

import numpy as np
import pytest

from tests.rendering.scenes import Scene
from tvface.rendering.rasterizer import rasterize
from tvface.rendering.rasterizer_numba import rasterize_numpy


def sphere(rows: int = 24, columns: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Closed unit sphere, (V, 3) and (F, 3)."""
    polar, around = np.meshgrid(np.linspace(0, np.pi, rows), np.linspace(0, 2 * np.pi, columns), indexing="ij")
    points = np.stack((np.sin(polar) * np.cos(around), np.cos(polar), np.sin(polar) * np.sin(around)), -1).reshape(
        -1, 3
    )
    first = (np.arange(rows - 1)[:, None] * columns + np.arange(columns - 1)).ravel()
    faces = np.concatenate(
        (
            np.stack((first, first + 1, first + columns), 1),
            np.stack((first + 1, first + columns + 1, first + columns), 1),
        )
    )
    return points.astype(np.float32), faces


def test_same_surface_as_the_differentiable_rasteriser() -> None:
    """Apart from centres within rounding of an edge, which the other one leaves empty."""
    scene = Scene("render_free")
    projected = scene.projected(scene.reference.tensor("verts"))
    fragments = rasterize(projected, scene.faces, 120, 120)
    pixels = projected[0].numpy().copy()
    pixels[:, :2] = (pixels[:, :2] + 1) * 60 - 0.5
    face, bary, depth = rasterize_numpy(pixels, scene.faces.numpy(), 120, 120)
    assert face.dtype == np.int32 and bary.dtype == depth.dtype == np.float32
    same = face == fragments.face[0].numpy()
    assert same.mean() > 0.999
    covered = same & (face >= 0)
    assert covered.sum() > 4000
    np.testing.assert_allclose(depth[covered], fragments.depth[0].numpy()[covered], atol=2e-3)
    assert np.isinf(depth[face < 0]).all() and not bary[face < 0].any()
    np.testing.assert_allclose(bary[covered].sum(1), 1, atol=1e-5)


@pytest.mark.parametrize("perspective", [False, True])
def test_closed_surface_has_no_pinholes(perspective: bool) -> None:
    points, faces = sphere()
    points = points * [40, 40, 1] + [64, 64, 5]
    face, _, depth = rasterize_numpy(points, faces, 128, 128, perspective=perspective)
    row, column = np.mgrid[:128, :128]
    inside = np.hypot(row - 64, column - 64) < 39
    assert (face[inside] >= 0).all()
    assert depth[64, 64] == pytest.approx(4, abs=0.02), "the near side"


def test_perspective_weights_are_those_of_the_point_in_space() -> None:
    """A slanted triangle seen by a pinhole camera: weights and depth give back the point on the pixel's ray."""
    corners = np.array([[-1.0, -1.0, 2.0], [3.0, -0.5, 6.0], [-0.5, 2.0, 3.0]])
    focal, centre = 50.0, 32.0
    pixels = np.column_stack((focal * corners[:, :2] / corners[:, 2:] + centre, corners[:, 2]))
    face, bary, depth = rasterize_numpy(pixels, np.array([[0, 1, 2]]), 64, 64, perspective=True)
    row, column = np.nonzero(face == 0)
    assert len(row) > 500
    points = bary[row, column].astype(np.float64) @ corners
    np.testing.assert_allclose(points[:, 0] / points[:, 2] * focal + centre, column, atol=1e-3)
    np.testing.assert_allclose(points[:, 1] / points[:, 2] * focal + centre, row, atol=1e-3)
    np.testing.assert_allclose(points[:, 2], depth[row, column], rtol=1e-5)
    flat = rasterize_numpy(pixels, np.array([[0, 1, 2]]), 64, 64)[2]
    assert np.abs(flat - depth)[face == 0].max() > 0.2, "weights linear in the picture give another depth"


def test_behind_the_camera_and_not_finite_faces_are_dropped() -> None:
    corners = np.array([[5.0, 5.0, 1.0], [25.0, 5.0, 1.0], [15.0, 25.0, 1.0]])
    triangle = np.array([[0, 1, 2]])
    assert (rasterize_numpy(corners, triangle, 32, 32, perspective=True)[0] == 0).any()
    for row, column, value in ((0, 2, 0.0), (1, 2, -1.0), (2, 0, np.nan), (0, 1, np.inf), (1, 2, np.inf)):
        broken = corners.copy()
        broken[row, column] = value
        assert (rasterize_numpy(broken, triangle, 32, 32, perspective=True)[0] == -1).all(), (row, column, value)


def test_far_away_vertices_and_empty_meshes() -> None:
    corners = np.array([[-1e9, -1e9, 1.0], [1e9, -1e9, 1.0], [0.0, 1e9, 1.0]])
    assert (rasterize_numpy(corners, np.array([[0, 1, 2]]), 8, 9)[0] == 0).all()
    assert (rasterize_numpy(corners + np.array([1e10, 0, 0]), np.array([[0, 1, 2]]), 8, 9)[0] == -1).all()
    assert (rasterize_numpy(corners, np.zeros((0, 3), int), 8, 9)[0] == -1).all()


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"point to vertices 0\.\.3, there are 3"):
        rasterize_numpy(np.zeros((3, 3)), np.array([[0, 1, 3]]), 8, 8)
    with pytest.raises(ValueError, match=r"\(V, 3\).*\(3, 2\)"):
        rasterize_numpy(np.zeros((3, 2)), np.array([[0, 1, 2]]), 8, 8)
    with pytest.raises(ValueError, match="0 x 8"):
        rasterize_numpy(np.zeros((3, 3)), np.array([[0, 1, 2]]), 0, 8)


def test_input_is_not_changed() -> None:
    points, faces = sphere(6, 12)
    before = points.copy()
    rasterize_numpy(points, faces, 16, 16, perspective=True)
    np.testing.assert_array_equal(points, before)
