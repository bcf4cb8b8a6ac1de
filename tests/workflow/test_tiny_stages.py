"""What the stages of the tiny run wrote: provenance, the show and its truth, curves, numbers, figures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.workflow.tiny import TinyRun
from tvface.dag.layout import inputs
from tvface.dag.stages import stage_code, stage_settings
from tvface.files.digests import digest
from tvface.manifests import read, read_all
from tvface.manifests.base import METADATA_KEY
from tvface.manifests.dataset import DATASET
from tvface.manifests.evaluate import EVALUATE
from tvface.manifests.reconstruct import RECONSTRUCT
from tvface.manifests.render import RENDER
from tvface.manifests.synth import TRUTH_FACES, TRUTH_FRAMES
from tvface.manifests.train import TRAIN
from tvface.media.images import decode, decode_labels
from tvface.media.tarstore import read_bytes
from tvface.reporting.model_figures import LABEL_WIDTH
from tvface.settings.phases import PHASES

SHA256 = re.compile(r"[0-9a-f]{64}")
# Ranges that a number may have, by its unit or, where it has none, by its name.
PARTS = ("precision", "recall", "f1", "idf1", "mixed", "iou")


def pictures(path: Path) -> np.ndarray:
    """All pictures of a video, (N, H, W, 3) uint8."""
    with av.open(str(path)) as video:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)])


def assert_shows_something(picture: np.ndarray, what: str) -> None:
    """A picture that is blank, or all noise of a codec around one colour, fails."""
    colours = np.unique(picture.reshape(-1, 3) // 16, axis=0)
    assert picture.std() > 8 and len(colours) > 12, f"{what}: {len(colours)} colours, deviation {picture.std():.1f}"


def test_every_job_wrote_its_files_log_and_benchmark(tiny: TinyRun) -> None:
    results = tiny.folder / tiny.settings.results
    for stage, shard in tiny.jobs():
        if stage == "archive":
            continue
        for name, path in tiny.made_by(stage, shard).items():
            assert path.exists(), f"{stage} {shard}: no {name}"
        name = "/".join(filter(None, (stage, shard)))
        log = (results / "logs" / f"{name}.log").read_text(encoding="utf-8")
        assert "Traceback" not in log and " ERROR " not in log, log
        benchmark = pd.read_csv(results / "benchmarks" / f"{name}.tsv", sep="\t")
        assert len(benchmark) == 1 and benchmark["s"][0] > 0


def test_provenance_is_complete(tiny: TinyRun) -> None:
    seen = set()
    for stage, shard in tiny.jobs():
        for path in tiny.made_by(stage, shard).values():
            if path.suffix != ".parquet" or not path.exists():
                continue
            where = f"{stage} {shard}"
            metadata = json.loads(pq.read_metadata(path).metadata[METADATA_KEY])
            assert metadata["stage"] == stage
            assert metadata["settings"] == json.loads(json.dumps(stage_settings(stage, tiny.settings, shard))), where
            assert metadata["code"] == stage_code(stage, tiny.settings), where
            with tiny.inside():
                flat = [one for value in inputs(stage, tiny.settings, shard).values() for one in _listed(value)]
                files = {one.as_posix() for one in flat if one.is_file()}
                assert _made(metadata["parents"]) == _made(files), where
                assert all(digest(parent) == sha for parent, sha in metadata["parents"].items()), where
            assert {"numpy", "pandas", "pyarrow", "torch", "tvface"} <= metadata["versions"].keys(), where
            assert all(count >= 0 for count in metadata["dropped"].values()), where
            assert all(SHA256.fullmatch(sha) for sha in metadata["weights"].values()), where
            assert metadata["weights"] or stage not in ("faces", "landmarks", "masks"), where
            assert str(tiny.folder) not in json.dumps(metadata), f"{where}: an absolute path"
            seen.add(stage)
    assert seen == {stage for stage, _ in tiny.jobs()} - {"archive", "head", "report"}


def _made(paths: Iterable[str]) -> set[str]:
    """Without the files that come with the project: what is known of them stands in the weights."""
    return {path for path in paths if not path.startswith("resources/")}


def _listed(paths: Path | list[Path]) -> list[Path]:
    return paths if isinstance(paths, list) else [paths]


def test_the_show_and_its_truth_agree(tiny: TinyRun) -> None:
    synth = tiny.settings.synth
    for episode in tiny.episodes:
        truth = tiny.made_by("synth", episode)
        shown = pictures(truth["video"])
        frames = read(truth["frames"], TRUTH_FRAMES).rows
        faces = read(truth["faces"], TRUTH_FACES).rows
        count = round(synth.seconds * synth.fps)
        assert shown.shape == (count, synth.height, synth.width, 3)
        assert frames["source_frame"].tolist() == list(range(count))
        assert np.allclose(frames["time_s"], np.arange(count) / synth.fps)
        assert (np.diff(frames["shot"]) >= 0).all() and set(np.diff(frames["shot"])) <= {0, 1}
        assert faces.groupby("source_frame").size().reindex(range(count), fill_value=0).tolist() == (
            frames["people"].tolist()
        )
        for number in (count // 4, count // 2, count - 1):
            assert_shows_something(shown[number], f"{episode} frame {number}")
        assert shown[frames["dark"]].mean() < 0.8 * shown[~frames["dark"]].mean()
        with tiny.inside():
            _check_faces(frames, faces, shown)


def _check_faces(frames: pd.DataFrame, faces: pd.DataFrame, shown: np.ndarray) -> None:
    points = np.stack(faces["points68"].to_list()).reshape(-1, 68, 2)
    visible = np.stack(faces["visible"].to_list())
    assert np.isin(visible, (0, 1)).all() and visible.mean() > 0.5
    assert np.allclose(np.stack(faces["box"].to_list()), np.concatenate([points.min(1), points.max(1)], 1), atol=1e-3)
    assert (faces[["yaw", "pitch", "roll"]].abs() < 90).all(axis=None) and (faces["focal"] > 0).all()
    height, width = shown.shape[1:3]
    for row in frames.itertuples():
        labels = decode_labels(read_bytes(row.labels_file, row.labels_offset, row.labels_length))
        assert labels.shape == (height, width) and labels.max() <= 18
        assert (labels > 0).any() == (row.people > 0)
        # Points of the nose, seen and well inside, lie on somebody.
        for index in np.flatnonzero(faces["source_frame"] == row.source_frame):
            x, y = np.round(points[index, 27:31]).astype(int).T
            inside = (x >= 0) & (y >= 0) & (x < width) & (y < height) & (visible[index, 27:31] > 0)
            assert (labels[y[inside], x[inside]] > 0).all()


def test_curves_hold_every_phase_of_both_models(tiny: TinyRun) -> None:
    train = tiny.settings.train
    validated = (read(tiny.made_by("dataset")["manifest"], DATASET).rows["split"] == "validation").any()
    for model in ("deca", "temporal"):
        for phase in PHASES:
            rows = read(tiny.made_by("train", f"{model}/{phase}")["manifest"], TRAIN).rows
            assert set(rows["model"]) == {model} and set(rows["phase"]) == {phase}
            assert np.isfinite(rows["value"]).all()
            steps = getattr(train, phase).steps
            logged = rows[(rows["part"] == "train") & (rows["term"] == "total")]
            assert logged["step"].tolist() == sorted({1, *range(train.log_every, steps + 1, train.log_every)})
            assert (logged["value"] > 0).all()
            terms = rows[(rows["part"] == "train") & (rows["term"] != "total")].groupby("step")["value"].sum()
            assert terms.to_numpy() == pytest.approx(logged["value"].to_numpy(), rel=1e-4)
            assert ((rows["part"] == "validation").any()) == validated


def test_numbers_are_possible_and_none_is_missing(tiny: TinyRun) -> None:
    table = tiny.made_by("evaluate")
    rows = read(table["manifest"], EVALUATE).rows
    for row in rows.itertuples():
        where = f"{row.stage} {row.metric} {row.subject}: {row.value}"
        if row.samples == 0:
            assert np.isnan(row.value), where
            continue
        assert np.isfinite(row.value), where
        assert row.value >= 0 and row.about and row.better in ("higher", "lower"), where
        if any(part in row.metric.split("_") for part in PARTS):
            assert row.value <= 1, where
        if row.metric == "failures":
            assert row.value <= 100, where
    by_stage = rows.groupby("stage")["metric"].agg(set).to_dict()
    assert set(by_stage) == {"frames", "faces", "identities", "sequences", "landmarks", "masks", "train", "reconstruct"}
    models = rows[rows["stage"] == "reconstruct"].groupby("subject")["metric"].agg(set).to_dict()
    states = {f"{model}, {state}" for model in ("deca", "temporal") for state in ("initial", "trained")}
    assert set(models) == states | {"fit, points"}
    names = {"landmark_nme", "reprojection_nme", "jitter", "shape_spread", "posed_error", "aligned_error"}
    assert all(metrics == names | {"neutral_error"} for metrics in models.values())
    trained = {f"{model}, {phase}" for model in ("deca", "temporal") for phase in PHASES}
    assert set(rows[rows["stage"] == "train"]["subject"]) == trained
    # Where nothing is trained in the run, even a tiny one finds what is there.
    value = {(row.stage, row.metric): row.value for row in rows.itertuples()}
    fit = rows[rows["subject"] == "fit, points"].set_index("metric")["value"]
    assert fit["landmark_nme"] < 3 and fit["reprojection_nme"] < 9 and fit["shape_spread"] < 1e-4
    assert value["faces", "recall_frontal"] > 0.8 and value["frames", "cut_recall"] > 0.8
    assert value["landmarks", "nme"] < 8 and value["masks", "face_iou"] > 0.7
    text = pd.read_csv(table["table"], sep="\t", keep_default_na=False, na_values={"value": [""]})
    text = text.sort_values(list(EVALUATE.key), ignore_index=True)
    assert text["value"].to_numpy() == pytest.approx(rows["value"].to_numpy(), rel=1e-4, nan_ok=True)
    assert text.drop(columns="value").astype(str).equals(rows.drop(columns="value").astype(str))


def test_figures_are_there_and_not_blank(tiny: TinyRun) -> None:
    figures = tiny.made_by("render")
    rows = read(figures["manifest"], RENDER).rows
    files = {tiny.folder / file for file in rows["file"]}
    assert {path for path in figures["pictures"].iterdir() if not path.name.startswith(".")} == files
    assert all(group["order"].tolist() == list(range(len(group))) for _, group in rows.groupby("stage"))
    assert rows["caption"].str.fullmatch(r"[A-Z0-9].{10,}\.").all()
    for row in rows.itertuples():
        path = tiny.folder / row.file
        assert path.suffix == {"picture": ".png", "video": ".mp4", "table": ".tsv"}[row.kind]
        if row.kind == "picture":
            assert_shows_something(decode(path.read_bytes()), row.file)
        elif row.kind == "table":
            assert len(pd.read_csv(path, sep="\t")) == len(tiny.episodes) + 1
    drawn = rows[rows["kind"] == "picture"].groupby("stage").size().to_dict()
    expected = dict.fromkeys(("frames", "faces", "identities", "landmarks", "masks", "train"), 1)
    assert drawn == {**expected, "sequences": 3, "fit": 2, "dataset": 2, "render": tiny.settings.render.sequences}


def test_figures_of_the_models_have_the_size_and_rows_that_the_settings_say(tiny: TinyRun) -> None:
    render = tiny.settings.render
    rows = read(tiny.made_by("render")["manifest"], RENDER).rows
    rows = rows[rows["stage"] == "render"].set_index("kind")["file"]
    reconstructed = read_all(
        [tiny.made_by("reconstruct", model)["manifest"] for model in ("deca", "temporal")], RECONSTRUCT
    )
    length = reconstructed["position"].max() + 1
    assert length == tiny.settings.sequences.length
    figure = decode((tiny.folder / rows["picture"]).read_bytes())
    assert figure.shape == (9 * render.tile, LABEL_WIDTH + render.columns * render.tile, 3)
    for line in np.split(figure, 9):
        assert (line[:, :LABEL_WIDTH] < 100).any(), "every line has its name"
        for tile in np.split(line[:, LABEL_WIDTH:], render.columns, axis=1):
            assert tile.std() > 8
    video = pictures(tiny.folder / rows["video"])
    assert video.shape == (length, render.tile, 3 * render.tile, 3) and video.std((1, 2, 3)).min() > 8
    # What moves is shown moving: no frame repeats the one before.
    assert np.abs(np.diff(video.astype(int), axis=0)).max((1, 2, 3)).min() > 8
