"""Verification figures against hand-counted ones."""

import numpy as np
import pytest

from tvface.evaluation.verification import pairs, verify


def test_hand_counted() -> None:
    verification = verify(np.array([0.1, 0.2, 0.6]), np.array([0.5, 0.7, 0.8, 0.9]))
    assert verification.area == pytest.approx(11 / 12), "one of twelve comparisons is wrong"
    assert verification.true_accepts == pytest.approx(2 / 3) and (verification.same, verification.different) == (3, 4)
    assert verification.equal_error == pytest.approx((1 / 3 + 1 / 4) / 2)


def test_the_ends_of_the_scale() -> None:
    near, far = np.linspace(0, 0.4, 50), np.linspace(0.5, 1, 200)
    right, wrong = verify(near, far), verify(far, near)
    assert (right.area, right.equal_error, right.true_accepts) == (1, 0, 1)
    assert (wrong.area, wrong.true_accepts) == (0, 0) and wrong.equal_error == pytest.approx(1, abs=0.02)
    assert verify(np.ones(3), np.ones(4)).area == pytest.approx(0.5)


def test_true_accepts_follow_the_allowed_false_ones() -> None:
    same, different = np.arange(100) / 100, np.arange(100) / 100 + 0.5
    assert verify(same, different, 0.0).true_accepts == pytest.approx(0.5)
    assert verify(same, different, 0.1).true_accepts == pytest.approx(0.6)


def test_both_kinds_are_needed() -> None:
    with pytest.raises(ValueError, match="both are needed"):
        verify(np.ones(2), np.ones(0))


def test_pairs_of_one_take_are_left_out() -> None:
    vectors = np.eye(4, dtype=np.float32)
    same, different = pairs(vectors, np.array([0, 0, 0, 1]), np.array([0, 0, 1, 0]))
    assert len(same) == 2 and len(different) == 3
    assert np.allclose(np.concatenate([same, different]), np.sqrt(2))
