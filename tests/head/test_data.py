"""Storage of the head model."""

from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.head.conftest import same
from tvface.head.data import HeadData, HeadError


def test_round_trip_and_equal_bytes(head: HeadData, tmp_path: Path) -> None:
    first, second = tmp_path / "a.npz", tmp_path / "b.npz"
    head.save(first)
    loaded = HeadData.load(first)
    assert same(loaded, head)
    loaded.save(second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("name", "broken", "message"),
    [
        ("faces", lambda a: a + 10000, "faces holds"),
        ("v_template", lambda a: a.astype(np.float64), "v_template is float64, expected float32"),
        ("v_template", lambda a: a[:-1], "shape_basis has shape|has shape"),
        ("skinning", lambda a: a * 0.9, "rows of skinning sum to"),
        ("shape_basis", lambda a: a * np.float32(np.nan), "not finite"),
        ("uv", lambda a: a + np.float32(0.5), "expected 0..1"),
        ("labels", lambda a: a + np.uint8(19), "labels holds"),
        ("parents", lambda a: a * 0, "parents are"),
        ("contour_bary", lambda a: a[:78], r"expected \(79, 17, 3\)"),
    ],
)
def test_broken_arrays_are_named(head: HeadData, name: str, broken, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(HeadError, match=message):
        dataclasses.replace(head, **{name: broken(getattr(head, name))})


def test_broken_files_are_named(head: HeadData, tmp_path: Path) -> None:
    path = tmp_path / "head.npz"
    with pytest.raises(FileNotFoundError, match=r"head.npz: no such head model"):
        HeadData.load(path)
    path.write_bytes(b"<html>Sign in</html>")
    with pytest.raises(HeadError, match=r"head\.npz"):
        HeadData.load(path)
    head.save(path)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(HeadError, match="not a readable npz"):
        HeadData.load(path)
    path.write_bytes(content)
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "less.npz", "w") as new:
        for name in old.namelist():
            if name != "labels.npy":
                new.writestr(name, old.read(name))
    with pytest.raises(HeadError, match="arrays labels are missing"):
        HeadData.load(tmp_path / "less.npz")
    np.savez(tmp_path / "object.npz", **{f.name: np.array({"a": 1}, dtype=object) for f in dataclasses.fields(head)})
    with pytest.raises(HeadError, match="not plain numbers"):
        HeadData.load(tmp_path / "object.npz")
