"""Alignment and distances of shapes."""

import numpy as np
import pytest
import trimesh
from scipy.spatial.transform import Rotation

from tvface.evaluation.geometry import (
    Alignment,
    align_rigid,
    align_similarity,
    point_to_mesh,
    procrustes,
    scan_errors_mm,
    vertex_errors_mm,
    vertex_nme,
)


@pytest.fixture
def random() -> np.random.Generator:
    return np.random.default_rng(0)


def moved(points: np.ndarray, scale: float = 1.0) -> tuple[np.ndarray, Alignment]:
    rotation = Rotation.from_euler("xyz", [20, -70, 130], degrees=True).as_matrix()
    motion = Alignment(rotation, np.array([0.3, -0.1, 2.0]), np.float64(scale))
    return motion.apply(points), motion


def test_similarity_is_found_again(random: np.random.Generator) -> None:
    points = random.normal(size=(50, 3))
    target, motion = moved(points, 1.7)
    alignment = procrustes(points, target, scale=True)
    np.testing.assert_allclose(alignment.rotation, motion.rotation, atol=1e-10)
    np.testing.assert_allclose(alignment.translation, motion.translation, atol=1e-10)
    np.testing.assert_allclose(alignment.scale, 1.7, atol=1e-10)
    np.testing.assert_allclose(align_similarity(points, target), target, atol=1e-10)


def test_rigid_keeps_the_size_and_never_reflects(random: np.random.Generator) -> None:
    points = random.normal(size=(50, 3))
    target, _ = moved(points, 1.7)
    aligned = align_rigid(points, target)
    np.testing.assert_allclose(
        np.linalg.norm(aligned - aligned.mean(0), axis=1), np.linalg.norm(points - points.mean(0), axis=1)
    )
    mirrored = points * [-1, 1, 1]
    assert np.linalg.det(procrustes(points, mirrored, scale=False).rotation) == pytest.approx(1)
    assert vertex_errors_mm(points, mirrored, "rigid").max() > 1


def test_no_other_similarity_is_better(random: np.random.Generator) -> None:
    source, target = random.normal(size=(2, 30, 3))
    best = procrustes(source, target, scale=True)
    least = ((best.apply(source) - target) ** 2).sum()
    for _ in range(50):
        turn = Rotation.from_rotvec(random.normal(size=3) * 0.05).as_matrix()
        other = Alignment(
            turn @ best.rotation,
            best.translation + random.normal(size=3) * 0.02,
            best.scale * np.exp(random.normal() * 0.05),
        )
        assert ((other.apply(source) - target) ** 2).sum() > least


def test_weights_and_batches(random: np.random.Generator) -> None:
    points = random.normal(size=(2, 20, 3))
    target = np.stack([moved(cloud, scale)[0] for cloud, scale in zip(points, (0.5, 2.0), strict=True)])
    spoilt = target.copy()
    spoilt[:, 0] += 100
    weights = np.ones((2, 20))
    weights[:, 0] = 0
    alignment = procrustes(points, spoilt, scale=True, weights=weights)
    np.testing.assert_allclose(alignment.scale, [0.5, 2.0])
    np.testing.assert_allclose(alignment.apply(points), target, atol=1e-9)
    single = align_similarity(points[1], target[1])
    np.testing.assert_allclose(align_similarity(points, target)[1], single, atol=1e-12)


def test_vertex_errors_in_millimetres() -> None:
    truth = np.array([[[0.0, 0, 0], [0.1, 0, 0], [0, 0.1, 0], [0, 0, 0.1]]])
    shifted = truth + np.array([0.003, 0.004, 0])
    np.testing.assert_allclose(vertex_errors_mm(shifted, truth), np.full((1, 4), 5.0))
    np.testing.assert_allclose(vertex_errors_mm(shifted, truth, "rigid"), 0, atol=1e-9)
    larger = vertex_errors_mm(truth * 1.1, truth, "rigid")
    assert larger.mean() > 3
    np.testing.assert_allclose(vertex_errors_mm(truth * 1.1, truth, "similarity"), 0, atol=1e-9)


