"""An npz written in pieces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tvface.media.npz import NpzWriter


def write(path: Path) -> None:
    with NpzWriter(path) as writer:
        writer.put(model="deca", fps=25.0)
        for start in (0, 3):
            rows = np.arange(start, start + 3)
            writer.append({"frame": rows, "x": rows[:, None, None] * np.ones((3, 2, 2), np.float32)})


def test_rows_come_together_and_open_without_pickle(tmp_path: Path) -> None:
    write(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert str(archive["model"]) == "deca" and float(archive["fps"]) == 25
        np.testing.assert_array_equal(archive["frame"], np.arange(6))
        assert archive["x"].shape == (6, 2, 2) and archive["x"].dtype == np.float64
        np.testing.assert_array_equal(archive["x"][:, 1, 0], np.arange(6))
    assert [path.name for path in tmp_path.iterdir()] == ["a.npz"]
    write(tmp_path / "b.npz")
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), NpzWriter(tmp_path / "a.npz") as writer:
        writer.append({"x": np.zeros(3)})
        raise RuntimeError
    assert not list(tmp_path.iterdir())


def test_rows_that_differ_are_refused(tmp_path: Path) -> None:
    with NpzWriter(tmp_path / "a.npz") as writer:
        writer.append({"x": np.zeros((3, 2))})
        for rows, message in (
            ({"y": np.zeros((3, 2))}, "expected"),
            ({"x": np.zeros((3, 3))}, "it was float64"),
            ({"x": np.zeros((3, 2), np.float32)}, "it was float64"),
        ):
            with pytest.raises(ValueError, match=message):
                writer.append(rows)
        with pytest.raises(TypeError, match="pickled"):
            writer.put(wrong={"a": 1})
