"""The learning rate over a phase."""

import itertools

import pytest

from tvface.training.schedule import learning_rate


def test_constant_and_falling_rates() -> None:
    assert [learning_rate(1e-4, step, 10, "constant") for step in (0, 5, 9)] == [1e-4] * 3
    rates = [learning_rate(1e-3, step, 100, "cosine") for step in range(100)]
    assert rates[0] == 1e-3 and rates[50] == pytest.approx(5e-4)
    assert all(a > b > 0 for a, b in itertools.pairwise(rates)) and rates[-1] < 1e-6
    with pytest.raises(ValueError, match="cosine"):
        learning_rate(1e-3, 0, 1, "step")  # type: ignore[arg-type]
