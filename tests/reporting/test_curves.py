"""Training curves as a picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from tvface.manifests.train import TRAIN
from tvface.reporting.curves import training_curves

pytestmark = pytest.mark.filterwarnings("error")


def curves(model: str = "deca", phase: str = "pretrain", steps: int = 5, scale: float = 1.0) -> pd.DataFrame:
    """Rows of a training whose losses fall: two terms and their sum, and a total on the validation part."""
    rows = [
        (model, phase, step, part, term, scale * share / (1 + step))
        for step in range(steps)
        for part, term, share in (
            ("train", "landmark", 0.7),
            ("train", "shape", 0.3),
            ("train", "total", 1.0),
            ("validation", "total", 1.2),
        )
    ]
    return pd.DataFrame(rows, columns=[column.name for column in TRAIN.columns])


def test_no_rows_give_no_picture() -> None:
    assert training_curves(TRAIN.empty()) is None


def test_a_column_per_phase_and_a_line_of_axes_per_model() -> None:
    one = training_curves(curves())
    rows = [
        curves(model, phase, scale=2 if model == "deca" else 1)
        for model in ("deca", "temporal")
        for phase in ("pretrain", "coarse", "detail")
    ]
    all_ = training_curves(pd.concat(rows, ignore_index=True))
    assert one is not None and all_ is not None
    assert all_.shape == (one.shape[0] * 3 // 2, one.shape[1] * 3, 3)
    # Every third of the picture holds the colours of both models' total loss.
    for part in np.split(all_[: one.shape[0] // 2], 3, axis=1):
        for colour in ((31, 119, 180), (255, 127, 14)):
            assert (np.abs(part.astype(int) - colour).max(-1) < 3).sum() > 20


def test_a_phase_of_one_logged_step_is_seen() -> None:
    picture = training_curves(curves(steps=1))
    assert picture is not None
    blue = np.abs(picture.astype(int) - (31, 119, 180)).max(-1) < 40
    # Lines, as the legend's, are two pixels wide; the dot is wider.
    assert sliding_window_view(blue, (3, 3)).all((2, 3)).any()


@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e30])
def test_losses_of_any_size_are_drawn(scale: float) -> None:
    picture = training_curves(curves(scale=scale))
    assert picture is not None and picture.std() > 8


def test_a_model_that_lacks_a_phase_leaves_its_axes_empty() -> None:
    rows = pd.concat([curves("deca"), curves("deca", "coarse"), curves("temporal")], ignore_index=True)
    picture = training_curves(rows)
    assert picture is not None and picture.std() > 8
