"""2D-FAN, the face alignment network (Bulat and Tzimiropoulos 2017), from the ``face_alignment`` package.

Only the network class of the package is used: constructing it downloads nothing. Weights come from a file.
"""

from __future__ import annotations

from pathlib import Path

import torch
from face_alignment.models import FAN
from torch import nn

from tvface.networks.loading import LoadReport, load_fan

STACKS = 4
POINTS = 68
INPUT_SIDE = 256
HEATMAP_SIDE = 64


def build() -> nn.Module:
    """Return 2DFAN-4 with random weights.

    Its ``forward`` takes (B, 3, 256, 256) RGB in [0, 1] and returns a list of four heat maps (B, 68, 64, 64), the last
    of which is the result.
    """
    return FAN(num_modules=STACKS)


def load(path: Path, device: torch.device | str = "cpu") -> tuple[nn.Module, LoadReport]:
    """Return 2DFAN-4 in evaluation mode with the weights of a file, see :func:`tvface.networks.loading.load_fan`.

    Raises:
        CheckpointError: the file is neither a state dict nor a TorchScript archive, or does not fit.
    """
    network = build()
    report = load_fan(network, path)
    return network.to(device).eval(), report
