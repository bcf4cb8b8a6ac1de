"""Compare reconstructed codes with the landmarks of the pipeline and with the truth of the embedded show.

Convention: crop pixels, x right, y down, depth towards the camera in the same unit. The perspective camera of the show
and the transform of the crop map a true vertex to them; its depth is scaled as the crop scales lengths at the head's
distance.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import torch

from tvface.conventions.points68 import eye_distance
from tvface.evaluation import metrics
from tvface.evaluation.geometry import align_similarity
from tvface.evaluation.points import apply_transform, invert_transform, jitter, normalised_mean_error
from tvface.evaluation.table import MetricTable
from tvface.head.camera import project
from tvface.head.data import HeadData
from tvface.head.model import HeadModel

_CHUNK = 32


def face_vertices(head: HeadData) -> np.ndarray:
    """Return the indices of the vertices that lie in the head's UV face mask."""
    size = head.face_mask.shape[0]
    corner = head.uv[head.uv_faces.ravel()]
    column = np.clip((corner[:, 0] * size).astype(int), 0, size - 1)
    row = np.clip(((1 - corner[:, 1]) * size).astype(int), 0, size - 1)
    inside = head.face_mask[row, column] > 0.5
    return np.unique(head.faces.ravel()[inside])


def predicted_vertices(model: HeadModel, rows: pd.DataFrame, size: int) -> np.ndarray:
    """Return (N, V, 3) vertices of reconstruct rows in crop pixels, depth towards the camera."""
    parts = []
    for chunk in _chunks(rows):
        output = model(_stack(chunk, "shape"), _stack(chunk, "expression"), _stack(chunk, "pose"))
        image = project(output.vertices, _stack(chunk, "camera"))
        parts.append(image.detach().numpy())
    vertices = np.concatenate(parts)
    scale = size / 2
    return np.stack(
        [(vertices[..., 0] + 1) * scale, (vertices[..., 1] + 1) * scale, -vertices[..., 2] * scale], axis=-1
    )


