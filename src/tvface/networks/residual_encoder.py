"""DECA's encoder that also looks at neighbouring frames: the same network plus residuals over time.

Shape letters: B sequences, T frames, w width of the stem, C channels of the propagation, H and W of the images.

    images --DECA's stem, layer1--> 4w @ H/4 --+--> layer2 .. layer4, global average --+--> two linear layers --> code
                                    |          ^                            |          ^
                                    +-> narrow, propagation over T, widen --+          +
                                        (second order, C @ H/4)             +-> attention over T

``widen`` and the attention's last layer are zero at first, so the network starts as DECA exactly: it takes DECA's
weights, the published ones included, and what it gains over DECA it owes to the neighbours. The residual of the map
moves with optical flow, so it can mend a frame that is blurred or hidden by what the same spot showed before and after.
The attention carries what has no place in the picture, such as the person's shape, and depth under turning.

The propagation is BasicVSR++'s (Chan et al. 2022), as in :mod:`tvface.networks.temporal_encoder`, without
normalisation; adding a zero-started branch to a trained network is ControlNet's way (Zhang et al., ICCV 2023).
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F

from tvface.networks.propagation import SecondOrderPropagation
from tvface.networks.resnet import EXPANSION, RegressionHead, ResNet
from tvface.networks.warp import at_least_float32
from tvface.settings.model import ResidualEncoder as ResidualEncoderSettings

_HEADS = 4
_SLOWEST = 64.0  # frames of the longest wave that encodes a frame's place in the window


class ResidualEncoder(nn.Module):
    """Maps a window of frames to one code per frame.

    ``encoder`` and ``layers`` have the names and shapes of :class:`tvface.networks.resnet.ResNetEncoder`.

    Args:
        outputs: length of the code.
        settings: sizes; ``attention`` 0 leaves the attention out.
    """

    ADDED = ("narrow.", "propagation.", "widen.", "attention.")
    """Prefixes of the parameters that DECA's encoder has not."""

    def __init__(self, outputs: int, settings: ResidualEncoderSettings | None = None) -> None:
        super().__init__()
        size = settings or ResidualEncoderSettings()
        self.encoder = ResNet(size.width, size.layers)
        self.layers = RegressionHead(self.encoder.features, size.hidden, outputs)
        inner = size.width * EXPANSION
        self.narrow = nn.Conv2d(inner, size.channels, 1)
        self.propagation = SecondOrderPropagation.of(size, norm=False)
        self.widen = nn.Conv2d(2 * size.rnn_layers * size.channels, inner, 3, padding=1)
        nn.init.zeros_(self.widen.weight)
        nn.init.zeros_(self.widen.bias)  # type: ignore[arg-type]
        self.attention = (
            FrameAttention(self.encoder.features, size.attention_width, size.attention) if size.attention else None
        )

    def forward(self, images: torch.Tensor, flows_backward: torch.Tensor, flows_forward: torch.Tensor) -> torch.Tensor:
        """Encode a window.

        Args:
            images: (B, T, 3, H, W) RGB in [0, 1], any T >= 1; H and W multiples of 4, at least 32 (224 originally).
            flows_backward: (B, T-1, 2, H/2, W/2) optical flow from frame i to frame i+1, channels (dx, dy), in pixels
                at half the images' size.
            flows_forward: (B, T-1, 2, H/2, W/2) flow from frame i+1 to frame i.

        Returns:
            (B, T, outputs).

        Raises:
            ValueError: sides that are no multiples of 4, or flows of another shape.
        """
        b, t, _, h, w = images.shape
        if h % 4 or w % 4:
            raise ValueError(f"images of {h} x {w} pixels: the residual encoder needs sides that are multiples of 4")
        maps = self.encoder.get_submodule("layer1")(self.encoder.stem(images.flatten(0, 1)))
        narrow = self.narrow(maps).unflatten(0, (b, t))
        branches = self.propagation(narrow, _halved(flows_backward), _halved(flows_forward))
        maps = maps + self.widen(torch.cat(list(branches.values()), 2).flatten(0, 1))
        features = self._rest(maps)
        if self.attention is not None:
            features = features + self.attention(features.unflatten(0, (b, t))).flatten(0, 1)
        codes: torch.Tensor = self.layers(features)
        return codes.unflatten(0, (b, t))

    def _rest(self, maps: torch.Tensor) -> torch.Tensor:
        for stage in ("layer2", "layer3", "layer4"):
            maps = self.encoder.get_submodule(stage)(maps)
        return at_least_float32(maps).mean(dim=(2, 3))


class FrameAttention(nn.Module):
    """What the frames of a window tell each other: a small transformer over their feature vectors.

    Args:
        features: length F of a frame's vector.
        width: of the transformer.
        layers: of the transformer (pre-norm, 4 heads, no dropout).
    """

    def __init__(self, features: int, width: int, layers: int) -> None:
        super().__init__()
        self.inward = nn.Linear(features, width)
        layer = nn.TransformerEncoderLayer(
            width, _HEADS, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.outward = nn.Linear(width, features)
        nn.init.zeros_(self.outward.weight)
        nn.init.zeros_(self.outward.bias)
        self.width = width

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return what to add to features (B, T, F), of the same shape; zeros at first."""
        tokens = self.inward(features)
        added: torch.Tensor = self.outward(self.transformer(tokens + self._places(tokens)))
        return added

    def _places(self, tokens: torch.Tensor) -> torch.Tensor:
        """Return sines and cosines (T, width) of the frames' places in the window (Vaswani et al. 2017)."""
        half = self.width // 2
        rates = torch.exp(-math.log(_SLOWEST) * torch.arange(half, device=tokens.device) / half)
        angles = torch.arange(tokens.shape[1], device=tokens.device)[:, None] * rates
        return torch.cat([angles.sin(), angles.cos()], 1).to(tokens.dtype)


def _halved(flows: torch.Tensor) -> torch.Tensor:
    """Return flow (B, P, 2, H, W) on a grid of half the side, in its pixels."""
    b, p, _, h, w = flows.shape
    if p == 0:  # a single frame has no pairs, and pooling takes no empty batch
        return flows.new_zeros(b, 0, 2, h // 2, w // 2)
    return F.avg_pool2d(flows.flatten(0, 1), 2).unflatten(0, (b, p)) / 2
