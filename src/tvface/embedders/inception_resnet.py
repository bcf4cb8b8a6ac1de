"""FaceNet: Inception-ResNet-v1 trained on VGGFace2 (facenet-pytorch's network and weight file, LFW 0.9965)."""

from __future__ import annotations

from pathlib import Path

import facenet_pytorch
import numpy as np
import torch
from numpy.typing import NDArray

from tvface.assets.reports import LoadReport
from tvface.embedders.base import Embedder
from tvface.networks.loading import load_inception_resnet
from tvface.settings.data import Faces

_BATCH = 64


class Backend(Embedder):
    """FaceNet on stretched box crops; weights from ``resources/weights`` (see ``resources/assets.tsv``)."""

    dimension = 512
    # The five people of facenet-pytorch's example notebook are 0.78-1.45 apart, mostly over 0.89.
    track_distance = 0.90
    person_distance = 0.75
    pair_distance = 1.0
    crop = "box"

    needs = ("inception_resnet",)

    def __init__(self, settings: Faces, device: torch.device) -> None:
        self.device = device
        (net,) = self.load_needs(settings)
        self.net = net.to(device)

    @classmethod
    def load(cls, path: Path) -> tuple[torch.nn.Module, LoadReport]:
        """See :meth:`tvface.assets.backends.Weighted.load`."""
        return load(path)

    def embed(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """See :meth:`Embedder.embed`."""
        rows = [forward(self.net, crops[i : i + _BATCH], self.device) for i in range(0, len(crops), _BATCH)]
        return np.concatenate(rows) if rows else np.zeros((0, self.dimension), np.float32)


def load(path: Path) -> tuple[torch.nn.Module, LoadReport]:
    """Return the network in eval mode with the weights of ``path``; nothing in the file is executed.

    Raises:
        CheckpointError: the file's tensors are not those of the network and its classifier; the message names them.
    """
    net = facenet_pytorch.InceptionResnetV1(pretrained=None, classify=False)
    report = load_inception_resnet(net, path)
    return net.eval(), report


def forward(
    net: torch.nn.Module, crops: NDArray[np.uint8] | NDArray[np.float32], device: torch.device
) -> NDArray[np.float32]:
    """Embed (N, H, W, 3) RGB crops with values 0..255 as (N, 512) float32 rows of unit length."""
    with torch.inference_mode():
        pixels = torch.as_tensor(np.ascontiguousarray(crops)).to(device).permute(0, 3, 1, 2).float()
        embedded: torch.Tensor = net((pixels - 127.5) / 128.0)
    return np.asarray(embedded.cpu().numpy(), np.float32)
