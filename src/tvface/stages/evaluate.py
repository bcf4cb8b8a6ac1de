"""Stage ``evaluate``: one table of numbers for every stage.

Every stage is compared with the ground truth of the embedded show. Real footage has no truth: then the models are
compared with the landmarks of the pipeline, and the table has no metrics that need truth.
"""

from __future__ import annotations

import pandas as pd

from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.evaluation import footage_metrics, labels, models
from tvface.evaluation.curves import curve_metrics
from tvface.evaluation.table import MetricTable
from tvface.files.atomic import atomic
from tvface.head.data import HeadData
from tvface.manifests import read, read_all, write
from tvface.manifests.dataset import DATASET
from tvface.manifests.evaluate import EVALUATE
from tvface.manifests.faces import FACES
from tvface.manifests.fit import FIT
from tvface.manifests.frames import FRAMES
from tvface.manifests.identities import IDENTITIES
from tvface.manifests.landmarks import LANDMARKS
from tvface.manifests.masks import MASKS
from tvface.manifests.reconstruct import RECONSTRUCT
from tvface.manifests.sequences import SEQUENCES
from tvface.manifests.synth import TRUTH_FACES, TRUTH_FRAMES
from tvface.manifests.train import TRAIN
from tvface.settings import Settings


@stage_run("evaluate")
def run(settings: Settings, inputs: Paths, outputs: Paths, *, shard: str = "", threads: int = 1) -> None:
    """Write ``outputs['manifest']`` (Parquet) and ``outputs['table']`` (TSV for people).

    Args:
        inputs: lists ``frames``, ``faces``, ``identities``, ``sequences``, ``landmarks``, ``masks``, ``fit``,
            ``reconstruct``, ``curves``, ``truth_frames``, ``truth_faces`` (both empty without the embedded show);
            ``dataset``; ``head``.
    """
    table = MetricTable()
    frames = read_all(inputs["frames"], FRAMES)
    curve_metrics(table, read_all(inputs["curves"], TRAIN))
    truth = read_all(inputs["truth_faces"], TRUTH_FACES) if inputs["truth_faces"] else None
    if truth is not None:
        _judge_data(table, settings, inputs, frames, truth)
    dataset = read(inputs["dataset"], DATASET).rows
    reconstructed = _with_fit(read_all(inputs["reconstruct"], RECONSTRUCT), read_all(inputs["fit"], FIT))
    _judge_models(table, settings, reconstructed, dataset, frames, truth, HeadData.load(inputs["head"]))
    rows = table.rows()
    write(outputs["manifest"], EVALUATE, rows, provenance("evaluate", settings, inputs))
    with atomic(outputs["table"]) as temporary:
        rows.to_csv(temporary, sep="\t", index=False, float_format="%.5g")


def _with_fit(reconstructed: pd.DataFrame, fits: pd.DataFrame) -> pd.DataFrame:
    """Return the models' rows and, as one more model, the fit of the same crops."""
    columns = [name for name in fits.columns if name in reconstructed.columns]
    same = fits[columns].merge(reconstructed[["sequence", "position"]].drop_duplicates(), on=["sequence", "position"])
    if same.empty:
        return reconstructed
    return pd.concat([same.assign(model="fit", weights="points"), reconstructed], ignore_index=True)


def _judge_data(
    table: MetricTable, settings: Settings, inputs: Paths, frames: pd.DataFrame, truth: pd.DataFrame
) -> None:
    """Add the metrics of the stages from ``frames`` to ``masks``, which need the truth of the embedded show."""
    faces = read_all(inputs["faces"], FACES)
    crops = read_all(inputs["sequences"], SEQUENCES)
    true_frames = read_all(inputs["truth_frames"], TRUTH_FRAMES)
    detector, frontal_yaw = settings.faces.detector, settings.evaluate.frontal_yaw
    footage_metrics.cut_metrics(table, frames, true_frames)
    matched = footage_metrics.paired_faces(frames, faces, truth, settings.evaluate.match_iou)
    footage_metrics.detection_metrics(table, faces, matched, frontal_yaw, detector)
    footage_metrics.track_metrics(table, faces, matched, true_frames)
    identities = read_all(inputs["identities"], IDENTITIES)
    footage_metrics.people_metrics(table, faces, matched, identities, settings.faces.embedder)
    footage_metrics.sequence_metrics(table, crops, truth)
    crops, key = crops.drop(columns="episode"), ["sequence", "position"]
    pointed = labels.true_points(crops.merge(read_all(inputs["landmarks"], LANDMARKS), on=key), truth)
    labels.landmark_metrics(table, pointed, frontal_yaw, settings.landmarks.backend)
    parsed = crops.merge(read_all(inputs["masks"], MASKS), on=key)
    labels.mask_metrics(table, parsed, true_frames, settings.masks.classes, settings.masks.backend)


def _judge_models(
    table: MetricTable,
    settings: Settings,
    reconstructed: pd.DataFrame,
    dataset: pd.DataFrame,
    frames: pd.DataFrame,
    truth: pd.DataFrame | None,
    head: HeadData,
) -> None:
    """Add the metrics of every reconstruction, by model and weights."""
    size = settings.sequences.image_size
    pictures = frames.set_index(["episode", "frame"])[["width", "height"]]
    crops = dataset[["sequence", "position", "episode", "frame", "source_frame", "transform", "points68"]]
    crops = crops.rename(columns={"points68": "landmarks68"})
    for (model, weights), rows in reconstructed.groupby(["model", "weights"]):
        subject = f"{model}, {weights}"
        joined = rows.drop(columns="episode").merge(crops, on=["sequence", "position"])
        models.point_metrics(table, joined, subject, truth=False)
        models.consistency_metric(table, joined, subject)
        if truth is None:
            continue
        true = labels.true_points(joined, truth)
        models.point_metrics(table, true, subject, truth=True)
        if len(true):
            sizes = pictures.loc[list(zip(true["episode"], true["frame"], strict=True))].to_numpy(float)
            models.geometry_metrics(table, true, head, size, sizes, subject)
