"""What can be watched of a training: log lines, CSV, TensorBoard's events, pictures, best weights."""

from __future__ import annotations

import csv
import logging
import re
from pathlib import Path
from typing import Any

import cv2
import pytest
from lightning_fabric import Fabric

from tests.training.conftest import bumpy_head
from tvface.manifests import read
from tvface.manifests.dataset import DATASET
from tvface.model.clips import load_clips
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.runtime.logging import logger
from tvface.settings import Settings
from tvface.settings.phases import Phase
from tvface.training.checkpoint import CheckpointStore
from tvface.training.journal import CURVE, Journal
from tvface.training.loop import TrainingDiverged, fit
from tvface.training.phases import PhaseTask
from tvface.training.sampler import Sampler


def run(
    project: Path, tiny: Settings, folder: Path, steps: int = 6, kind: Any = PhaseTask, **options: Any
) -> tuple[list[list[Any]], list[int]]:
    """Train; return the curve's rows, and the steps of the best weights."""
    rows = read(project / "dataset.parquet", DATASET).rows
    clips = {part: load_clips(rows[rows["split"] == part], 32, tiny.masks.classes) for part in ("train", "validation")}
    task = kind(
        FaceModel(ModelSpec.of("deca", tiny.train, tiny.head, 0), bumpy_head()), "pretrain", tiny.train.pretrain
    )
    store = CheckpointStore(folder / "checkpoints", "same", 2, logger("train"))
    best: list[int] = []
    phase = Phase(**{"learning_rate": 1e-3, **options})
    curve = fit(
        *(Fabric(accelerator="cpu", devices=1), task, Sampler(clips["train"], 2, 3, 0), clips["validation"], steps),
        *(phase, tiny.train, store),
        journal=Journal(folder / "log", best.append),
    )
    return curve.rows, best


def recorded(folder: Path) -> list[list[str]]:
    with (folder / "log" / CURVE).open(encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


def test_everything_is_there_while_it_runs(
    project: Path, tiny: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        rows, best = run(project, tiny, tmp_path)
    assert [[str(value) for value in row] for row in rows] == recorded(tmp_path)
    lines = [record.getMessage() for record in caplog.records]
    shape = r"step 4 of 6: loss \S+ \(landmark .*\), rate 0.001, gradient \S+, \S+ images/s, 0:00:\d\d left"
    assert any(re.fullmatch(shape, line) for line in lines), lines
    assert any(line.startswith("step 4 of 6: validation ") for line in lines)
    assert list((tmp_path / "log").glob("events*"))
    picture = cv2.imread(str(tmp_path / "log" / "pictures" / "step_00000006.png"))
    windows = len({row[1] for row in rows if row[1] == "validation"}) and picture.shape[0] // (3 * 32)
    assert windows >= 1 and picture.shape == (windows * 3 * 32, 3 * 32, 3) and picture.std() > 5
    totals = {row[0]: row[3] for row in rows if row[1:3] == ["validation", "total"]}
    assert best == [step for step in totals if totals[step] == min(v for s, v in totals.items() if s <= step)]


def test_an_interrupted_training_records_what_a_whole_one_does(project: Path, tiny: Settings, tmp_path: Path) -> None:
    whole, best = run(project, tiny, tmp_path / "whole")
    run(project, tiny, tmp_path / "cut", steps=4)
    (tmp_path / "cut" / "checkpoints" / "step_00000004.pt").unlink()  # rows of steps 3 and 4 are recorded already
    _, later = run(project, tiny, tmp_path / "cut")
    assert recorded(tmp_path / "cut") == recorded(tmp_path / "whole") == [[str(v) for v in row] for row in whole]
    assert later == [step for step in best if step > 2]


def test_long_gradients_are_shortened(project: Path, tiny: Settings, tmp_path: Path) -> None:
    """Adam forgets the length of all gradients but not of single ones: with a small limit other weights come out."""
    free, _ = run(project, tiny, tmp_path / "free")
    wide, _ = run(project, tiny, tmp_path / "wide", clip_norm=1e9)
    tight, _ = run(project, tiny, tmp_path / "tight", clip_norm=1e-8)
    assert [row[3] for row in wide] == pytest.approx([row[3] for row in free])
    last = [rows[-1][3] for rows in (free, tight)]
    assert last[0] != pytest.approx(last[1], rel=1e-4)


class Unsound(PhaseTask):
    """Gives a validation that is not a number."""

    def forward(self, window: Any, step: int | None) -> dict[str, Any]:
        terms = super().forward(window, step)
        return {**terms, "landmark": terms["landmark"] * float("nan")} if step is None else terms


def test_a_validation_that_is_no_number_stops_the_training(project: Path, tiny: Settings, tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"validation after step 0 is not finite: landmark nan"):
        run(project, tiny, tmp_path, kind=Unsound)
