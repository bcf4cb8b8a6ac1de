"""BiSeNet for face parsing (Yu et al. 2018; parameters named as in zllrunning/face-parsing.PyTorch).

Classes are zllrunning's 19 (:mod:`tvface.settings.labels`). Shape letters: B images, H and W their sides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock

WIDTHS = (64, 128, 256, 512)


class _ConvBnRelu(nn.Module):
    def __init__(self, inputs: int, outputs: int, kernel: int = 3) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, padding=kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.relu(self.bn(self.conv(x)))


class _Backbone(nn.Module):
    """ResNet of basic blocks; returns the maps at 1/8, 1/16 and 1/32."""

    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        channels = WIDTHS[0]
        for stage, (width, count) in enumerate(zip(WIDTHS, blocks, strict=True)):
            parts = []
            for block in range(count):
                stride = 2 if stage > 0 and block == 0 else 1
                shortcut = None
                if stride != 1:
                    shortcut = nn.Sequential(
                        nn.Conv2d(channels, width, 1, stride=stride, bias=False), nn.BatchNorm2d(width)
                    )
                parts.append(BasicBlock(channels, width, stride, shortcut))
                channels = width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*parts))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, stride=2, padding=1)
        maps = []
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
            maps.append(x)
        return maps[1:]


class _Attention(nn.Module):
    """Attention refinement: a convolution weighed per channel by its global average."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.conv = _ConvBnRelu(inputs, outputs)
        self.conv_atten = nn.Conv2d(outputs, outputs, 1, bias=False)
        self.bn_atten = nn.BatchNorm2d(outputs)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        return x * torch.sigmoid(self.bn_atten(self.conv_atten(x.mean((2, 3), keepdim=True))))


class _ContextPath(nn.Module):
    def __init__(self, blocks: Sequence[int]) -> None:
        super().__init__()
        self.resnet = _Backbone(blocks)
        self.arm16 = _Attention(256, 128)
        self.arm32 = _Attention(512, 128)
        self.conv_head32 = _ConvBnRelu(128, 128)
        self.conv_head16 = _ConvBnRelu(128, 128)
        self.conv_avg = _ConvBnRelu(512, 128, kernel=1)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        feat8, feat16, feat32 = self.resnet(x)
        average = self.conv_avg(feat32.mean((2, 3), keepdim=True))
        context32 = F.interpolate(self.arm32(feat32) + average, size=feat16.shape[-2:], mode="nearest")
        context32 = self.conv_head32(context32)
        context16 = F.interpolate(self.arm16(feat16) + context32, size=feat8.shape[-2:], mode="nearest")
        return feat8, self.conv_head16(context16), context32


class _Fusion(nn.Module):
    """Feature fusion: spatial and context features, weighed per channel, plus themselves."""

    def __init__(self) -> None:
        super().__init__()
        self.convblk = _ConvBnRelu(256, 256, kernel=1)
        self.conv1 = nn.Conv2d(256, 64, 1, bias=False)
        self.conv2 = nn.Conv2d(64, 256, 1, bias=False)

    def forward(self, spatial: torch.Tensor, context: torch.Tensor) -> torch.Tensor:
        x = self.convblk(torch.cat([spatial, context], dim=1))
        return x + x * torch.sigmoid(self.conv2(F.relu(self.conv1(x.mean((2, 3), keepdim=True)))))


class _Output(nn.Module):
    def __init__(self, inputs: int, inner: int, classes: int) -> None:
        super().__init__()
        self.conv = _ConvBnRelu(inputs, inner)
        self.conv_out = nn.Conv2d(inner, classes, 1, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv_out(self.conv(x))


class BiSeNet(nn.Module):
    """Face parsing network.

    Args:
        classes: 19.
        blocks: basic blocks per stage: (2, 2, 2, 2) is ResNet-18, (3, 4, 6, 3) ResNet-34.
    """

    def __init__(self, classes: int = 19, blocks: Sequence[int] = (2, 2, 2, 2)) -> None:
        super().__init__()
        self.cp = _ContextPath(blocks)
        self.ffm = _Fusion()
        self.conv_out = _Output(256, 256, classes)
        self.conv_out16 = _Output(128, 64, classes)
        self.conv_out32 = _Output(128, 64, classes)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return the class scores of the main head.

        Args:
            images: (B, 3, H, W) RGB, normalised by :func:`tvface.networks.normalise.imagenet_normalise`; 512 x 512 in
                the originals, sides multiples of 32 otherwise.

        Returns:
            (B, classes, H, W) logits; the class map is their argmax.
        """
        return _resize(self.scores(images), images)

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        """Return the (B, classes, H/8, W/8) logits that :meth:`forward` enlarges, with aligned corners."""
        feat8, context8, _ = self.cp(images)
        scores: torch.Tensor = self.conv_out(self.ffm(feat8, context8))
        return scores

    def heads(self, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Return the logits of all three heads, as training uses them, each (B, classes, H, W)."""
        feat8, context8, context16 = self.cp(images)
        main = self.conv_out(self.ffm(feat8, context8))
        auxiliary = self.conv_out16(context8), self.conv_out32(context16)
        return _resize(main, images), _resize(auxiliary[0], images), _resize(auxiliary[1], images)


class Scores(nn.Module):
    """:meth:`BiSeNet.scores` as a module."""

    def __init__(self, net: BiSeNet) -> None:
        super().__init__()
        self.net = net

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Return (B, classes, H/8, W/8) logits."""
        return self.net.scores(images)


def _resize(logits: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    return F.interpolate(logits, size=images.shape[-2:], mode="bilinear", align_corners=True)


_YAKHYO = (
    (r"^fpn\.backbone\.", "cp.resnet."),
    (r"^fpn\.", "cp."),
    (r"\.attention\.0\.", ".conv_atten."),
    (r"\.attention\.1\.", ".bn_atten."),
    (r"^(conv_out\d*)\.conv\.", r"\1.conv_out."),
    (r"^ffm\.conv_block\.", "ffm.convblk."),
    (r"\.conv_block\.", ".conv."),
    (r"\.norm\.", ".bn."),
)


def from_yakhyo(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename the parameters of yakhyo/face-parsing, the same network under other names, to those of :class:`BiSeNet`.

    Its unused ``fpn.backbone.fc`` becomes ``cp.resnet.fc``, for the loader to report.
    """
    renamed = {}
    for name, tensor in state.items():
        for pattern, replacement in _YAKHYO:
            name = re.sub(pattern, replacement, name)
        renamed[name] = tensor
    return renamed
