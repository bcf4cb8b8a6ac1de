"""Compare the data half with ground truth: cuts, detections, tracks, people, mixed sequences.

All functions work on the rows of manifests (pandas frames) and return plain numbers with their number of
samples, so that the report can show both.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class Ratio:
    """``hits / total`` with its parts; undefined (None) where nothing was counted."""

    hits: int
    total: int

    @property
    def value(self) -> float | None:
        """``hits / total``; None without samples."""
        return self.hits / self.total if self.total else None

    def __add__(self, other: Ratio) -> Ratio:
        return Ratio(self.hits + other.hits, self.total + other.total)


def cut_scores(frames: pd.DataFrame, truth: pd.DataFrame) -> tuple[Ratio, Ratio]:
    """Return (precision, recall) of hard cuts of one episode.

    A predicted cut lies between two sampled frames k-1 and k; it is right if a true cut's first frame lies in
    (source_frame[k-1], source_frame[k]]. A true cut counts as recalled if it lies in the interval of a predicted one.

    Args:
        frames: rows of the ``frames`` manifest of the episode.
        truth: rows of the true frames (``source_frame``, ``shot``).
    """
    frames = frames.sort_values("frame")
    truth = truth.sort_values("source_frame")
    shots = truth["shot"].to_numpy()
    true_cuts = truth["source_frame"].to_numpy()[1:][shots[1:] != shots[:-1]]
    source, predicted = frames["source_frame"].to_numpy(), frames["shot"].to_numpy()
    change = np.flatnonzero(predicted[1:] != predicted[:-1])
    intervals = [(source[k], source[k + 1]) for k in change]
    right = sum(any(low < cut <= high for cut in true_cuts) for low, high in intervals)
    recalled = sum(any(low < cut <= high for low, high in intervals) for cut in true_cuts)
    return Ratio(right, len(intervals)), Ratio(recalled, len(true_cuts))


def box_iou(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Return the (N, M) overlap of boxes (N, 4) and (M, 4), x0 y0 x1 y1."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    overlap = np.clip(high - low, 0, None).prod(-1)
    area = [np.clip(box[:, 2:] - box[:, :2], 0, None).prod(-1) for box in (first, second)]
    union = area[0][:, None] + area[1][None, :] - overlap
    return np.divide(overlap, union, out=np.zeros_like(overlap), where=union > 0)


def match_faces(faces: pd.DataFrame, truth: pd.DataFrame, iou: float) -> pd.DataFrame:
    """Pair detected and true faces frame by frame (one to one, largest total overlap).

    Args:
        faces: rows of the ``faces`` manifest of one episode.
        truth: true faces of the same episode, only of the sampled frames.
        iou: smallest overlap of a pair; the true box is the tight box of the 68 points.

    Returns:
        One row per true face: the truth's columns, ``face`` (index into ``faces`` or <NA>) .
    """
    matched = pd.array([pd.NA] * len(truth), dtype="Int64")
    truth = truth.reset_index(drop=True)
    detected = dict(tuple(faces.groupby("source_frame")))
    for frame, rows in truth.groupby("source_frame"):
        if frame not in detected:
            continue
        candidates = detected[frame]
        boxes = candidates[["x0", "y0", "x1", "y1"]].to_numpy(float)
        overlap = box_iou(np.stack(rows["box"].to_list()).astype(float), boxes)
        for i, j in zip(*linear_sum_assignment(-overlap), strict=True):
            if overlap[i, j] >= iou:
                matched[rows.index[i]] = candidates.index[j]
    return truth.assign(face=matched)


def detection_recall(matched: pd.DataFrame, frontal_yaw: float) -> tuple[Ratio, Ratio]:
    """Return recall on (frontal, turned) faces that lie wholly in the picture and are mostly unhidden."""
    visible = np.array([np.mean(v) for v in matched["visible"]]) if len(matched) else np.zeros(0)
    whole = matched[(matched["inside"] >= 0.99).to_numpy() & (visible >= 0.5)]
    frontal = whole["yaw"].abs() <= frontal_yaw

    def ratio(rows: pd.DataFrame) -> Ratio:
        return Ratio(int(rows["face"].notna().sum()), len(rows))

    return ratio(whole[frontal]), ratio(whole[~frontal])


def detection_precision(faces: pd.DataFrame, matched: pd.DataFrame) -> Ratio:
    """Return the part of the detections that belong to a true face."""
    return Ratio(int(faces.index.isin(matched["face"].dropna()).sum()), len(faces))


def idf1(true_tracks: Sequence[object], tracks: Sequence[object], extra_true: int, extra_predicted: int) -> float:
    """Return IDF1 (Ristani et al. 2016): 2 IDTP / (true faces + detected faces).

    Args:
        true_tracks, tracks: labels of the matched faces, aligned.
        extra_true: true faces without a detection; extra_predicted: detections without a true face.
    """
    total = 2 * len(tracks) + extra_true + extra_predicted
    if not total:
        return float("nan")
    table = pd.crosstab(pd.Series(true_tracks, name="t", dtype=object), pd.Series(tracks, name="p", dtype=object))
    if table.empty:
        return 0.0
    rows, columns = linear_sum_assignment(-table.to_numpy())
    return 2.0 * float(table.to_numpy()[rows, columns].sum()) / total


def pairwise_f1(true_people: Sequence[object], people: Sequence[object]) -> float:
    """Return the F1 of 'same person' over all pairs of items."""
    table = pd.crosstab(pd.Series(true_people, dtype=object), pd.Series(people, dtype=object)).to_numpy(float)

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1) / 2).sum())

    both, true, predicted = pairs(table), pairs(table.sum(1)), pairs(table.sum(0))
    if true + predicted == 0:
        return float("nan")
    return 2 * both / (true + predicted)


def mixed_sequences(people: pd.Series, sequences: pd.Series) -> Ratio:
    """Return how many sequences hold faces of more than one true person, of how many."""
    counts = people.groupby(sequences.to_numpy()).nunique()
    return Ratio(int((counts > 1).sum()), len(counts))
