"""BiSeNet's preprocessing and the way back to the crop; the network itself: ``tests/networks/test_bisenet.py``."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from tvface.parsers.bisenet import Backend
from tvface.settings.labels import Masks


class _Brightness(torch.nn.Module):
    """Calls a pixel skin (1) where its red is over one half, cloth (16) elsewhere; records what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[torch.Tensor] = []

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        self.seen.append(images)
        bright = images[:, 0] * 0.229 + 0.485 > 0.5
        logits = torch.zeros(len(images), 19, *images.shape[2:])
        logits[:, 1], logits[:, 16] = bright, ~bright
        return logits


@pytest.mark.parametrize("side", [64, 358, 700])
def test_labels_lie_where_the_picture_says(side: int) -> None:
    crops = np.zeros((3, side, side, 3), np.uint8)
    crops[:, side // 4 :, : side // 2] = 255
    net = _Brightness()
    labels = Backend(Masks(batch=2), torch.device("cpu"), net).parse(crops)
    assert labels.shape == (3, side, side) and labels.dtype == np.uint8
    wrong = labels != np.where(crops[..., 0] > 127, 1, 16)
    edge = np.zeros((side, side), bool)
    edge[side // 4 - 1 : side // 4 + 1] = True
    edge[:, side // 2 - 1 : side // 2 + 1] = True
    assert not wrong[:, ~edge].any()
    assert [len(batch) for batch in net.seen] == [1, 1, 1], "on a CPU one by one"


def test_the_network_sees_what_pillow_would_give_it() -> None:
    crop = np.random.default_rng(0).integers(0, 256, (1, 90, 90, 3), np.uint8)
    net = _Brightness()
    Backend(Masks(), torch.device("cpu"), net).parse(crop)
    pillow = np.asarray(Image.fromarray(crop[0]).resize((512, 512), Image.Resampling.BILINEAR), np.float32) / 255
    expected = (pillow - np.array([0.485, 0.456, 0.406])) / np.array([0.229, 0.224, 0.225])
    # One grey level, where Pillow's fixed-point filter rounds the other way.
    assert np.abs(net.seen[0][0].permute(1, 2, 0).numpy() - expected).max() < 1.01 / 255 / 0.224


def test_no_crops_no_labels() -> None:
    labels = Backend(Masks(), torch.device("cpu"), _Brightness()).parse(np.zeros((0, 32, 32, 3), np.uint8))
    assert labels.shape == (0, 32, 32)
