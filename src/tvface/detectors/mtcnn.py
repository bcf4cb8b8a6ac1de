"""MTCNN (Zhang et al. 2016) as ported and trained in facenet-pytorch, whose package holds the weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import facenet_pytorch
import numpy as np
import torch

from tvface.detectors.base import Detections, Detector, require_one_size
from tvface.manifests.base import digest
from tvface.media.images import Image
from tvface.settings.data import Faces


class Backend(Detector):
    """MTCNN. Reads ``min_face`` and ``thresholds`` of the faces settings."""

    def __init__(self, settings: Faces, device: torch.device) -> None:
        folder = Path(facenet_pytorch.__file__).parent / "data"
        self.weights = {f"mtcnn/{name}": digest(folder / name) for name in ("pnet.pt", "rnet.pt", "onet.pt")}
        self.min_face = settings.min_face
        self.net = facenet_pytorch.MTCNN(
            keep_all=True, min_face_size=settings.min_face, thresholds=list(settings.thresholds), device=device
        ).eval()

    def detect(self, images: Sequence[Image]) -> list[Detections]:
        require_one_size(images)
        if not images:
            return []
        # A picture smaller than the smallest face has an empty pyramid, on which the package fails.
        if min(images[0].shape[:2]) < self.min_face:
            return [Detections.none() for _ in images]
        # detect() of the package, never its forward(): that one fails on batches with face-less frames (numpy >= 1.24).
        with torch.inference_mode():
            boxes, scores, points = self.net.detect(np.stack(images), landmarks=True)
        return [_detections(*found) for found in zip(boxes, scores, points, strict=True)]


def _detections(boxes: object, scores: object, points: object) -> Detections:
    if boxes is None:
        return Detections.none()
    # The package returns arrays of dtype object wherever the counts differ between pictures.
    return Detections(
        np.asarray(boxes, np.float32).reshape(-1, 4),
        np.asarray(scores, np.float32).reshape(-1),
        np.asarray(points, np.float32).reshape(-1, 5, 2),
    )
