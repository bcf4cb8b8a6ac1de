"""The page: what it escapes, counts and names, and what it says where there is nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tvface.manifests import Provenance, Schema, write
from tvface.manifests.evaluate import EVALUATE
from tvface.manifests.frames import FRAMES
from tvface.manifests.render import RENDER
from tvface.manifests.train import TRAIN
from tvface.media.images import encode_png
from tvface.settings import parse_settings
from tvface.stages import report

HOSTILE = '<script>alert("x")</script> & more'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stored(path: str, schema: Schema, rows: Sequence[dict[str, object]] = (), **provenance: object) -> Path:
    table = pd.DataFrame(rows) if rows else schema.empty()
    write(path, schema, table, Provenance(schema.stage, {}, **provenance))  # type: ignore[arg-type]
    return Path(path)


def metric(**values: object) -> dict[str, object]:
    return {
        "stage": "faces",
        "metric": "recall",
        "subject": "all",
        "value": 0.5,
        "unit": "",
        "samples": 2,
        "better": "higher",
        "about": "what it says",
        **values,
    }


def figure(order: int, kind: str, file: str, caption: str = "What is seen.") -> dict[str, object]:
    return {"stage": "frames", "order": order, "kind": kind, "file": file, "caption": caption}


def page(
    manifests: Sequence[Path] = (),
    metrics: Sequence[dict[str, object]] = (),
    figures: Sequence[dict[str, object]] = (),
    statistics: dict[str, object] | None = None,
    **settings: object,
) -> str:
    Path("dataset.json").write_text(json.dumps(statistics or {}), encoding="utf-8")
    inputs = {
        "manifests": list(manifests),
        "metrics": stored("metrics.parquet", EVALUATE, metrics),
        "figures": stored("figures.parquet", RENDER, figures),
        "statistics": Path("dataset.json"),
    }
    report.run(parse_settings(settings), inputs, {"page": Path("report.html")})
    return Path("report.html").read_text(encoding="utf-8")


def test_a_run_that_found_nothing_says_so() -> None:
    text = page()
    assert "no sequences" in text and "No sequence was found" in text
    assert "<img" not in text and "not defined" not in text
    text = page([stored("frames/e.parquet", FRAMES, dropped={"black": 3})])
    assert '<h2 id="frames">' in text and "<td>black</td>" in text


def test_what_others_wrote_is_shown_as_text() -> None:
    Path("picture.png").write_bytes(encode_png(np.zeros((4, 4, 3), np.uint8)))
    Path("table.tsv").write_text(f"<b>head</b>\tcount\n{HOSTILE}\t3\n", encoding="utf-8")
    frames = stored("frames/e.parquet", FRAMES, dropped={HOSTILE: 1}, notes={"unreadable": HOSTILE}, backend=HOSTILE)
    text = page(
        [frames],
        [metric(about=HOSTILE, subject=HOSTILE)],
        [figure(0, "picture", "picture.png", HOSTILE), figure(1, "table", "table.tsv", HOSTILE)],
        report={"title": HOSTILE},
    )
    assert "<script" not in text and "<b>" not in text and 'alt="<' not in text
    assert text.count("&lt;script&gt;") >= 8


def test_an_undefined_number_is_told_and_numbers_keep_their_size() -> None:
    values = {"a": None, "b": 1234.0, "c": 0.123456, "d": 3e-7}
    text = page(metrics=[metric(metric=name, value=value) for name, value in values.items()])
    for shown in ("not defined", "1234", "0.1235", "3e-07"):
        assert f'<td class="n">{shown}</td>' in text
    assert ">nan<" not in text and ">None<" not in text


def test_manifests_of_one_name_are_told_apart() -> None:
    row = {"step": 1, "part": "train", "term": "total", "value": 1.0}
    curves = [
        stored(f"train/{model}/{phase}/curve.parquet", TRAIN, [{**row, "model": model, "phase": phase}])
        for model in ("deca", "temporal")
        for phase in ("pretrain", "coarse")
    ]
    text = page(curves)
    for name in ("deca/pretrain", "deca/coarse", "temporal/pretrain", "temporal/coarse"):
        assert text.count(f"<td>{name}/curve</td>") == 1


def test_a_folder_of_results_may_be_called_as_a_stage_is() -> None:
    assert "<td>e</td>" in page([stored("frames/results/frames/e.parquet", FRAMES)])
    assert "<td>e</td>" in page([stored("elsewhere/e.parquet", FRAMES)])


def test_of_many_episodes_the_largest_are_listed_and_all_are_summed() -> None:
    text = page([stored(f"frames/e{k:02d}.parquet", FRAMES, dropped={"black": k}) for k in range(20)])
    assert "<td>all 20</td>" in text and text.count("<td>e") == 11
    assert '<td>black</td><td class="n">190</td>' in text


def test_libraries_of_every_environment_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    manifests = []
    for name, versions in (("a", {"numpy": "2.0"}), ("b", {"numpy": "2.1", "torch": "2.12"})):
        monkeypatch.setattr("tvface.manifests.base.library_versions", lambda versions=versions: versions)
        manifests.append(stored(f"frames/{name}.parquet", FRAMES))
    text = page(manifests)
    assert "<td>numpy</td><td>2.0, 2.1</td>" in text and "<td>torch</td><td>2.12</td>" in text
