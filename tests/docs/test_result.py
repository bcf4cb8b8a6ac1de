"""``docs/result.py``: whom the picture of the README shows, and how."""

from __future__ import annotations

import importlib.util
import itertools
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from tests.docs.pages import ROOT


@pytest.fixture(scope="module")
def result() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_result", ROOT / "docs" / "result.py")
    assert spec is not None and spec.loader is not None
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_everybody_of_the_part_is_shown_before_anybody_twice(result: ModuleType) -> None:
    spans = [
        ("ada", "e1", 0, 0, 30, "test"),
        ("ada", "e1", 4, 100, 190, "test"),
        ("ben", "e2", 1, 50, 70, "test"),
        ("cem", "e3", 2, 0, 500, "train"),
    ]
    rows = pd.DataFrame(
        [
            {"person": person, "episode": episode, "track": track, "source_frame": frame, "split": part}
            for person, episode, track, first, last, part in spans
            for frame in (first, last)
        ]
    )
    assert result.scenes(rows, "test", 2) == [result.Scene("e1", 4, 100, 190), result.Scene("e2", 1, 50, 70)]
    assert len(result.scenes(rows, "test", 9)) == 3


def test_people_stand_side_by_side(result: ModuleType) -> None:
    people = [np.full((2, 8, 24, 3), 50 * index, np.uint8) for index in range(3)]
    first, second = result.sheet(people, 2)
    assert first.shape == (2 * 8 + result.GAP, 2 * 24 + result.GAP, 3) and np.array_equal(first, second)
    assert first[0, 0, 0] == 0 and first[0, -1, 0] == 50 and first[-1, 0, 0] == 100 and first[-1, -1, 0] == 255


def test_the_picture_moves_for_ever_and_is_small(
    result: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [np.full((16, 48, 3), shade, np.uint8) for shade in (0, 100, 200)]
    result.save(iter(frames), tmp_path / "a.webp", 10, 70)
    with Image.open(tmp_path / "a.webp") as picture:
        assert (picture.n_frames, picture.info["loop"], picture.size) == (4, 0, (48, 16)), "there and back"
    monkeypatch.setattr(result, "LIMIT", 100)
    noise = np.random.default_rng(0).integers(0, 255, (3, 16, 48, 3), np.uint8)
    with pytest.raises(SystemExit, match=r"b\.webp: .* bytes, over 100"):
        result.save(iter(noise), tmp_path / "b.webp", 10, 70)
    assert not (tmp_path / "b.webp").exists()


def test_the_readme_shows_what_this_command_made() -> None:
    path = ROOT / "docs" / "result.webp"
    assert path.stat().st_size < 2_000_000
    with Image.open(path) as picture:
        shades = []
        for index in itertools.islice(range(picture.n_frames), 0, None, 10):
            picture.seek(index)
            shades.append(np.asarray(picture.convert("RGB"), np.float32))
    assert len(shades) > 2 and np.abs(np.diff(np.stack(shades), axis=0)).mean() > 1, "it moves"
