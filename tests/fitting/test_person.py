"""The fit of a whole person: pieces, verdicts, coordinates, bridges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from tests.fitting.conftest import observed, talking
from tvface.fitting import person as person_module
from tvface.fitting.bridges import bridged
from tvface.fitting.observed import Observed, triples
from tvface.fitting.person import deciding_rows, fit_person, pieces
from tvface.fitting.placed import observe
from tvface.fitting.verdicts import judge, residuals
from tvface.head.camera import project
from tvface.manifests.fit import FITTED
from tvface.settings.fit import Fit

QUICK = Fit(steps=40, frames=12)


def empty(lengths: list[int]) -> Observed:
    segment = np.repeat(np.arange(len(lengths)), lengths)
    return observed(np.zeros((len(segment), 68, 2)), np.arange(len(segment)) / 3, segment)


def test_pieces_are_small_share_frames_inside_a_segment_and_miss_none():
    rows = list(pieces(empty([60, 60, 300, 5])))
    assert all(len(piece) <= person_module.PIECE for piece in rows)
    assert set(np.concatenate(rows)) == set(range(425))
    long = [piece for piece in rows if 120 <= piece[0] < 420]
    assert len(np.intersect1d(long[0], long[1])) == person_module.OVERLAP
    assert len(np.intersect1d(rows[0], rows[1])) == 0, "segments are not cut without need"


def test_pieces_pass_into_each_other(small, names, monkeypatch):
    shown = talking(small, names, 40, noise=3e-4)
    monkeypatch.setattr(person_module, "PIECE", 20)
    monkeypatch.setattr(person_module, "OVERLAP", 6)
    fit = fit_person(small, shown.observed, QUICK, names)
    jumps = np.abs(np.diff(fit.codes.points(small), axis=0)).max((1, 2))
    assert len(fit.codes) == 40 and (fit.verdict == FITTED).all()
    assert jumps.max() < 3 * np.median(jumps)


def test_failed_frames_are_named_and_do_not_bend_the_shape(small, names):
    shown = talking(small, names, 20)
    shown = replace(shown, observed=replace(shown.observed, time=10 * shown.observed.time))  # sampled at 3 frames/s
    clean = fit_person(small, shown.observed, QUICK, names)
    points, confidence = shown.observed.points.copy(), shown.observed.confidence.copy()
    rng = np.random.default_rng(0)
    points[4] = rng.uniform(-0.1, 0.1, (68, 2))
    middle = points[9].mean(0)
    points[9] = middle + 0.6 * (points[9] - middle)
    confidence[14, :40] = 0.0
    fit = fit_person(small, replace(shown.observed, points=points, confidence=confidence), QUICK, names)
    assert fit.verdict[4] == "residual" and fit.verdict[9] == "jump" and fit.verdict[14] == "few_points"
    good = np.delete(np.arange(20), [4, 9, 14])
    assert (fit.verdict[good] == FITTED).all() and (clean.verdict == FITTED).all()
    assert np.sqrt(np.mean((fit.codes.shape - clean.codes.shape) ** 2)) < 0.3


def test_frames_that_all_decide_the_shape_are_fitted_once(small, names, monkeypatch):
    shown, calls, solve = talking(small, names, 12), [], person_module.solve

    def counted(*given, **named):
        calls.append(len(given[1]))
        return solve(*given, **named)

    monkeypatch.setattr(person_module, "solve", counted)
    once = fit_person(small, shown.observed, QUICK, names)
    assert calls == [12]
    twice = fit_person(small, shown.observed, replace(QUICK, frames=11), names)
    assert calls == [12, 11, 12]
    apart = np.linalg.norm(once.codes.points(small) - twice.codes.points(small), axis=-1)
    assert apart.mean() < 0.001, "metres of the head"


def test_a_caricature_is_named(small, names):
    shown = talking(small, names, 4)
    wild = replace(shown.codes, shape=np.full(100, 2.0, np.float32))
    near = residuals(wild.points(small), observed(wild.points(small), shown.observed.time))
    assert (judge(wild, near, shown.observed, Fit(max_jump=9.0)) == "shape").all()


def test_bad_frames_are_bridged_in_time():
    codes = talking_codes(5)
    good = np.array([True, False, True, True, False])
    result = bridged(codes, good, np.array([0.0, 0.25, 1.0, 2.0, 3.0]))
    np.testing.assert_allclose(result.scale, [1.0, 1.5, 3.0, 4.0, 4.0])
    np.testing.assert_array_equal(bridged(codes, np.zeros(5, bool), np.arange(5.0)).scale, codes.scale)


def talking_codes(count: int):
    from tvface.fitting.codes import FittedCodes

    zero = np.zeros((count, 3), np.float32)
    return FittedCodes(
        np.zeros(2, np.float32), zero, zero, zero, np.arange(1, count + 1, dtype=np.float32), zero[:, :2]
    )


def test_deciding_frames_lie_over_all():
    rows = deciding_rows(empty([50, 50]), 10)
    assert len(rows) == 10 and rows[0] == 0 and rows[-1] == 99 and np.ptp(np.diff(rows)) <= 1
    assert list(deciding_rows(empty([3]), 10)) == [0, 1, 2]


def test_uneven_neighbours_and_other_segments_bend_nothing():
    frames = observed(np.zeros((7, 68, 2)), np.array([0, 1, 2, 4, 5, 6, 7]) / 3, np.array([0, 0, 0, 0, 1, 1, 1]))
    middle, rate = triples(frames)
    assert list(middle) == [1, 5]
    np.testing.assert_allclose(rate, 3.0)


def test_cameras_of_moving_crops_put_the_head_where_the_points_are(small, full, names):
    """Crops that move and differ in size from frame to frame; the fit works in the picture."""
    shown = talking(small, names, 6)
    picture = 300 + 2000 * shown.observed.points * [1, -1]
    zoom = np.linspace(0.4, 0.6, 6)
    transform = np.zeros((6, 2, 3))
    transform[:, 0, 0] = transform[:, 1, 1] = zoom
    transform[:, 0, 2], transform[:, 1, 2] = np.linspace(-20, 5, 6), np.linspace(-30, -10, 6)
    crop = np.einsum("tij,tnj->tni", transform[:, :, :2], picture) + transform[:, None, :, 2]
    seen, placed = observe(small, crop, np.ones((6, 68)), transform, np.zeros(6, int), shown.observed.time, 224)
    np.testing.assert_allclose(placed.to_crop(seen.points), crop, atol=1e-3)
    codes = fit_person(small, seen, QUICK, names).codes
    shape = torch.from_numpy(codes.shape).expand(6, -1)
    head = full(shape, torch.from_numpy(codes.expression), torch.from_numpy(codes.pose))
    projected = project(head.landmarks2d, torch.from_numpy(placed.camera(codes))).numpy()[..., :2]
    np.testing.assert_allclose((projected + 1) / 2 * 224 - 0.5, placed.to_crop(codes.points(small)), atol=0.02)
    back = placed.codes(
        {"shape": shape.numpy(), "expression": codes.expression, "pose": codes.pose, "camera": placed.camera(codes)}
    )
    for name in ("scale", "shift", "rotation", "jaw"):
        np.testing.assert_allclose(getattr(back, name), getattr(codes, name), atol=1e-5)


def test_wrong_shapes_and_numbers_are_refused():
    with pytest.raises(ValueError, match="confidence"):
        replace(empty([3]), confidence=np.ones((3, 60), np.float32))
    with pytest.raises(ValueError, match="not finite"):
        replace(empty([3]), points=np.full((3, 68, 2), np.nan, np.float32))
