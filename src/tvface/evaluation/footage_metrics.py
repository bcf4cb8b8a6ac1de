"""Metrics of the data half for the table: cuts, detections, tracks, people, sequences.

Every data frame here holds the manifest rows of all episodes.
"""

from __future__ import annotations

import pandas as pd

from tvface.evaluation import metrics
from tvface.evaluation.footage import (
    Ratio,
    cut_scores,
    detection_precision,
    detection_recall,
    idf1,
    match_faces,
    mixed_sequences,
    pairwise_f1,
)
from tvface.evaluation.labels import true_points
from tvface.evaluation.table import MetricTable


def cut_metrics(table: MetricTable, frames: pd.DataFrame, true_frames: pd.DataFrame) -> None:
    """Add precision and recall of the cuts of all episodes."""
    precision, recall = Ratio(0, 0), Ratio(0, 0)
    for episode, sampled in frames.groupby("episode"):
        episode_precision, episode_recall = cut_scores(sampled, true_frames[true_frames["episode"] == episode])
        precision, recall = precision + episode_precision, recall + episode_recall
    table.add_ratio(metrics.CUT_PRECISION, precision)
    table.add_ratio(metrics.CUT_RECALL, recall)


def paired_faces(frames: pd.DataFrame, faces: pd.DataFrame, truth: pd.DataFrame, iou: float) -> pd.DataFrame:
    """Pair detected and true faces in the valid frames of all episodes, see :func:`match_faces`."""
    matches = []
    for episode, sampled in frames.groupby("episode"):
        looked_at = sampled.loc[sampled["state"] == "valid", "source_frame"]
        true = truth[(truth["episode"] == episode) & truth["source_frame"].isin(looked_at)]
        matches.append(match_faces(faces[faces["episode"] == episode], true, iou))
    return pd.concat(matches, ignore_index=True) if matches else truth.iloc[:0].assign(face=[])


def detection_metrics(
    table: MetricTable, faces: pd.DataFrame, matched: pd.DataFrame, frontal_yaw: float, detector: str
) -> None:
    """Add recall, by how far the faces are turned (degrees), and precision of the detections.

    Args:
        matched: from :func:`paired_faces`.
    """
    frontal, turned = detection_recall(matched, frontal_yaw)
    table.add_ratio(metrics.RECALL_FRONTAL.of(yaw=frontal_yaw), frontal, detector)
    table.add_ratio(metrics.RECALL_TURNED.of(yaw=frontal_yaw), turned, detector)
    table.add_ratio(metrics.DETECTION_PRECISION, detection_precision(faces, matched), detector)


def track_metrics(table: MetricTable, faces: pd.DataFrame, matched: pd.DataFrame, true_frames: pd.DataFrame) -> None:
    """Add how well the tracks keep to one person in one shot."""
    paired = matched[matched["face"].notna()]
    detected = _detected(faces, paired)
    tracks = (detected["episode"] + "/" + detected["track"].astype(str)).to_list()
    shots = true_frames.set_index(["episode", "source_frame"])["shot"]
    true_tracks = [
        f"{row.episode}/{shots[(row.episode, row.source_frame)]}/{row.person}" for row in paired.itertuples()
    ]
    value = idf1(true_tracks, tracks, len(matched) - len(paired), len(faces) - len(paired))
    table.add(metrics.IDF1, value, len(matched))


def people_metrics(
    table: MetricTable, faces: pd.DataFrame, matched: pd.DataFrame, identities: pd.DataFrame, embedder: str
) -> None:
    """Add how well the clusters of tracks separate the people of a show."""
    paired = matched[matched["face"].notna()]
    named = identities[["episode", "track", "person"]]
    people = _detected(faces, paired).merge(named, on=["episode", "track"], how="left")["person"]
    value = pairwise_f1(paired["person"].to_list(), people.to_list())
    table.add(metrics.PAIRWISE_F1, value, len(paired), embedder)


def sequence_metrics(table: MetricTable, crops: pd.DataFrame, truth: pd.DataFrame) -> None:
    """Add how many sequences there are, and how many hold more than one person."""
    joined = true_points(crops, truth)
    table.add_ratio(metrics.MIXED_SEQUENCES, mixed_sequences(joined["true_person"], joined["sequence"]))
    table.add(metrics.SEQUENCES_FOUND, crops["sequence"].nunique(), len(crops))


def _detected(faces: pd.DataFrame, paired: pd.DataFrame) -> pd.DataFrame:
    """Return the detected faces of the pairs, in their order."""
    return faces.loc[paired["face"].astype(int)] if len(paired) else faces.iloc[:0]
