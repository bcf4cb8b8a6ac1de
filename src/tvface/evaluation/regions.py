"""Overlap of label maps and face masks."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tvface.conventions.classes import CLASSES


def mask_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Return intersection over union of two boolean masks; nan where both are empty."""
    union = np.logical_or(first, second).sum()
    return float(np.logical_and(first, second).sum() / union) if union else float("nan")


def confusion(predicted: np.ndarray, truth: np.ndarray, classes: int = 19) -> np.ndarray:
    """Return the (classes, classes) count of pixels by (true, predicted) class."""
    joint = truth.astype(np.int64).ravel() * classes + predicted.astype(np.int64).ravel()
    return np.bincount(joint, minlength=classes * classes).reshape(classes, classes)


def class_iou(counts: np.ndarray) -> dict[str, float]:
    """Return the IoU of every class that occurs in truth, from a confusion table."""
    hit = np.diag(counts).astype(float)
    union = counts.sum(0) + counts.sum(1) - np.diag(counts)
    present = counts.sum(1) > 0
    return {CLASSES[i]: float(hit[i] / union[i]) for i in np.flatnonzero(present)}


def in_classes(labels: np.ndarray, classes: Iterable[int]) -> np.ndarray:
    """Return where a label map holds one of ``classes``."""
    table = np.zeros(256, bool)
    table[list(classes)] = True
    return table[labels]
