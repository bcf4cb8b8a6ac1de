"""The solver finds known codes again; priors, gaps and smoothing do what they are for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.fitting.conftest import talking
from tvface.evaluation.geometry import align_similarity
from tvface.evaluation.models import face_vertices
from tvface.fitting.energy import EYE_DISTANCE, Energy, Unknowns, pseudo_huber
from tvface.fitting.solver import solve
from tvface.fitting.start import place
from tvface.settings.fit import Fit


def nme(codes, head, points) -> np.ndarray:
    return 100 * np.linalg.norm(codes.points(head) - points, axis=-1).mean(1) / EYE_DISTANCE


@pytest.fixture(scope="module")
def person(small, names):
    return talking(small, names, 24)


@pytest.fixture(scope="module")
def fitted(small, names, person):
    return solve(small, person.observed, Fit(), names)


def test_a_restricted_head_gives_the_same_points_and_vertices(full):
    vertices = torch.tensor([17, 5, 4000])
    small = full.restricted(vertices)
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(3, 100, generator=generator), torch.rand(3, 52, generator=generator)
    pose = torch.randn(3, 6, generator=generator) * 0.4
    whole, part = full(*codes, pose), small(*codes, pose)
    assert len(small.v_template) < 500
    torch.testing.assert_close(part.vertices[:, :3], whole.vertices[:, vertices], atol=1e-6, rtol=0)
    torch.testing.assert_close(part.landmarks2d, whole.landmarks2d, atol=1e-6, rtol=0)
    torch.testing.assert_close(part.landmarks3d, whole.landmarks3d, atol=1e-6, rtol=0)


def test_the_rigid_start_finds_pose_and_place_of_the_resting_head(small):
    rotation = np.array([[0.2, -0.5, 0.1], [0.0, 0.6, 0.3], [-0.3, 0.05, -0.4]], np.float32)
    rest = torch.zeros(3, 100), torch.zeros(3, 52)
    pose = torch.from_numpy(np.concatenate([rotation, np.zeros((3, 3), np.float32)], 1))
    points = 1.7 * (small(*rest, pose).landmarks2d[..., :2].numpy() + np.array([0.03, -0.05], np.float32))
    found = place(small, points, np.ones((3, 68)), np.zeros(100, np.float32))
    np.testing.assert_allclose(found.rotation, rotation, atol=2e-3)
    np.testing.assert_allclose(found.scale, 1.7, rtol=1e-3)
    np.testing.assert_allclose(found.shift, [[0.03, -0.05]] * 3, atol=3e-4)


def test_exact_points_give_back_the_person(data, small, full, person, fitted):
    assert nme(fitted, small, person.observed.points).mean() < 1.0

    def neutral(shape):
        rest = torch.zeros(1, 52), torch.zeros(1, 6)
        vertices = full(torch.from_numpy(np.asarray(shape, np.float32))[None], *rest).vertices[0].detach().numpy()
        return vertices[face_vertices(data)]

    def error(shape):
        truth = neutral(person.codes.shape)
        return np.linalg.norm(align_similarity(neutral(shape), truth) - truth, axis=1).mean()

    assert error(fitted.shape) < 0.75 * error(np.zeros(100))
    assert np.abs(fitted.rotation - person.codes.rotation).max() < 0.06
    assert np.corrcoef(fitted.jaw[:, 0], person.codes.jaw[:, 0])[0, 1] > 0.97


def test_lips_open_as_far_as_the_points_say(small, person, fitted):
    gap = [points[:, 66, 1] - points[:, 62, 1] for points in (fitted.points(small), person.observed.points)]
    slope = np.polyfit(gap[1], gap[0], 1)[0]
    assert 0.93 < slope < 1.07 and np.corrcoef(*gap)[0, 1] > 0.99


def test_wrong_points_hardly_move_the_head(small, names, person, fitted):
    rng = np.random.default_rng(1)
    wrong = rng.random((24, 68)) < 0.1
    points = person.observed.points + wrong[..., None] * rng.normal(0, 0.2 * EYE_DISTANCE, (24, 68, 2))
    other = solve(small, replace(person.observed, points=points.astype(np.float32)), Fit(), names)
    assert nme(other, small, fitted.points(small)).mean() < 1.0


def test_points_without_confidence_do_not_count(small, names, person, fitted):
    points, confidence = person.observed.points.copy(), person.observed.confidence.copy()
    points[:, 48:] += 0.3 * EYE_DISTANCE
    confidence[:, 48:] = 0
    other = solve(small, replace(person.observed, points=points, confidence=confidence), Fit(), names)
    upper = slice(17, 48)
    apart = np.linalg.norm(other.points(small)[:, upper] - person.observed.points[:, upper], axis=-1)
    assert 100 * apart.mean() / EYE_DISTANCE < 1.0


def test_smoothing_takes_noise_out_at_the_full_rate_only(small, names):
    noisy = talking(small, names, 24, noise=0.01 * EYE_DISTANCE)

    def bend(smoothness, slower=1):
        observed = replace(noisy.observed, time=noisy.observed.time * slower)
        points = solve(small, observed, Fit(smoothness=smoothness), names).points(small)
        return np.linalg.norm(np.diff(points, n=2, axis=0), axis=-1).mean()

    assert bend(2.0) < 0.75 * bend(0.0)
    assert bend(2.0, slower=10) > 0.85 * bend(0.0)


def test_a_given_shape_stays_and_a_start_is_used(small, names, person, fitted):
    shape = np.full(100, 0.25, np.float32)
    kept = solve(small, person.observed, Fit(steps=5), names, shape=shape)
    np.testing.assert_array_equal(kept.shape, shape)
    again = solve(small, person.observed, Fit(steps=1), names, start=fitted)
    assert np.abs(again.points(small) - fitted.points(small)).max() < 0.002


def test_the_same_frames_give_the_same_codes(small, names, person, fitted):
    again = solve(small, person.observed, Fit(), names)
    for name in ("shape", "expression", "rotation", "scale"):
        np.testing.assert_array_equal(getattr(again, name), getattr(fitted, name))


def test_face_units_stay_between_rest_and_full(fitted):
    assert fitted.expression.min() > -0.35 and fitted.expression.max() < 1.35


def test_a_pca_has_no_such_bounds(small, person):
    codes = person.codes
    unknowns = Unknowns(*(torch.from_numpy(getattr(codes, name)) for name in Unknowns._fields))
    below = unknowns._replace(expression=unknowns.expression - 1)
    units, columns = (Energy(small, person.observed, Fit(), given, True) for given in (["a"] * 52, []))
    assert units.prior(below) > columns.prior(below) + 100


def test_pseudo_huber_is_half_the_square_near_zero_and_linear_far_away():
    near, far, farther = (float(pseudo_huber(torch.tensor([value, 0.0]))) for value in (0.1, 100.0, 101.0))
    assert near == pytest.approx(0.005, rel=0.01) and farther - far == pytest.approx(2.0, rel=0.01)
