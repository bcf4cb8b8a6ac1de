"""Landmark errors, jitter, transforms and mask overlaps against values worked out by hand."""

import numpy as np
import pandas as pd
import pytest

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


def test_transforms_invert(face):
    transform = np.array([[[2.0, 0.1, 5], [-0.1, 2.0, -3]]])
    there = points.apply_transform(transform, face)
    assert points.apply_transform(points.invert_transform(transform), there) == pytest.approx(face)


def test_mask_iou_and_class_iou():
    truth = np.zeros((4, 4), np.uint8)
    truth[:2] = 1
    own = np.zeros((4, 4), np.uint8)
    own[1:3] = 1
    assert regions.mask_iou(own == 1, truth == 1) == pytest.approx(1 / 3)
    assert np.isnan(regions.mask_iou(own == 9, truth == 9))
    scores = regions.class_iou(regions.confusion(own, truth))
    assert scores == pytest.approx({"background": 1 / 3, "skin": 1 / 3})
    assert regions.in_classes(own, (1, 6)).sum() == 8


def test_curve_ratio_uses_a_tenth_of_the_steps():
    rows = pd.DataFrame({"step": range(20), "value": np.linspace(2, 1, 20)})
    rows = rows.assign(model="deca", phase="coarse", part="train", term="total")
    table = MetricTable()
    curve_metrics(table, rows)
    found = table.rows().set_index("metric")["value"]
    assert found["loss_ratio"] == pytest.approx(rows["value"][-2:].mean() / rows["value"][:2].mean())