def test_vertex_nme_by_hand() -> None:
    """Box 4 x 9, so size 6; errors 0 and 3."""
    truth = np.array([[0.0, 0, 5], [4, 9, 1]])
    predicted = truth + np.array([[0, 0, 0], [0, 0, 3]])
    assert vertex_nme(predicted, truth) == pytest.approx(1.5 / 6)
    assert vertex_nme(predicted[None] * 7, truth[None] * 7).shape == (1,)
    assert vertex_nme(predicted * 7, truth * 7) == pytest.approx(1.5 / 6)


def test_distance_to_a_triangle_by_hand() -> None:
    """Above the inside, beside an edge, off a corner, on the surface."""
    vertices = np.array([[0.0, 0, 0], [4, 0, 0], [0, 4, 0]])
    points = np.array([[1, 1, 2.0], [2, -3, 0], [-3, -4, 0], [1, 1, 0], [5, 5, 0]])
    expected = [2, 3, 5, 0, np.sqrt(18)]
    np.testing.assert_allclose(point_to_mesh(points, vertices, np.array([[0, 1, 2]])), expected, atol=1e-12)
    without_area = np.array([[0, 1, 2], [0, 0, 1], [1, 1, 1]])
    np.testing.assert_allclose(point_to_mesh(points, vertices, without_area), expected, atol=1e-12)


def test_distance_equals_the_search_over_all_triangles(random: np.random.Generator) -> None:
    """Triangles of very different sizes, so that the nearest vertex belongs to another one than the nearest place."""
    mesh = trimesh.creation.icosphere(subdivisions=2)
    large = np.array([[-9.0, -9, 1.5], [9, -9, 1.5], [0, 12, 1.5]])
    vertices = np.concatenate((mesh.vertices, large))
    faces = np.concatenate((mesh.faces, [[len(mesh.vertices) + k for k in range(3)]]))
    points = random.normal(size=(60, 3)) * 1.5
    pairs = np.repeat(vertices[faces][None], len(points), 0).reshape(-1, 3, 3)
    queries = np.repeat(points, len(faces), 0)
    nearest = trimesh.triangles.closest_point(pairs, queries)
    expected = np.linalg.norm(nearest - queries, axis=1).reshape(len(points), -1).min(1)
    np.testing.assert_allclose(point_to_mesh(points, vertices, faces), expected, atol=1e-12)
    to_vertices = np.linalg.norm(points[:, None] - vertices, axis=-1).min(1)
    assert (expected < to_vertices - 0.05).any(), "the scene must tell surface from vertices"
    assert point_to_mesh(np.zeros((0, 3)), vertices, faces).shape == (0,)


def test_scan_errors_are_independent_of_the_pose(random: np.random.Generator) -> None:
    mesh = trimesh.creation.icosphere(subdivisions=3, radius=0.1)
    vertices, faces = np.asarray(mesh.vertices), np.asarray(mesh.faces)
    direction = random.normal(size=(200, 3))
    scan = direction / np.linalg.norm(direction, axis=1, keepdims=True) * 0.102
    landmarks = vertices[[0, 20, 40, 60, 80]]
    posed, motion = moved(scan)
    errors = scan_errors_mm(posed, vertices, faces, landmarks, motion.apply(landmarks))
    np.testing.assert_allclose(errors, 2, atol=0.6)
    np.testing.assert_allclose(errors, scan_errors_mm(scan, vertices, faces, landmarks, landmarks), atol=1e-9)


def test_bad_input_is_named() -> None:
    points = np.zeros((4, 3))
    with pytest.raises(ValueError, match=r"\(4, 3\) and \(3, 3\)"):
        align_rigid(points, points[:3])
    with pytest.raises(ValueError, match="at least 3 points, got 2"):
        align_rigid(points[:2], points[:2])
    with pytest.raises(ValueError, match="coincide"):
        align_similarity(points, points)
    with pytest.raises(ValueError, match="finite"):
        align_rigid(points + np.nan, points)
    with pytest.raises(ValueError, match="'affine' is unknown: use one of none, rigid, similarity"):
        vertex_errors_mm(points, points, "affine")
    with pytest.raises(ValueError, match="without area"):
        vertex_nme(points, points)
    with pytest.raises(ValueError, match="at least one face"):
        point_to_mesh(points, points, np.zeros((0, 3), int))
