"""MTCNN (Zhang et al. 2016) as ported and trained in facenet-pytorch, whose package holds networks and weights.

Boxes, points and probabilities equal those of the package's ``detect``; see :mod:`tvface.detectors.cascade`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import facenet_pytorch
import numpy as np
import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet

from tvface.detectors.base import Detections, Detector, require_one_size
from tvface.detectors.cascade import Cascade
from tvface.detectors.mtcnn_networks import CropNetwork, ProposalNetwork
from tvface.files.digests import digest
from tvface.media.images import Image
from tvface.networks.inference import prepared
from tvface.settings.data import Faces


class Backend(Detector):
    """MTCNN. Reads ``min_face`` and ``thresholds`` of the faces settings."""

    def __init__(self, settings: Faces, device: torch.device) -> None:
        folder = Path(facenet_pytorch.__file__).parent / "data"
        self.weights = {f"mtcnn/{name}": digest(folder / name) for name in ("pnet.pt", "rnet.pt", "onet.pt")}
        self.device = device
        self.cascade = Cascade(
            prepared(ProposalNetwork(PNet()), device),
            prepared(CropNetwork(RNet()), device),
            prepared(CropNetwork(ONet()), device),
            settings.min_face,
            settings.thresholds,
        )

    @torch.inference_mode()
    def detect(self, images: Sequence[Image]) -> list[Detections]:
        """See :meth:`Detector.detect`."""
        require_one_size(images)
        # A picture smaller than the smallest face has an empty pyramid.
        if not images or min(images[0].shape[:2]) < self.cascade.min_face:
            return [Detections.none() for _ in images]
        boxes, points = self.cascade(torch.from_numpy(np.stack(images)).to(self.device))
        sides = boxes.box[:, 2:] - boxes.box[:, :2]
        order = sides.prod(1).argsort(descending=True, stable=True)
        picture, box, score, point = (
            value[order].cpu().numpy() for value in (boxes.picture, boxes.box, boxes.score, points)
        )
        selections = (picture == index for index in range(len(images)))
        return [Detections(box[selection], score[selection], point[selection]) for selection in selections]
