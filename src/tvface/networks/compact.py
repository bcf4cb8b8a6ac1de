"""The small networks that tvface trains on its renders and ships: landmarks, parsing and identity.

Shapes: B batch, H W height and width of the input (multiples of 32), C channels.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

POINTS = 68
CLASSES = 19


def _conv(inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    )


class Bottleneck(nn.Module):
    """Residual block C -> C/2 (1 x 1) -> C/2 (3 x 3) -> C (1 x 1)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.body = nn.Sequential(
            _conv(channels, half, 1),
            _conv(half, half, 3),
            nn.Conv2d(half, channels, 1, bias=False),
            nn.BatchNorm2d(channels),
        )
        last = self.body[-1]
        assert isinstance(last, nn.BatchNorm2d)
        nn.init.zeros_(last.weight)  # blocks start as the identity

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return a map of the same shape (B, C, H, W)."""
        return F.relu(x_BCHW + self.body(x_BCHW))


class Hourglass(nn.Module):
    """One hourglass (Newell et al., ECCV 2016): ``depth`` halvings, a residual skip at every resolution."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.skip = Bottleneck(channels)
        self.down = Bottleneck(channels)
        self.inner: nn.Module = Hourglass(channels, depth - 1) if depth > 1 else Bottleneck(channels)
        self.up = Bottleneck(channels)

    def forward(self, x_BCHW: Tensor) -> Tensor:
        """Return a map of the same shape (B, C, H, W); H and W are multiples of 2**depth."""
        low = self.up(self.inner(self.down(F.max_pool2d(x_BCHW, 2))))
        return self.skip(x_BCHW) + F.interpolate(low, scale_factor=2.0, mode="nearest")


