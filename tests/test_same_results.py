"""``benchmarks/same_results.py``: what a change of code may alter in a run's results, and nothing else."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from benchmarks import same_results
from tvface.files.digests import digest
from tvface.manifests import Column, Provenance, Schema, write
from tvface.media.tarstore import TarWriter

ROWS = Schema(
    "trial",
    1,
    (
        Column("name", pa.string(), "name"),
        Column("score", pa.float32(), "score", nullable=True),
        Column("points", pa.list_(pa.float32()), "points"),
    ),
    key=("name",),
)
FRAME = pd.DataFrame({"name": ["a", "b"], "score": [0.5, None], "points": [[1.0, 2.0], [np.nan]]})
PAGE = '<p>{found} rows</p>\n<h2 id="provenance">Provenance</h2>\n<table><tr><td>torch</td>{version}</table>\n'


@dataclasses.dataclass
class Run:
    """A small run whose manifests are a chain: faces <- sequences <- report."""

    folder: Path
    code: str = "0123"
    version: str = "2.12"
    rows: pd.DataFrame = dataclasses.field(default_factory=FRAME.copy)
    limit: float = 0.5
    crops: tuple[tuple[str, bytes], ...] = (("a.png", b"one"), ("b.png", b"two"))

    def make(self) -> Path:
        """Write the files, in the folder ``results`` of a checkout of their own."""
        results = self.folder / "results"
        faces = results / "faces" / "s01e01.parquet"
        write(faces, ROWS, self.rows, self.provenance({}))
        with TarWriter(results / "sequences" / "s01e01.tar") as tar:
            for name, data in self.crops:
                tar.add(name, data)
        write(results / "sequences" / "s01e01.parquet", ROWS, FRAME, self.provenance({"faces/s01e01.parquet": faces}))
        (results / "head").mkdir()
        meta = {"source": "trial", "provenance": {"code": self.code, "versions": {"torch": self.version}}}
        letters = np.frombuffer(json.dumps(meta).encode(), np.uint8)
        np.savez(results / "head" / "head.npz", v_template=np.eye(3, dtype=np.float32), meta=letters)
        (results / "report.html").write_text(PAGE.format(found=len(self.rows), version=self.version))
        (results / "clip.mp4").write_bytes(b"film")
        for ignored in ("logs/faces.log", "benchmarks/faces.tsv", "train/deca/coarse/checkpoints/step.ckpt"):
            path = results / ignored
            path.parent.mkdir(parents=True)
            path.write_text(self.code)
        return results

    def provenance(self, parents: dict[str, Path]) -> Provenance:
        named = {f"results/{name}": digest(path) for name, path in parents.items()}
        return Provenance("trial", {"limit": self.limit}, code=self.code, parents=named, dropped={"small": 1})


@pytest.fixture
def before(tmp_path: Path) -> Path:
    return Run(tmp_path / "before").make()


def test_other_code_and_versions_are_excused(before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The digest of the sources reaches every manifest, and through the parents' digests every later one."""
    after = Run(tmp_path / "after", code="4567", version="2.13").make()
    assert same_results.main([str(before), str(after)]) == 0
    out = capsys.readouterr().out
    assert ".parquet\t2\t0\t2\t0\t0" in out and ".tar\t1\t1\t0\t0\t0" in out and ".npz\t1\t0\t1\t0\t0" in out
    assert "other versions: torch 2.12 -> 2.13" in out and out.endswith("the same results\n")
    assert ".log" not in out and ".ckpt" not in out


def test_a_run_is_the_same_as_itself(before: Path) -> None:
    result = same_results.compare(before, before)
    assert len(result.identical) == 6 and not result.differences and not result.excused


def rows(score: float = 0.5, points: tuple[float, ...] = (1.0, 2.0)) -> pd.DataFrame:
    return pd.DataFrame({"name": ["a", "b"], "score": [score, None], "points": [list(points), [np.nan]]})


