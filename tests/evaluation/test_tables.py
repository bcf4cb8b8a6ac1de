"""Numbers of ``evaluate`` where little or nothing is there to judge: undefined is said, nothing is warned."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tvface.evaluation.curves import curve_metrics
from tvface.evaluation.labels import mask_metrics
from tvface.evaluation.models import point_metrics
from tvface.evaluation.table import MetricTable
from tvface.manifests.evaluate import EVALUATE
from tvface.manifests.train import TRAIN
from tvface.media.images import encode_png
from tvface.media.tarstore import TarWriter

pytestmark = pytest.mark.filterwarnings("error")


def values(table: MetricTable) -> dict[str, tuple[float, int]]:
    """Value and samples by metric; an undefined value is nan."""
    rows = table.rows()
    assert list(rows.columns) == [column.name for column in EVALUATE.columns]
    numbers = rows["value"].astype(float)
    return dict(zip(rows["metric"], zip(numbers, rows["samples"], strict=True), strict=True))


def crops(*lengths: int) -> pd.DataFrame:
    """Sequences of so many frames whose points move by a fixed pattern beside the truth."""
    rng = np.random.default_rng(0)
    true = rng.uniform(20, 200, (68, 2))
    rows = []
    for number, length in enumerate(lengths):
        for position in range(length):
            moved = true + (-1) ** position
            rows.append((f"e.{number}", position, moved.ravel(), true.ravel(), np.eye(2, 3).ravel()))
    return pd.DataFrame(rows, columns=["sequence", "position", "points68", "true68", "transform"])


def test_jitter_counts_the_sequences_that_are_long_enough() -> None:
    table, short, nothing = MetricTable(), MetricTable(), MetricTable()
    point_metrics(table, crops(6, 2, 6), "deca, trained", truth=True)
    jitter, samples = values(table)["jitter"]
    eyes = np.linalg.norm(np.subtract(*crops(1)["true68"][0].reshape(68, 2)[[36, 45]]))
    # The error goes up and down by 2 px in x and in y: a second difference of 4 px each.
    assert jitter == pytest.approx(100 * 4 * np.sqrt(2) / eyes) and samples == 2
    point_metrics(short, crops(2, 1), "deca, trained", truth=True)
    assert np.isnan(values(short)["jitter"][0]) and values(short)["jitter"][1] == 0
    assert values(short)["reprojection_nme"][1] == 3
    point_metrics(nothing, crops(), "deca, trained", truth=True)
    assert nothing.rows().empty


def test_a_training_without_a_loss_has_no_ratio() -> None:
    table = MetricTable()
    rows = [("deca", "coarse", step, "train", "total", 0.0) for step in range(3)]
    curve_metrics(table, pd.DataFrame(rows, columns=[column.name for column in TRAIN.columns]))
    by_metric = values(table)
    assert by_metric["loss_last"][0] == 0 and np.isnan(by_metric["loss_ratio"][0])
    table = MetricTable()
    curve_metrics(table, TRAIN.empty())
    assert table.rows().empty


def test_masks_of_crops_that_hold_no_face_are_undefined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    labels = np.zeros((2, 16, 16), np.uint8)
    labels[1, 4:12, 4:12] = 1
    with TarWriter("labels.tar") as store:
        stored = [store.add(f"{number}.png", encode_png(one)) for number, one in enumerate(labels)]
    names = ["labels_file", "labels_offset", "labels_length"]
    rows = pd.DataFrame(stored, columns=names).assign(episode="e", source_frame=[0, 1])
    crops = rows.assign(transform=[np.eye(2, 3).ravel()] * 2)
    for part, expected in ((slice(0, 1), (np.nan, 0)), (slice(0, 2), (1.0, 1))):
        table = MetricTable()
        mask_metrics(table, crops.iloc[part], rows, [1], "compact")
        assert values(table)["face_iou"] == pytest.approx(expected, nan_ok=True)
        assert values(table)["face_iou_worst"] == pytest.approx(expected, nan_ok=True)
