"""The last stages on manifests without rows, and on footage whose truth nobody knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd
import pytest
import torch

from tests.training.conftest import TINY, bumpy_head
from tvface.manifests import Provenance, Schema, read, write
from tvface.manifests.dataset import DATASET
from tvface.manifests.evaluate import EVALUATE
from tvface.manifests.faces import FACES
from tvface.manifests.fit import FIT
from tvface.manifests.frames import FRAMES
from tvface.manifests.identities import IDENTITIES
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.masks import MASKS
from tvface.manifests.reconstruct import RECONSTRUCT
from tvface.manifests.render import RENDER
from tvface.manifests.sequences import CANDIDATES, SEQUENCES
from tvface.manifests.synth import TRUTH_FACES, TRUTH_FRAMES
from tvface.manifests.train import TRAIN
from tvface.media.images import encode_png
from tvface.model.face_model import FaceModel, ModelSpec
from tvface.model.weights_files import save_weights
from tvface.settings import parse_settings
from tvface.stages import evaluate, render

pytestmark = pytest.mark.filterwarnings("error")

SHARDED: Mapping[str, Schema] = {
    "frames": FRAMES,
    "faces": FACES,
    "identities": IDENTITIES,
    "sequences": SEQUENCES,
    "landmarks": LANDMARKS,
    "masks": MASKS,
    "fit": FIT,
    "reconstruct": RECONSTRUCT,
    "curves": TRAIN,
}
TRUTH: Mapping[str, Schema] = {"truth_frames": TRUTH_FRAMES, "truth_faces": TRUTH_FACES}


def stored(path: Path, schema: Schema, rows: pd.DataFrame | None = None) -> Path:
    write(path, schema, schema.empty() if rows is None else rows, Provenance(schema.stage, {}))
    return path


@pytest.fixture
def nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Inputs of both stages in which every manifest is there and none has a row."""
    monkeypatch.chdir(tmp_path)
    inputs: dict[str, object] = {
        name: [stored(Path(name, "e.parquet"), schema)] for name, schema in {**SHARDED, **TRUTH}.items()
    }
    inputs["candidates"] = [stored(Path("sequences", "e.candidates.parquet"), CANDIDATES)]
    inputs["dataset"] = stored(Path("dataset.parquet"), DATASET)
    bumpy_head().save("head.npz")
    inputs["head"] = Path("head.npz")
    return inputs


def judged(inputs: Mapping[str, object]) -> pd.DataFrame:
    evaluate.run(parse_settings({}), inputs, {"manifest": Path("m.parquet"), "table": Path("m.tsv")})
    return read("m.parquet", EVALUATE).rows


def test_nothing_found_is_judged_as_undefined(nothing: dict[str, object]) -> None:
    rows = judged(nothing).set_index(["stage", "metric"])
    assert rows.loc[("sequences", "count"), "value"] == 0
    undefined = rows.drop(("sequences", "count"))
    assert undefined["value"].isna().all() and not undefined["samples"].any()
    assert set(undefined.index.get_level_values(0)) == {"frames", "faces", "identities", "sequences"}


def test_footage_without_truth_is_judged_by_nothing_that_needs_it(nothing: dict[str, object]) -> None:
    rows = judged({**nothing, "truth_frames": [], "truth_faces": []})
    assert rows.empty
    assert Path("m.tsv").read_text().split() == [column.name for column in EVALUATE.columns]


def test_a_person_nobody_detects_counts_as_missed(nothing: dict[str, object]) -> None:
    one = {
        "show": "s", "episode": "e", "source_frame": 0, "person": "ann", "box": [10.0, 10, 50, 50],
        "points68": [20.0] * 136, "visible": [1.0] * 68, "yaw": 5.0, "pitch": 0.0, "roll": 0.0, "inside": 1.0,
        "shape": [0.0], "expression": [0.0], "joints": [0.0] * 15, "translation": [0.0, 0.0, -1.0], "focal": 500.0,
        "light": [0.0] * 27,
    }  # fmt: skip
    picture = {
        "show": "s", "episode": "e", "clip": "e", "frame": 0, "source_frame": 0, "time_s": 0.0, "shot": 0, "scene": 0,
        "image_file": "f.tar", "image_offset": 0, "image_length": 0, "width": 64, "height": 64, "luma": 90.0,
        "state": "valid", "cut_histogram": 0.0, "cut_luma": 0.0, "cut_structure": 0.0,
    }  # fmt: skip
    true = {"show": "s", "episode": "e", "source_frame": 0, "time_s": 0.0, "shot": 0, "scene": 0, "people": 1,
            "dark": False, "damage": "", "labels_file": "l.tar", "labels_offset": 0, "labels_length": 0}  # fmt: skip
    stored(Path("frames/e.parquet"), FRAMES, pd.DataFrame([picture]))
    stored(Path("truth_frames/e.parquet"), TRUTH_FRAMES, pd.DataFrame([true]))
    stored(Path("truth_faces/e.parquet"), TRUTH_FACES, pd.DataFrame([one]))
    rows = judged(nothing).set_index("metric")
    assert rows.loc["recall_frontal", ["value", "samples"]].tolist() == [0, 1]
    assert rows.loc["idf1", ["value", "samples"]].tolist() == [0, 1]
    assert rows.loc["precision", "samples"] == 0


def drawn(inputs: Mapping[str, object]) -> pd.DataFrame:
    out = {"pictures": Path("pictures"), "manifest": Path("r.parquet")}
    render.run(parse_settings(TINY), {**inputs, "weights": [Path("weights.safetensors")]}, out)
    return read("r.parquet", RENDER).rows


def test_nothing_found_draws_no_figure_and_counts_in_the_table(nothing: dict[str, object]) -> None:
    settings = parse_settings(TINY)
    torch.manual_seed(0)
    spec = ModelSpec.of("deca", settings.train, settings.head, settings.seed)
    save_weights("weights.safetensors", FaceModel(spec, bumpy_head()).weights(), spec, phase="detail", steps=1)
    Path("pictures").mkdir()
    Path("pictures/render_figure_0.png").write_bytes(encode_png(torch.zeros(8, 8, 3).byte().numpy()))
    rows = drawn(nothing)
    assert rows["kind"].tolist() == ["table"] and rows["stage"].tolist() == ["sequences"]
    assert [path.name for path in Path("pictures").iterdir()] == ["sequences_quality.tsv"], "an old figure is gone"
    table = pd.read_csv("pictures/sequences_quality.tsv", sep="\t")
    assert table["faces"].tolist() == [0, 0] and table["episode"].tolist() == ["all 1", "e"]
