"""Compare landmarks and masks of the crops with the ground truth of the embedded show."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pandas as pd

from tvface.evaluation import metrics
from tvface.evaluation.points import apply_transform, normalised_mean_error
from tvface.evaluation.regions import class_iou, confusion, in_classes, mask_iou
from tvface.evaluation.table import MetricTable
from tvface.media.images import decode_labels
from tvface.media.tarstore import read_bytes

# Columns of the true faces, and their names beside the columns of crops.
_TRUTH = {
    "episode": "episode",
    "source_frame": "source_frame",
    "person": "true_person",
    "points68": "true_picture",
    "visible": "visible",
    "yaw": "yaw",
    "shape": "true_shape",
    "expression": "true_expression",
    "joints": "joints",
    "translation": "translation",
    "focal": "focal",
}


def true_points(crops: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Join crops with the true face they show and add ``true68``, its points in crop pixels.

    Args:
        crops: rows with ``episode``, ``source_frame``, ``transform`` and ``points5`` or ``points68`` (crop px).
        truth: rows of the true faces manifest.

    Returns:
        The crops whose frame holds a true face inside the crop; of several the one nearest to the crop's points.
    """
    keyed = truth[list(_TRUTH)].rename(columns=_TRUTH)
    crops = crops.assign(crop=np.arange(len(crops)))
    joined = crops.merge(keyed, on=["episode", "source_frame"], how="inner")
    if joined.empty:
        return joined.assign(true68=[], distance=[])
    transform = np.stack(joined["transform"].to_list()).reshape(-1, 2, 3).astype(float)
    true = apply_transform(transform, np.stack(joined["true_picture"].to_list()).reshape(-1, 68, 2).astype(float))
    name = "points68" if "points68" in joined else "points5"
    predicted = np.stack(joined[name].to_list()).reshape(len(joined), -1, 2).astype(float)
    distance = np.linalg.norm(true.mean(1) - predicted.mean(1), axis=-1)
    joined = joined.assign(true68=list(true), distance=distance)
    return joined.loc[joined.groupby("crop")["distance"].idxmin()].reset_index(drop=True)


def landmark_metrics(table: MetricTable, joined: pd.DataFrame, frontal_yaw: float, backend: str) -> None:
    """Add NME of all, frontal and turned faces (``joined`` from :func:`true_points`, with ``points68``)."""
    if joined.empty:
        return
    points = np.stack(joined["points68"].to_list()).reshape(-1, 68, 2).astype(float)
    error = 100 * normalised_mean_error(points, np.stack(joined["true68"].to_list()))
    frontal = joined["yaw"].abs().to_numpy() <= frontal_yaw
    table.add(metrics.LANDMARKS_NME, error.mean(), len(error), backend)
    table.add(metrics.LANDMARKS_NME_MEDIAN, np.median(error), len(error), backend)
    for metric, turned in ((metrics.LANDMARKS_NME_FRONTAL, frontal), (metrics.LANDMARKS_NME_TURNED, ~frontal)):
        value = error[turned].mean() if turned.any() else None
        table.add(metric.of(yaw=frontal_yaw), value, turned.sum(), backend)
    table.add(metrics.LANDMARKS_FAILURES, 100 * (error > 8).mean(), len(error), backend)


def mask_metrics(
    table: MetricTable, crops: pd.DataFrame, truth: pd.DataFrame, classes: Iterable[int], backend: str
) -> None:
    """Add the IoU of the face mask and of each class.

    Args:
        crops: rows with label map addresses, ``transform``, ``episode``, ``source_frame``.
        truth: rows of the true frames manifest with the addresses of the pictures' label maps.
    """
    addresses = truth.set_index(["episode", "source_frame"])[["labels_file", "labels_offset", "labels_length"]]
    overlaps, counts = [], np.zeros((19, 19), np.int64)
    for row in crops.itertuples():
        if (row.episode, row.source_frame) not in addresses.index:
            continue
        picture = _labels(*addresses.loc[(row.episode, row.source_frame)])
        predicted = _labels(row.labels_file, row.labels_offset, row.labels_length)
        transform = np.asarray(row.transform, float).reshape(2, 3)
        true = cv2.warpAffine(picture, transform, predicted.shape[::-1], flags=cv2.INTER_NEAREST)
        overlaps.append(mask_iou(in_classes(predicted, classes), in_classes(true, classes)))
        counts += confusion(predicted, true)
    if not overlaps:
        return
    faces = [value for value in overlaps if np.isfinite(value)]  # the others hold neither a predicted nor a true face
    mean, worst = (float(np.mean(faces)), min(faces)) if faces else (None, None)
    table.add(metrics.FACE_IOU, mean, len(faces), backend)
    table.add(metrics.FACE_IOU_WORST, worst, len(faces), backend)
    for name, value in class_iou(counts).items():
        table.add(metrics.CLASS_IOU.of(region=name), value, len(overlaps), backend)


def _labels(file: str | Path, offset: int, length: int) -> np.ndarray:
    return decode_labels(read_bytes(file, int(offset), int(length)))
