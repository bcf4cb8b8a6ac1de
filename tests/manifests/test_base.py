"""Manifests: validated both ways, atomic, byte-identical, with provenance."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tvface.files.atomic import atomic
from tvface.files.digests import digest
from tvface.manifests import Column, ManifestError, Provenance, Schema, parents, read, read_provenance, write

SCHEMA = Schema(
    "trial",
    1,
    (
        Column("name", pa.string(), "name"),
        Column("index", pa.int32(), "index", low=0),
        Column("part", pa.float32(), "part", unit="px", low=0, high=1, nullable=True),
        Column("points", pa.list_(pa.float32()), "points", length=4),
    ),
    key=("name", "index"),
)
MADE = Provenance("trial", {"trial": {"a": 1}}, code="0123", seed=3, dropped={"blurred": 2})


def frame(rows: int = 3) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "name": ["b", "a", "a"][:rows],
            "index": [0, 1, 0][:rows],
            "part": [0.5, None, 1.0][:rows],
            "points": [np.arange(4, dtype=np.float32)] * rows,
        }
    )


def test_round_trip_sorted_by_key(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write(path, SCHEMA, frame(), MADE)
    manifest = read(path, SCHEMA)
    assert list(zip(manifest.rows["name"], manifest.rows["index"], strict=True)) == [("a", 0), ("a", 1), ("b", 0)]
    assert np.isnan(manifest.rows["part"][1])
    np.testing.assert_array_equal(manifest.rows["points"][0], np.arange(4))
    assert manifest.dropped == {"blurred": 2}
    assert manifest.provenance["settings"] == {"trial": {"a": 1}}
    assert manifest.provenance["seed"] == 3 and manifest.provenance["code"] == "0123"
    assert {"numpy", "pyarrow"} <= manifest.provenance["versions"].keys()


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", SCHEMA, frame(), MADE)
    write(tmp_path / "b.parquet", SCHEMA, frame().iloc[::-1], MADE)
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    write(tmp_path / "c.parquet", SCHEMA, frame(), dataclasses.replace(MADE, seed=4))
    assert (tmp_path / "a.parquet").read_bytes() != (tmp_path / "c.parquet").read_bytes()


def test_zero_rows_are_valid(tmp_path: Path) -> None:
    write(tmp_path / "t.parquet", SCHEMA, SCHEMA.empty(), MADE)
    rows = read(tmp_path / "t.parquet", SCHEMA).rows
    assert len(rows) == 0 and list(rows.columns) == ["name", "index", "part", "points"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"index": [0, -1, 0]}, r"column index holds .*-1.*, outside 0 .. None"),
        ({"part": [0.5, 1.5, 0]}, r"column part holds .*1.5.*, outside 0 .. 1 px"),
        ({"part": [0.5, float("inf"), 0]}, r"column part holds .*inf"),
        ({"index": [0, None, 0]}, r"column index (has 1 empty values|does not hold)"),
        ({"index": ["x", "y", "z"]}, r"column index does not hold int32"),
        ({"index": [0, 2**40, 0]}, r"column index does not hold int32"),
        ({"points": [[1.0, 2.0, 3.0]] * 3}, r"column points needs lists of 4 values"),
        ({"name": ["a", "a", "a"], "index": [0, 1, 0]}, r"the key .*'a'.* appears twice"),
        ({"extra": [1, 2, 3]}, r"missing columns \[\], unknown columns \['extra'\]"),
    ],
)
def test_rows_that_break_the_schema_are_refused(tmp_path: Path, change: dict[str, list[object]], message: str) -> None:
    with pytest.raises(ManifestError, match=message):
        write(tmp_path / "t.parquet", SCHEMA, frame().assign(**change), MADE)
    assert list(tmp_path.iterdir()) == []


def test_missing_column(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"missing columns \['part'\]"):
        write(tmp_path / "t.parquet", SCHEMA, frame().drop(columns="part"), MADE)


def test_reading_checks_the_rows_again(tmp_path: Path) -> None:
    loose = Schema("trial", 1, tuple(dataclasses.replace(c, low=None, high=None) for c in SCHEMA.columns), SCHEMA.key)
    write(tmp_path / "t.parquet", loose, frame().assign(part=[0.5, 9.0, 0.1]), MADE)
    with pytest.raises(ManifestError, match=r"t\.parquet: column part holds"):
        read(tmp_path / "t.parquet", SCHEMA)


def test_other_stage_version_and_foreign_files(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    write(path, SCHEMA, frame(), MADE)
    with pytest.raises(ManifestError, match="holds trial version 1, expected trial version 2; run its stage again"):
        read(path, dataclasses.replace(SCHEMA, version=2))
    with pytest.raises(ManifestError, match="holds trial version 1, expected other version 1"):
        read(path, dataclasses.replace(SCHEMA, stage="other"))
    pq.write_table(pa.table({"a": [1]}), tmp_path / "foreign.parquet")
    with pytest.raises(ManifestError, match="without tvface provenance"):
        read(tmp_path / "foreign.parquet", SCHEMA)
    assert read_provenance(path, SCHEMA) == read(path, SCHEMA).provenance
    with pytest.raises(ManifestError, match="without tvface provenance"):
        read_provenance(tmp_path / "foreign.parquet", SCHEMA)


@pytest.mark.parametrize("damage", [lambda data: data[: len(data) // 2], lambda data: b"not parquet", lambda data: b""])
def test_damaged_files_are_named(tmp_path: Path, damage) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "t.parquet"
    write(path, SCHEMA, frame(), MADE)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(ManifestError, match=r"t\.parquet: not a readable manifest .*delete it and run its stage again"):
        read(path, SCHEMA)


def test_atomic_keeps_the_old_file_on_failure(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.txt"
    with atomic(path) as temporary:
        temporary.write_text("old")
    with pytest.raises(RuntimeError, match="stop"), atomic(path) as temporary:
        temporary.write_text("new")
        raise RuntimeError("stop")
    assert path.read_text() == "old"
    assert [item.name for item in path.parent.iterdir()] == ["file.txt"]


def test_parents_are_relative_to_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.txt").write_text("a")
    assert parents([tmp_path / "a.txt"], "a.txt") == {"a.txt": digest("a.txt")}