@pytest.mark.parametrize(
    ("changed", "name", "words"),
    [
        ({"rows": rows(0.5000001)}, "faces/s01e01.parquet", "column score: 1 of 2 rows, first 0: 0.5 became 0.5000001"),
        ({"rows": rows(points=(1.0, 3.0))}, "faces/s01e01.parquet", "column points: 1 of 2 rows"),
        ({"rows": FRAME[:1]}, "faces/s01e01.parquet", "2 rows became 1"),
        ({"limit": 0.6}, "faces/s01e01.parquet", 'provenance, settings: {"limit": 0.5} became {"limit": 0.6}'),
        ({"crops": (("a.png", b"One"), ("b.png", b"two"))}, "sequences/s01e01.tar", "a.png: 1 of 3 bytes, first at 0"),
        ({"crops": (("b.png", b"two"), ("a.png", b"one"))}, "sequences/s01e01.tar", "members in another order"),
        ({"crops": (("a.png", b"one"),)}, "sequences/s01e01.tar", "members lost ['b.png'], added []"),
    ],
)
def test_what_the_run_made_is_not_excused(
    before: Path, tmp_path: Path, changed: dict, name: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    after = Run(tmp_path / "after", code="4567", **changed).make()
    assert same_results.main([str(before), str(after)]) == 1
    assert f"{name}: {words}" in capsys.readouterr().out


def test_a_child_of_other_rows_is_named(before: Path, tmp_path: Path) -> None:
    after = Run(tmp_path / "after", rows=rows(0.25)).make()
    found = same_results.compare(before, after).differences
    assert found["sequences/s01e01.parquet"] == ["other contents of the parent results/faces/s01e01.parquet"]


def _film(folder: Path) -> None:
    (folder / "clip.mp4").write_bytes(b"filn")


def _page(folder: Path) -> None:
    (folder / "report.html").write_text(PAGE.format(found=3, version="2.12"))


def _head(folder: Path) -> None:
    letters = np.frombuffer(json.dumps({"source": "trial", "provenance": {"code": "0123"}}).encode(), np.uint8)
    np.savez(folder / "head" / "head.npz", v_template=2 * np.eye(3, dtype=np.float32), meta=letters)


def _notes(folder: Path) -> None:
    letters = np.frombuffer(json.dumps({"source": "another", "provenance": {"code": "0123"}}).encode(), np.uint8)
    np.savez(folder / "head" / "head.npz", v_template=np.eye(3, dtype=np.float32), meta=letters)


def _lost(folder: Path) -> None:
    (folder / "clip.mp4").unlink()


def _stale(folder: Path) -> None:
    """A manifest is made anew by other code, its child is not."""
    run = Run(folder.parent, code="89ab")
    write(folder / "faces" / "s01e01.parquet", ROWS, FRAME, run.provenance({}))
    rewritten = folder / "sequences" / "s01e01.parquet"
    write(rewritten, ROWS, FRAME, Run(folder.parent, code="89ab").provenance({"faces/s01e01.parquet": rewritten}))


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (_film, "clip.mp4", "1 of 4 bytes, first at 3"),
        (_page, "report.html", "line 1: <p>2 rows</p> became <p>3 rows</p>"),
        (_head, "head/head.npz", "v_template.npy: 6 of 164 bytes"),
        (_notes, "head/head.npz", 'meta: {"source": "trial"} became {"source": "another"}'),
        (_lost, "clip.mp4", "only in"),
        (_stale, "sequences/s01e01.parquet", "was made anew since; run again"),
    ],
)
def test_other_files(before: Path, tmp_path: Path, change: Callable[[Path], None], name: str, words: str) -> None:
    after = tmp_path / "after" / "results"
    shutil.copytree(before, after)
    change(after)
    found = same_results.compare(before, after).differences
    assert set(found) == {name} and words in found[name][0]


def test_exceptions_are_named_and_counted(before: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after = Run(tmp_path / "after", limit=0.6).make()
    _film(after)
    assert same_results.main([str(before), str(after), "--without", "settings", "--except", "*.mp4"]) == 0
    out = capsys.readouterr().out
    assert "not compared: clip.mp4" in out and ".mp4\t1\t0\t0\t0\t1" in out


def test_an_empty_folder_proves_nothing(before: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="holds no results"):
        same_results.compare(before, tmp_path / "empty")
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        same_results.compare(before, tmp_path / "gone")
