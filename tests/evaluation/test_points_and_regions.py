"""Landmark errors, jitter, transforms and mask overlaps against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

from tvface.conventions import points68
from tvface.evaluation import points, regions
from tvface.evaluation.curves import curve_metrics
from tvface.evaluation.table import MetricTable


@pytest.fixture
def face():
    generator = np.random.default_rng(0)
    shape = generator.uniform(0, 100, (1, 68, 2))
    shape[0, 36], shape[0, 45] = (20, 50), (70, 50)
    return shape


def test_nme_of_a_shift_is_the_shift_over_the_eye_distance(face):
    assert points.normalised_mean_error(face + np.array([3.0, 4.0]), face) == pytest.approx([5 / 50])


def test_jitter_ignores_smooth_motion_and_sees_noise(face):
    steady = np.concatenate([face + 2.0 * t for t in range(6)])
    assert points.jitter(steady) == pytest.approx(0, abs=1e-12)
    noisy = steady + np.random.default_rng(1).normal(0, 1, steady.shape)
    assert points.jitter(noisy, steady) > 0.02
    assert np.isnan(points.jitter(face))


def test_temporal_noise_is_that_of_white_noise_whatever_the_speed():
    generator = np.random.default_rng(2)
    steps = np.arange(300)[:, None, None]
    steady = np.ones((300, 20, 2)) * (5.0, 7.0) + steps * (0.3, -1.1)
    assert points.temporal_noise(steady) == pytest.approx(0, abs=1e-9)
    noisy = steady + generator.normal(0, 0.8, steady.shape)
    assert points.temporal_noise(noisy) == pytest.approx(0.8 * np.sqrt(2), rel=0.03)
    curved = steady + 0.5 * steps**2
    assert points.temporal_noise(curved) == pytest.approx(np.sqrt(2) / np.sqrt(6))
    assert np.isnan(points.temporal_noise(steady[:2]))


def test_parts_are_the_68_points():
    assert sorted(np.concatenate([np.arange(68)[part] for part in points68.PARTS.values()])) == list(range(68))


def test_reliability_counts_what_came_true():
    confidence = np.array([0.1, 0.1, 0.3, 0.9, 0.9, 1.0, 0.95])
    right = np.array([False, True, False, True, True, True, False])
    rows = points.reliability(confidence, right)
    assert [row[2] for row in rows] == [2, 1, 0, 0, 4]
    assert rows[0][:2] == pytest.approx((0.1, 0.5)) and rows[4][:2] == pytest.approx((0.9375, 0.75))
    assert np.isnan(rows[2][0])
    assert points.calibration_error(rows) == pytest.approx((2 * 0.4 + 0.3 + 4 * 0.1875) / 7)


def test_calibrated_probabilities_have_no_calibration_error():
    generator = np.random.default_rng(3)
    confidence = generator.uniform(0, 1, 40000)
    rows = points.reliability(confidence, generator.uniform(0, 1, 40000) < confidence)
    assert points.calibration_error(rows) < 0.02
    assert np.isnan(points.calibration_error(points.reliability(np.zeros(0), np.zeros(0, bool))))


def test_transforms_invert(face):
    transform = np.array([[[2.0, 0.1, 5], [-0.1, 2.0, -3]]])
    there = points.apply_transform(transform, face)
    assert points.apply_transform(points.invert_transform(transform), there) == pytest.approx(face)


def test_mask_iou_and_class_iou():
    truth = np.zeros((4, 4), np.uint8)
    truth[:2] = 1
    predicted = np.zeros((4, 4), np.uint8)
    predicted[1:3] = 1
    assert regions.mask_iou(predicted == 1, truth == 1) == pytest.approx(1 / 3)
    assert np.isnan(regions.mask_iou(predicted == 9, truth == 9))
    scores = regions.class_iou(regions.confusion(predicted, truth))
    assert scores == pytest.approx({"background": 1 / 3, "skin": 1 / 3})
    assert regions.in_classes(predicted, (1, 6)).sum() == 8


def test_curve_ratio_uses_a_tenth_of_the_steps():
    rows = pd.DataFrame({"step": range(20), "value": np.linspace(2, 1, 20)})
    rows = rows.assign(model="deca", phase="coarse", part="train", term="total")
    table = MetricTable()
    curve_metrics(table, rows)
    values = table.rows().set_index("metric")["value"]
    assert values["loss_ratio"] == pytest.approx(rows["value"][-2:].mean() / rows["value"][:2].mean())