class CompactLandmarks(nn.Module):
    """68 heat maps at a quarter of the input's size, read by soft-argmax."""

    calibration: Tensor

    def __init__(self, channels: int = 96, depth: int = 3) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 16, 3, 2), _conv(16, 32, 3, 1), _conv(32, channels, 3, 2))
        self.before = Bottleneck(channels)
        self.hourglass = Hourglass(channels, depth)
        self.after = _conv(channels, channels, 1)
        self.heat = nn.Conv2d(channels, POINTS, 1)
        # Offset and slope of a logistic over the logarithm of a heat map's spread; fitted after training.
        self.register_buffer("calibration", torch.tensor([0.0, 1.0]))

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, 68, H/4, W/4) logits of (B, 3, H, W) RGB pictures in [0, 1]."""
        x = self.before(self.stem((images - 0.5) * 4))
        heat: Tensor = self.heat(self.after(self.hourglass(x)))
        return heat

    def confidence(self, spread: Tensor) -> Tensor:
        """Return the probability in 0..1 that a point is correct, from the ``spread`` of :func:`soft_argmax`."""
        offset, slope = self.calibration.unbind()
        return torch.sigmoid(offset - slope * spread.clamp_min(1e-6).log())


def soft_argmax(heat: Tensor) -> tuple[Tensor, Tensor]:
    """Read points from heat-map logits.

    Args:
        heat: (B, P, h, w).

    Returns:
        (B, P, 2) expected x and y as fractions of the picture's width and height (edges at 0 and 1), and
        (B, P) the standard deviation of the distribution in the same unit.
    """
    height, width = heat.shape[-2:]
    mass = heat.float().flatten(2).softmax(-1).reshape(heat.shape)
    x = (torch.arange(width, device=heat.device) + 0.5) / width
    y = (torch.arange(height, device=heat.device) + 0.5) / height
    columns, rows = mass.sum(2), mass.sum(3)
    mean = torch.stack([columns @ x, rows @ y], -1)
    variance = columns @ x**2 - mean[..., 0] ** 2 + rows @ y**2 - mean[..., 1] ** 2
    return mean, variance.clamp_min(0).sqrt()


class CompactParser(nn.Module):
    """A small U-Net: 19-class logits at half the input's size, context down to a 32nd and the whole picture."""

    def __init__(self, widths: tuple[int, int, int, int, int] = (24, 48, 80, 112, 144)) -> None:
        super().__init__()
        w2, w4, w8, w16, w32 = widths
        self.stage2 = _conv(3, w2, 3, 2)
        self.stage4 = nn.Sequential(_conv(w2, w4, 3, 2), Bottleneck(w4))
        self.stage8 = nn.Sequential(_conv(w4, w8, 3, 2), Bottleneck(w8), Bottleneck(w8))
        self.stage16 = nn.Sequential(_conv(w8, w16, 3, 2), Bottleneck(w16), Bottleneck(w16))
        self.stage32 = nn.Sequential(_conv(w16, w32, 3, 2), Bottleneck(w32), Bottleneck(w32))
        self.picture = nn.Conv2d(w32, w32, 1)
        self.up16 = nn.ModuleList([_conv(w32, w16, 1), Bottleneck(w16)])
        self.up8 = nn.ModuleList([_conv(w16, w8, 1), Bottleneck(w8)])
        self.up4 = nn.ModuleList([_conv(w8, w4, 1), Bottleneck(w4)])
        self.up2 = nn.ModuleList([_conv(w4, w2, 1), _conv(w2, w2, 3)])
        self.out = nn.Conv2d(w2, CLASSES, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, 19, H/2, W/2) logits of (B, 3, H, W) RGB pictures in [0, 1]."""
        half = self.stage2((images - 0.5) * 4)
        quarter = self.stage4(half)
        eighth = self.stage8(quarter)
        sixteenth = self.stage16(eighth)
        deep = self.stage32(sixteenth)
        deep = deep + self.picture(deep.mean((2, 3), keepdim=True))
        for stage, skip in (
            (self.up16, sixteenth),
            (self.up8, eighth),
            (self.up4, quarter),
            (self.up2, half),
        ):
            narrow, mix = stage
            deep = mix(F.interpolate(narrow(deep), scale_factor=2.0, mode="bilinear", align_corners=False) + skip)
        logits: Tensor = self.out(deep)
        return logits


class CompactIdentity(nn.Module):
    """The identity vector of an aligned face: four residual stages, then one weight per channel and position.

    The weights are the global depthwise convolution of MobileFaceNets (Chen et al., CCBR 2018): in an aligned face each
    position has its own meaning, which an average over positions would discard.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int] = (24, 48, 96, 160),
        blocks: tuple[int, int, int, int] = (0, 2, 3, 3),
        size: int = 96,
        dimension: int = 128,
    ) -> None:
        super().__init__()
        stages, before = [], 3
        for width, count in zip(widths, blocks, strict=True):
            stages += [_conv(before, width, 3, 2), *(Bottleneck(width) for _ in range(count))]
            before = width
        self.body = nn.Sequential(*stages)
        self.gather = nn.Sequential(
            nn.Conv2d(before, before, size // 16, groups=before, bias=False), nn.BatchNorm2d(before), nn.Flatten()
        )
        self.out = nn.Sequential(nn.Linear(before, dimension, bias=False), nn.BatchNorm1d(dimension))

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, dimension) vectors of unit length of (B, 3, size, size) RGB pictures in [0, 1]."""
        vector: Tensor = self.out(self.features(images))
        return F.normalize(vector.float(), dim=1)

    def features(self, images: Tensor) -> Tensor:
        """Return the (B, C) features before the last layer."""
        # Normalise exposure: brightness and contrast of the face, the same for all channels, so that its colour stays.
        size = images.shape[-1]
        face = images[:, :, size // 4 : -(size // 4), size // 4 : -(size // 4)]
        spread, mean = torch.std_mean(face, (1, 2, 3), keepdim=True)
        vector: Tensor = self.gather(self.body((images - mean) / (spread + 0.03)))
        return vector


class CompactShape(CompactIdentity):
    """The identity code of the head, guessed from an aligned face: the trunk of :class:`CompactIdentity`, two layers.

    ``spread`` (codes,) is the standard deviation of the true code about the mean guess of a person's frames.
    """

    spread: Tensor

    def __init__(self, codes: int = 100, hidden: int = 192) -> None:
        super().__init__()
        before, last = self.out[0], nn.Linear(hidden, codes)
        assert isinstance(before, nn.Linear)
        nn.init.zeros_(last.bias)
        nn.init.normal_(last.weight, std=0.01)  # training starts near the mean head
        self.out = nn.Sequential(nn.Linear(before.in_features, hidden), nn.ReLU(inplace=True), last)
        self.register_buffer("spread", torch.ones(codes))

    def forward(self, images: Tensor) -> Tensor:
        """Return (B, codes) of (B, 3, size, size) RGB pictures in [0, 1]."""
        guess: Tensor = self.out(self.features(images))
        return guess.float()
