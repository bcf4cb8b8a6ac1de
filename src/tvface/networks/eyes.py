"""The small network that reads the opening of the lids and the gaze from a picture of one eye."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

HEIGHT, WIDTH = 24, 40  # px of a patch
PLACES = 16  # numbers about where eye and nose were found
CHANNELS = (12, 24, 32)
HIDDEN = 32
DROPPED = 0.1  # part of the picture's features that a training step leaves out


class CompactEyes(nn.Module):
    """Three convolutions on the patch; where the points lie joins before the last two layers."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = 3
        for outputs in CHANNELS:
            layers += [nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(True)]
            layers.append(nn.MaxPool2d(2))
            inputs = outputs
        self.body = nn.Sequential(*layers)
        self.hidden = nn.Linear(inputs * (HEIGHT // 8) * (WIDTH // 8) + PLACES, HIDDEN)
        self.dropped = nn.Dropout(DROPPED)
        self.mixed = nn.Linear(HIDDEN + PLACES, HIDDEN)
        self.last = nn.Linear(HIDDEN, 5)

    def forward(self, patches: Tensor, places: Tensor) -> Tensor:
        """Read eyes.

        Args:
            patches: (B, 3, HEIGHT, WIDTH) RGB in [0, 1], of right eyes or of mirrored left ones.
            places: (B, PLACES) from :func:`tvface.fitting.eyes.windows`.

        Returns:
            (B, 5): opening; x (to the patch's right) and y (down) of the unit vector of the gaze; logarithms of the
            expected absolute errors of opening and gaze.
        """
        mean = patches.mean((1, 2, 3), keepdim=True)
        spread = patches.std((1, 2, 3), keepdim=True)
        seen = self.body((patches - mean) / (spread + 0.02)).flatten(1)
        hidden = F.relu(self.hidden(torch.cat([self.dropped(seen), places], 1)))
        hidden = F.relu(self.mixed(torch.cat([hidden, places], 1)))
        result: Tensor = self.last(hidden)
        return result
