"""The table of episodes and the histograms of scores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tvface.reporting.histograms import BINS, Histograms
from tvface.reporting.quality import LABELS, SCORES, collect, label_scores
from tvface.settings.data import Sequences
from tvface.settings.model import Dataset


def episode(folder: Path, name: str, show: str, frames: int, reasons: list[str]) -> tuple[Path, Path]:
    """Write the columns that are read of both manifests: a face per reason, two persons by turns."""
    rng = np.random.default_rng(len(name) + frames)
    first, second = folder / f"{name}.parquet", folder / f"{name}.candidates.parquet"
    pd.DataFrame({"show": show, "episode": name, "shot": np.arange(frames) // 5}).to_parquet(first)
    count = len(reasons)
    faces = pd.DataFrame(
        {
            "track": np.arange(count) % 3,
            "person": ["-" if reason == "dropped_by_hand" else f"p{k % 2:03d}" for k, reason in enumerate(reasons)],
            "reason": reasons,
            "sequence": [f"{name}.0" if reason == "used" else None for reason in reasons],
        }
    )
    for score in SCORES:
        faces[score.column] = rng.uniform(score.low, score.high * 1.2, count).astype(np.float32)
    faces.loc[0, "shift"] = np.nan  # the first face of a track has no frame before
    faces.to_parquet(second)
    return first, second


def test_episodes_are_counted_and_summed_by_show(tmp_path: Path) -> None:
    paths = [
        episode(tmp_path, "a1", "a", 20, ["used"] * 10 + ["small"] * 3 + ["blurred"]),
        episode(tmp_path, "a2", "a", 10, ["other_face"] * 4 + ["dropped_by_hand"]),
        episode(tmp_path, "b1", "b", 5, ["used"] * 2),
    ]
    quality = collect([first for first, _ in paths], [second for _, second in paths])
    table = quality.table()
    assert table["episode"].tolist() == ["all 2", "all 1", "a1", "a2", "b1"]
    assert table["frames"].tolist() == [30, 5, 20, 10, 5] and table["shots"].tolist() == [6, 1, 4, 2, 1]
    assert table["faces used"].tolist() == [12 - 2, 2, 10, 0, 2]
    assert table["people"].tolist() == [2, 2, 2, 2, 2]  # whoever is dropped by hand is nobody
    assert table["sequences"].tolist() == [1, 1, 1, 0, 1]
    assert table["dropped most"].tolist() == [
        "other_face 4, small 3, blurred 1",
        "",
        "small 3, blurred 1",
        "other_face 4, dropped_by_hand 1",
        "",
    ]
    # Every known score is in one bin of one histogram; what lies beyond the axis is at its end.
    for score in SCORES:
        total = quality.faces.used[score.column] + quality.faces.dropped[score.column]
        assert len(total) == BINS and total.sum() == 21 - 3 * (score.column == "shift")
    assert total[-1] > 0
    picture = quality.faces.picture(Sequences(), "in a sequence")
    assert picture is not None and picture.ndim == 3 and picture.std() > 20


def test_of_many_episodes_the_poorest_are_listed(tmp_path: Path) -> None:
    paths = [episode(tmp_path, f"e{k}", "s", 10, ["used"] * k + ["small"]) for k in range(6)]
    table = collect([first for first, _ in paths], [second for _, second in paths]).table(most=3)
    assert table["episode"].tolist() == ["all 6", "e0", "e1", "e2"]


def test_nothing_to_show_and_strays(tmp_path: Path) -> None:
    first, second = episode(tmp_path, "empty", "s", 0, ["used"])
    pd.read_parquet(second).iloc[:0].to_parquet(second)
    quality = collect([first], [second])
    assert quality.faces.picture(Sequences(), "in a sequence") is None
    assert quality.table()["faces"].tolist() == [0, 0]
    assert collect([], []).table().empty
    with pytest.raises(ValueError, match=r"different episodes: \['empty'\]"):
        collect([first], [])


def test_scores_of_labels_tell_what_the_dataset_kept(tmp_path: Path) -> None:
    sequence = ["a"] * 3 + ["b"] * 2
    points = pd.DataFrame({"sequence": sequence, "score": [0.9] * 3 + [0.1] * 2, "instability": [0.01] * 4 + [None]})
    masks = pd.DataFrame({"sequence": sequence, "face": [0.5, 0.5, 0.7, 0.02, 1.0]})
    for name, rows in (("points", points), ("masks", masks)):
        rows.to_parquet(tmp_path / f"{name}.parquet")
    counts = label_scores([tmp_path / "points.parquet"], [tmp_path / "masks.parquet"], {"a"})
    totals = {name: (int(counts.used[name].sum()), int(counts.dropped[name].sum())) for name in counts.used}
    assert totals == {"score": (3, 2), "instability": (3, 1), "face": (3, 2)}
    assert counts.used["score"][54] == 3 and counts.dropped["score"][6] == 2 and counts.dropped["face"][-1] == 1
    picture = counts.picture(Dataset(), "in the dataset", columns=3)
    assert picture is not None and picture.shape[1] > 2 * picture.shape[0] and picture.std() > 20
    assert label_scores([], [], set()).picture(Dataset(), "in the dataset", columns=3) is None


@pytest.mark.parametrize("columns", [1, 2, 4, 5])
def test_histograms_stand_on_any_number_of_columns(columns: int) -> None:
    counts = Histograms(LABELS)
    counts.add(pd.DataFrame({"score": [0.2, 0.9]}), np.array([False, True]))
    picture = counts.picture(Dataset(), "in the dataset", columns)
    assert picture is not None and picture.std() > 8
    assert picture.shape[1] == pytest.approx(columns * 3.25 * 90, abs=2)
