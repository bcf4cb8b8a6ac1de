"""Stage ``evaluate``: one table of numbers for every stage.

With the embedded show's truth, every stage is judged against it. Without truth (real footage), the models are judged
against the landmarks of the pipeline, and what needs truth is absent from the table.
"""

from __future__ import annotations

import pandas as pd

from tvface.dag.provenance import Paths, provenance, stage_run
from tvface.evaluation import footage, labels, models
from tvface.evaluation.curves import curve_metrics
from tvface.evaluation.table import MetricTable
from tvface.files.atomic import atomic
from tvface.head.data import HeadData
from tvface.manifests import read, read_all, write
from tvface.manifests.dataset import DATASET
from tvface.manifests.evaluate import EVALUATE
from tvface.manifests.faces import FACES
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
        inputs: lists ``frames``, ``faces``, ``identities``, ``sequences``, ``landmarks``, ``masks``, ``reconstruct``,
            ``curves``, ``truth_frames``, ``truth_faces`` (both empty without the embedded show); ``dataset``; ``head``.
    """
    table = MetricTable()
    frames = read_all(inputs["frames"], FRAMES)
    faces = read_all(inputs["faces"], FACES)
    crops = read_all(inputs["sequences"], SEQUENCES)
    landmarks = read_all(inputs["landmarks"], LANDMARKS)
    curve_metrics(table, read_all(inputs["curves"], TRAIN))
    dataset = read(inputs["dataset"], DATASET).rows
    reconstructed = read_all(inputs["reconstruct"], RECONSTRUCT)
    if inputs["truth_faces"]:
        truth_frames = read_all(inputs["truth_frames"], TRUTH_FRAMES)
        truth = read_all(inputs["truth_faces"], TRUTH_FACES)
        identities = read_all(inputs["identities"], IDENTITIES)
        _judge_footage(table, settings, frames, faces, identities, crops, truth_frames, truth)
        key = ["sequence", "position"]
        pointed = crops.drop(columns="episode").merge(landmarks, on=key)
        labels.landmark_metrics(
            table, labels.true_points(pointed, truth), settings.evaluate.frontal_yaw, settings.landmarks.backend
        )
        parsed = crops.drop(columns="episode").merge(read_all(inputs["masks"], MASKS), on=key)
        labels.mask_metrics(table, parsed, truth_frames, settings.masks.classes, settings.masks.backend)
    else:
        truth = None
    _judge_models(table, settings, reconstructed, dataset, frames, truth, HeadData.load(inputs["head"]))
    rows = table.rows()
    write(outputs["manifest"], EVALUATE, rows, provenance("evaluate", settings, inputs))
    with atomic(outputs["table"]) as temporary:
        rows.to_csv(temporary, sep="\t", index=False, float_format="%.5g")


def _judge_footage(
    table: MetricTable,
    settings: Settings,
    frames: pd.DataFrame,
    faces: pd.DataFrame,
    identities: pd.DataFrame,
    crops: pd.DataFrame,
    truth_frames: pd.DataFrame,
    truth: pd.DataFrame,
) -> None:
    chosen = settings.evaluate
    precision, recall, frontal, turned, right = (footage.Ratio(0, 0) for _ in range(5))
    matches = []
    for episode, sampled in frames.groupby("episode"):
        p, r = footage.cut_scores(sampled, truth_frames[truth_frames["episode"] == episode])
        precision, recall = precision + p, recall + r
        looked_at = sampled.loc[sampled["state"] == "valid", "source_frame"]
        true = truth[(truth["episode"] == episode) & truth["source_frame"].isin(looked_at)]
        found = faces[faces["episode"] == episode]
        matched = footage.match_faces(found, true, chosen.match_iou)
        f, t = footage.detection_recall(matched, chosen.frontal_yaw)
        frontal, turned = frontal + f, turned + t
        right = right + footage.detection_precision(found, matched)
        matches.append(matched)
    matched = pd.concat(matches, ignore_index=True) if matches else truth.iloc[:0].assign(face=[])
    yaw = f"{chosen.frontal_yaw:g} degrees"
    table.add_ratio("frames", "cut_precision", precision, "higher", "found cuts that are true")
    table.add_ratio("frames", "cut_recall", recall, "higher", "true cuts that are found")
    table.add_ratio(
        "faces",
        "recall_frontal",
        frontal,
        "higher",
        f"whole, unhidden true faces turned up to {yaw} that are detected",
        settings.faces.detector,
    )
    table.add_ratio("faces", "recall_turned", turned, "higher", f"the same, turned over {yaw}",
                    settings.faces.detector)  # fmt: skip
    table.add_ratio("faces", "precision", right, "higher", "detections that are a true face", settings.faces.detector)
    paired = matched[matched["face"].notna()]
    own = faces.loc[paired["face"].astype(int)] if len(paired) else faces.iloc[:0]
    tracks = (own["episode"] + "/" + own["track"].astype(str)).to_list()
    shots = truth_frames.set_index(["episode", "source_frame"])["shot"]
    true_tracks = [
        f"{row.episode}/{shots[(row.episode, row.source_frame)]}/{row.person}" for row in paired.itertuples()
    ]
    table.add("faces", "idf1", footage.idf1(true_tracks, tracks, len(matched) - len(paired), len(faces) - len(paired)),
              len(matched), "", "higher", "IDF1 of tracks; a true track is one person in one shot")  # fmt: skip
    people = own.merge(identities[["episode", "track", "person"]], on=["episode", "track"], how="left")["person"]
    table.add("identities", "pairwise_f1", footage.pairwise_f1(paired["person"].to_list(), people.to_list()),
              len(paired), "", "higher", "F1 of 'same person' over all pairs of detected faces",
              settings.faces.embedder)  # fmt: skip
    joined = labels.true_points(crops, truth)
    table.add_ratio("sequences", "mixed", footage.mixed_sequences(joined["true_person"], joined["sequence"]), "lower",
                    "sequences that hold more than one person")  # fmt: skip
    table.add("sequences", "count", crops["sequence"].nunique(), len(crops), "", "higher", "sequences found")


def _judge_models(
    table: MetricTable,
    settings: Settings,
    reconstructed: pd.DataFrame,
    dataset: pd.DataFrame,
    frames: pd.DataFrame,
    truth: pd.DataFrame | None,
    head: HeadData,
) -> None:
    size = settings.sequences.image_size
    pictures = frames.set_index(["episode", "frame"])[["width", "height"]]
    wanted = dataset[["sequence", "position", "episode", "frame", "source_frame", "transform", "points68"]]
    wanted = wanted.rename(columns={"points68": "landmarks68"})
    for (model, weights), rows in reconstructed.groupby(["model", "weights"]):
        subject = f"{model}, {weights}"
        joined = rows.drop(columns="episode").merge(wanted, on=["sequence", "position"])
        models.point_metrics(table, joined, subject, truth=False)
        models.consistency_metric(table, joined, subject)
        if truth is None:
            continue
        true = labels.true_points(joined, truth)
        models.point_metrics(table, true, subject, truth=True)
        if len(true):
            sizes = pictures.loc[list(zip(true["episode"], true["frame"], strict=True))].to_numpy(float)
            models.geometry_metrics(table, true, head, size, sizes, subject)