def true_vertices(model: HeadModel, rows: pd.DataFrame, pictures: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the true vertices in crop pixels and in metres (camera frame), both (N, V, 3).

    Args:
        rows: crops joined with the truth (:func:`tvface.evaluation.labels.true_points`).
        pictures: (N, 2) width and height of the source pictures, for the camera's principal point.
    """
    metres = []
    for chunk in _chunks(rows):
        joints = _stack(chunk, "joints")
        output = model(
            _stack(chunk, "true_shape"),
            _stack(chunk, "true_expression"),
            torch.cat([joints[:, 0:3], joints[:, 6:9]], dim=1),
            neck=joints[:, 3:6],
            eyes=joints[:, 9:15],
        )
        metres.append((output.vertices + _stack(chunk, "translation")[:, None]).detach().numpy())
    camera = np.concatenate(metres).astype(float)
    focal = rows["focal"].to_numpy(float)[:, None]
    centre = (pictures - 1) / 2
    distance = -camera[..., 2]
    picture = np.stack(
        [
            centre[:, 0:1] + focal * camera[..., 0] / distance,
            centre[:, 1:2] - focal * camera[..., 1] / distance,
        ],
        axis=-1,
    )
    transform = np.stack(rows["transform"].to_list()).reshape(-1, 2, 3).astype(float)
    crop = apply_transform(transform, picture)
    head_distance = -np.stack(rows["translation"].to_list())[:, 2:3].astype(float)
    scale = transform[:, 0, 0][:, None] * focal / head_distance
    depth = (camera[..., 2] + head_distance) * scale
    return np.concatenate([crop, depth[..., None]], axis=-1), camera


def geometry_metrics(
    table: MetricTable, rows: pd.DataFrame, head: HeadData, size: int, pictures: np.ndarray, subject: str
) -> None:
    """Add posed, aligned and neutral vertex errors of rows joined with the truth."""
    if rows.empty:
        return
    model = HeadModel(head, len(rows["shape"].iloc[0]), len(rows["expression"].iloc[0])).eval()
    truth_model = HeadModel(head, len(rows["true_shape"].iloc[0]), len(rows["true_expression"].iloc[0])).eval()
    face = face_vertices(head)
    with torch.inference_mode():
        predicted = predicted_vertices(model, rows, size)[:, face].astype(float)
        true, metres = true_vertices(truth_model, rows, pictures)
        true, metres = true[:, face], metres[:, face]
        neutral = _neutral(model, rows, "shape")[:, face]
        true_neutral = _neutral(truth_model, rows, "true_shape")[:, face]
    # An orthographic camera defines depth only up to a shift; x and y are compared without a shift.
    shifted = predicted.copy()
    shifted[..., 2] += (true[..., 2] - predicted[..., 2]).mean(1, keepdims=True)
    eyes = eye_distance(np.stack(rows["true68"].to_list()))
    posed = 100 * np.linalg.norm(shifted - true, axis=-1).mean(1) / eyes
    table.add(metrics.POSED_ERROR, posed.mean(), len(posed), subject)
    upright = predicted * np.array([1.0, -1.0, 1.0])  # y points down in a picture; unflipped it is a mirror image
    aligned = [1000 * _error(a, b) for a, b in zip(upright, metres, strict=True)]
    table.add(metrics.ALIGNED_ERROR, float(np.mean(aligned)), len(aligned), subject)
    shapes = [1000 * _error(a, b) for a, b in zip(neutral, true_neutral, strict=True)]
    table.add(metrics.NEUTRAL_ERROR, float(np.mean(shapes)), len(shapes), subject)


def point_metrics(table: MetricTable, rows: pd.DataFrame, subject: str, truth: bool) -> None:
    """Add reprojection error and jitter; the reference is ``true68`` (``truth``) or the pipeline's ``landmarks68``."""
    if rows.empty:
        return
    points = np.stack(rows["points68"].to_list()).reshape(-1, 68, 2).astype(float)
    reference = np.stack(rows["true68" if truth else "landmarks68"].to_list()).reshape(-1, 68, 2).astype(float)
    error = 100 * normalised_mean_error(points, reference)
    metric = metrics.REPROJECTION_NME if truth else metrics.LANDMARK_NME
    table.add(metric, error.mean(), len(error), subject)
    inverse = invert_transform(np.stack(rows["transform"].to_list()).reshape(-1, 2, 3).astype(float))
    picture, picture_reference = apply_transform(inverse, points), apply_transform(inverse, reference)
    values = [
        jitter(picture[index], picture_reference[index])
        for index in rows.reset_index(drop=True).groupby("sequence").indices.values()
    ]
    values = [value for value in values if np.isfinite(value)]  # shorter sequences have no second difference
    if truth:
        mean = 100 * float(np.mean(values)) if values else None
        table.add(metrics.JITTER, mean, len(values), subject)


def consistency_metric(table: MetricTable, rows: pd.DataFrame, subject: str) -> None:
    """Add how much the shape code varies inside a sequence."""
    if rows.empty:
        return
    spread = [np.stack(group.to_list()).std(0).mean() for _, group in rows.groupby("sequence")["shape"]]
    table.add(metrics.SHAPE_SPREAD, float(np.mean(spread)), len(spread), subject)


def _error(points: np.ndarray, truth: np.ndarray) -> float:
    return float(np.linalg.norm(align_similarity(points, truth) - truth, axis=-1).mean())


def _neutral(model: HeadModel, rows: pd.DataFrame, column: str) -> np.ndarray:
    parts = []
    for chunk in _chunks(rows):
        shape = _stack(chunk, column)
        zeros = torch.zeros(len(shape), model.n_expression)
        parts.append(model(shape, zeros, torch.zeros(len(shape), 6)).vertices.numpy())
    return np.concatenate(parts)


def _chunks(rows: pd.DataFrame) -> Iterator[pd.DataFrame]:
    for start in range(0, len(rows), _CHUNK):
        yield rows.iloc[start : start + _CHUNK]


def _stack(rows: pd.DataFrame, column: str) -> torch.Tensor:
    return torch.from_numpy(np.stack(rows[column].to_list()).astype(np.float32))
