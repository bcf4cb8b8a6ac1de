"""Head pose from 68 points, on the human head's own points turned by known angles."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from tvface.evaluation.pose import MODES, RIGID, head_angles
from tvface.head.human import PLACE
from tvface.head.human.stored import Stored

ANGLES = np.array(
    [(0, 0, 0), (20, 0, 0), (-20, 0, 0), (45, 10, -15), (-70, -12, 8), (75, 5, 0), (5, -30, 0), (0, 25, 30)], float
)


@cache
def head() -> Stored:
    return Stored.load(PLACE)


def faces(identity: np.ndarray, angles: np.ndarray, scale: float = 1.7) -> np.ndarray:
    """Return the (N, 68, 2) picture points of a head (x right, y down), seen from far away."""
    vertices = head().template + np.einsum("k,kvj->vj", identity, head().identity[:MODES])
    corners = vertices[head().faces[head().full_faces]]
    points = np.einsum("nij,ni->nj", corners, head().full_bary)
    yaw, pitch, roll = np.asarray(angles, float).T
    turned = Rotation.from_euler("ZYX", np.stack([roll, yaw, pitch], 1), degrees=True).as_matrix()
    seen = np.einsum("nij,pj->npi", turned, points)
    return scale * seen[:, :, :2] * (1, -1) + (310, 220)


def test_angles_of_the_mean_head_come_back() -> None:
    angles = head_angles(faces(np.zeros(MODES), ANGLES))
    np.testing.assert_allclose(angles, ANGLES, atol=0.5)


def test_angles_of_other_people_come_back_within_a_few_degrees() -> None:
    generator = np.random.default_rng(5)
    angles = np.concatenate([head_angles(faces(generator.normal(0, 1, MODES), ANGLES[k : k + 1])) for k in range(8)])
    error = np.abs(angles - ANGLES)
    assert error[:, 0].max() < 6 and error[:, 0].mean() < 2.5
    assert error.mean(0).max() < 4


def test_noise_and_lips_hardly_matter() -> None:
    generator = np.random.default_rng(6)
    points = faces(np.zeros(MODES), ANGLES) + generator.normal(0, 2.0, (len(ANGLES), 68, 2))
    np.testing.assert_allclose(head_angles(points)[:, 0], ANGLES[:, 0], atol=5)
    moved = points.copy()
    moved[:, np.setdiff1d(np.arange(68), RIGID)] += 40
    np.testing.assert_array_equal(head_angles(moved), head_angles(points))


def test_signs_are_those_of_the_picture() -> None:
    front, right, down, left = faces(np.zeros(MODES), np.array([(0, 0, 0), (25, 0, 0), (0, 25, 0), (0, 0, 25)], float))
    tip, bridge, corner = 30, 27, 36
    assert (right[tip] - right[bridge])[0] > (front[tip] - front[bridge])[0] + 10
    assert (down[tip] - down[corner])[1] > (front[tip] - front[corner])[1] + 10
    assert left[27, 0] < left[8, 0] - 10  # the crown tilts to the picture's left
    assert head_angles(np.stack([right, down, left])).round().tolist() == [[25, 0, 0], [0, 25, 0], [0, 0, 25]]


def test_no_faces_and_bad_points() -> None:
    assert head_angles(np.zeros((0, 68, 2))).shape == (0, 3)
    with pytest.raises(ValueError, match=r"\(N, 68, 2\)"):
        head_angles(np.zeros((68, 2)))
    with pytest.raises(ValueError, match="lie apart"):
        head_angles(np.zeros((1, 68, 2)))
    with pytest.raises(ValueError, match="finite"):
        head_angles(np.full((1, 68, 2), np.nan))
