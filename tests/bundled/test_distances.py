"""The distances of an embedder are measured on the crops that it takes."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.bundled.test_identity import striped
from tests.bundled.test_people import store
from tvface.bundled.distances import main, measure
from tvface.embedders.appearance import Backend
from tvface.settings.data import Faces


def test_an_embedder_that_tells_all_apart(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = striped(12, each=4)
    figures = measure(Backend(Faces(), torch.device("cpu")), people)
    assert figures["ROC area"] > 0.99 and figures["pairwise precision at it"] > 0.99
    assert figures["distance to a take's mean, 99 %"] < figures["distance within a take, 99 %"] < 0.9
    store(people, tmp_path / "people_0000.npz")
    main(["appearance", "--crops", str(tmp_path)])
    assert f"ROC area                         {figures['ROC area']:.4f}" in capsys.readouterr().out


def test_embedders_of_other_crops_are_refused() -> None:
    class Boxes(Backend):
        crop = "box"

    with pytest.raises(ValueError, match="takes box crops"):
        measure(Boxes(Faces(), torch.device("cpu")), striped(2, each=2))
