"""ResNet with bottleneck blocks: DECA's encoder, and the trunk that it shares with the temporal encoder.

Shape letters: B images, H and W their height and width, w the width of the stem (64 in ResNet-50).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn import functional as F

from tvface.networks.initialise import fan_out_normal
from tvface.networks.warp import at_least_float32
from tvface.runtime.device import single_precision

EXPANSION = 4
"""Output channels of a bottleneck per inner channel."""


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions with batch normalisation, and a shortcut (He et al. 2016, figure 5).

    Args:
        channels: channels of the input.
        inner: channels of the 3x3 convolution; the output has four times as many.
        stride: 1 or 2.
        stride_first: put the stride on the first 1x1 convolution (Caffe, VGGFace2) instead of the 3x3 one
            (torchvision's "v1.5", DECA). The parameters have the same shapes, but the results differ.
    """

    def __init__(self, channels: int, inner: int, stride: int = 1, *, stride_first: bool = False) -> None:
        super().__init__()
        first, second = (stride, 1) if stride_first else (1, stride)
        self.conv1 = nn.Conv2d(channels, inner, 1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride=second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, inner * EXPANSION, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(inner * EXPANSION)
        self.downsample: nn.Sequential | None = None
        if stride != 1 or channels != inner * EXPANSION:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, inner * EXPANSION, 1, stride=stride, bias=False),
                nn.BatchNorm2d(inner * EXPANSION),
            )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, 4 inner, ceil(H / stride), ceil(W / stride)) of (B, channels, H, W)."""
        shortcut = x if self.downsample is None else self.downsample(x)
        x = F.relu(self.bn1(self.conv1(x)))
        x = F.relu(self.bn2(self.conv2(x)))
        return F.relu(self.bn3(self.conv3(x)) + shortcut)


class ResNetTrunk(nn.Module):
    """The four stages ``layer1`` .. ``layer4`` and a global average, without a stem.

    Args:
        channels: channels of the input (the stem's width in a plain ResNet).
        width: inner channels of the first stage; they double from stage to stage.
        layers: bottleneck blocks per stage.
        stride_first: see :class:`Bottleneck`.
    """

    def __init__(
        self,
        channels: int = 64,
        width: int = 64,
        layers: Sequence[int] = (3, 4, 6, 3),
        *,
        stride_first: bool = False,
    ) -> None:
        super().__init__()
        self.features = width * 8 * EXPANSION
        for stage, blocks in enumerate(layers):
            inner = width * 2**stage
            parts = []
            for block in range(blocks):
                stride = 2 if stage > 0 and block == 0 else 1
                parts.append(Bottleneck(channels, inner, stride, stride_first=stride_first))
                channels = inner * EXPANSION
            self.add_module(f"layer{stage + 1}", nn.Sequential(*parts))
        fan_out_normal(self)

    def stages(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the outputs of the four stages for (B, channels, H, W): sides H, H/2, H/4, H/8 (rounded up)."""
        outputs = []
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
            outputs.append(x)
        return outputs

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return (B, 32 width) of (B, channels, H, W), in float32 even if the stages are in bfloat16.

        The average runs over the whole last map, which at 224 pixels is the original's fixed 7x7 window.
        """
        return at_least_float32(self.stages(x)[-1]).mean(dim=(2, 3))


class ResNet(ResNetTrunk):
    """A trunk with the usual stem: 7x7 convolution of stride 2, batch normalisation, ReLU, max pooling of stride 2.

    Args:
        caffe: the Caffe variant of VGGFace2: strides on the first 1x1 convolutions, pooling without padding but
            with partial windows at the border.
    """

    def __init__(self, width: int = 64, layers: Sequence[int] = (3, 4, 6, 3), *, caffe: bool = False) -> None:
        super().__init__(width, width, layers, stride_first=caffe)
        self.conv1 = nn.Conv2d(3, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=0 if caffe else 1, ceil_mode=caffe)
        fan_out_normal(self.conv1)

    def stem(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, width, H/4, W/4) of (B, 3, H, W)."""
        return self.maxpool(F.relu(self.bn1(self.conv1(images))))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, 32 width) of (B, 3, H, W)."""
        return super().forward(self.stem(images))


class RegressionHead(nn.Sequential):
    """DECA's head: Linear, ReLU, Linear, with unbounded output (its ``encoders.py``).

    It predicts camera and light, so it stays in float32 in mixed precision, and so do its results.
    """

    def __init__(self, features: int, hidden: int, outputs: int) -> None:
        super().__init__(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, outputs))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Return (B, outputs) in float32 of (B, features) in any precision (float64 stays)."""
        with single_precision(features.device):
            return super().forward(at_least_float32(features))


class ResNetEncoder(nn.Module):
    """DECA's encoder: maps one image to one code (``E_flame`` with 236 outputs, ``E_detail`` with 128).

    Args:
        outputs: length of the code.
        width: channels of the stem, 64 in ResNet-50.
        layers: bottleneck blocks per stage.
        hidden: units between the two fully connected layers.
    """

    def __init__(self, outputs: int, width: int = 64, layers: Sequence[int] = (3, 4, 6, 3), hidden: int = 1024) -> None:
        super().__init__()
        self.encoder = ResNet(width, layers)
        self.layers = RegressionHead(self.encoder.features, hidden, outputs)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Encode images.

        Args:
            images: (B, 3, H, W) RGB in [0, 1], not normalised further; H, W >= 32 (224 originally).

        Returns:
            (B, outputs) code.
        """
        return self.layers(self.encoder(images))
