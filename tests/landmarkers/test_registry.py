"""One new file makes a backend; an unknown name lists the valid ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from tvface import landmarkers, parsers
from tvface.assets.registry import MissingAsset
from tvface.conventions.points68 import MIRROR
from tvface.settings import SettingsError
from tvface.settings.labels import Landmarks, Masks


def test_what_is_registered() -> None:
    assert landmarkers.available() == ["compact", "fan"]
    assert parsers.available() == ["bisenet", "compact"]


def test_an_unknown_name_lists_the_valid_ones() -> None:
    with pytest.raises(SettingsError, match=r"landmarks\.backend: 'fam' .*compact, fan"):
        landmarkers.create("fam", Landmarks())
    with pytest.raises(SettingsError, match=r"masks\.backend: 'base' .*bisenet, compact"):
        parsers.create("base", Masks())


def test_one_new_file_is_a_new_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "centre.py").write_text(
        "import numpy as np\n"
        "from tvface.landmarkers.base import Landmarker\n"
        "class Backend(Landmarker):\n"
        "    weights = {}\n"
        "    def __init__(self, settings, device): self.device = device\n"
        "    def find(self, crops, boxes):\n"
        "        return np.repeat(boxes.reshape(-1, 2, 2).mean(1)[:, None], 68, 1), np.ones((len(crops), 68))\n"
    )
    monkeypatch.setattr(landmarkers, "__path__", [*landmarkers.__path__, str(tmp_path)])
    assert "centre" in landmarkers.available()
    points, _ = landmarkers.create("centre", Landmarks()).locate(
        np.zeros((1, 8, 8, 3), np.uint8), np.array([[0, 0, 4, 8]], np.float32)
    )
    np.testing.assert_array_equal(points[0, 5], [2, 4])


def test_missing_weights_stop_with_file_and_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvface.assets.registry.candidates", lambda row: iter([tmp_path / row.file]))
    with pytest.raises(MissingAsset, match="2DFAN4-11f355bf06"):
        landmarkers.create("fan", Landmarks(), torch.device("cpu"))
    with pytest.raises(MissingAsset, match="79999_iter"):
        parsers.create("bisenet", Masks(), torch.device("cpu"))


def test_the_mirror_swaps_sides_and_undoes_itself() -> None:
    np.testing.assert_array_equal(MIRROR[MIRROR], np.arange(68))
    assert MIRROR[36] == 45 and MIRROR[0] == 16 and MIRROR[17] == 26 and MIRROR[48] == 54 and MIRROR[60] == 64
    assert MIRROR[8] == 8 and MIRROR[30] == 30 and MIRROR[51] == 51 and MIRROR[66] == 66
    fixed = np.flatnonzero(np.arange(68) == MIRROR)
    np.testing.assert_array_equal(fixed, [8, 27, 28, 29, 30, 33, 51, 57, 62, 66])
