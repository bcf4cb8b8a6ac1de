"""The table of lights and skins: what is known of the measurements comes back."""

from __future__ import annotations

import numpy as np
import pytest

from tvface.bundled.light_prior import EXPOSURE, centre_and_scatter, shapes, table
from tvface.fitting.light_prior import level


def test_outliers_move_neither_centre_nor_scatter() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(0.3, 0.1, (800, 3))
    rows[:40] -= 3
    centre, scatter = centre_and_scatter(rows)
    assert np.abs(centre - 0.3).max() < 0.02
    assert np.sqrt(np.diag(scatter)).max() < 0.12 < rows.std()


def test_the_table_holds_exposure_and_whites() -> None:
    rng = np.random.default_rng(0)
    skin = rng.uniform(0.2, 0.7, (500, 1)) * np.array([1.2, 0.9, 0.7])
    dark = np.log(skin.mean(1, keepdims=True))
    seen = np.log(skin) + EXPOSURE * dark - 0.4 + rng.normal(0, 0.1, (500, 3))
    white = -0.2 + 0.6 * dark - np.log(skin) + rng.normal(0, 0.05, (500, 3))
    white[::7] = np.nan
    made = table(np.zeros(27), np.eye(27), skin, skin, (seen, seen - 0.1), (white, white))
    assert np.abs(made.centres[0] + 0.4).max() < 0.03 and np.abs(made.centres[1] + 0.5).max() < 0.03
    assert np.abs(made.whites - np.array([[-0.2], [0.6]])).max() < 0.03
    person = 250
    expected = made.skin(np.repeat(seen[person : person + 1], 3, 0), white[person])
    assert expected == pytest.approx(skin[person], abs=0.1)


def test_shapes_have_the_level_one_and_equal_seeds_give_equal_shapes() -> None:
    mean, covariance = shapes(np.random.default_rng(3), 40)
    again, _ = shapes(np.random.default_rng(3), 40)
    assert level(mean.reshape(9, 3)) == pytest.approx(np.ones(3), abs=1e-5)
    assert covariance.shape == (27, 27) and np.array_equal(mean, again)
