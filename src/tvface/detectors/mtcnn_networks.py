"""facenet-pytorch's three MTCNN networks, arranged to run fast; same parameters, same results up to rounding.

Maps lie in memory with channels last. In this layout torch pools and rectifies at full speed only if the channels fill
whole registers. So the 10 or 28 channels of the first maps are padded with zeros, and the rectifier sees a row of
pixels as one long row of channels. On a CPU, pooling and resizing cost more than the convolutions before.
"""

from __future__ import annotations

import torch
from facenet_pytorch.models.mtcnn import ONet, PNet, RNet
from torch import nn
from torch.nn import functional as F

LANES = 16  # floats in a register of AVX-512


class ProposalNetwork(nn.Module):
    """The first network, with its two softmax outputs merged into one logistic."""

    def __init__(self, net: PNet) -> None:
        super().__init__()
        self.conv1, self.conv2 = _padded(net.conv1, net.conv2)
        self.conv3 = net.conv3
        self.prelu1, self.prelu2, self.prelu3 = (_Rectified(each) for each in (net.prelu1, net.prelu2, net.prelu3))
        no_face, face = net.conv4_1.weight
        bias = net.conv4_1.bias
        self.heads = _convolution(
            torch.cat([(face - no_face)[None], net.conv4_2.weight]), torch.cat([bias[1:] - bias[:1], net.conv4_2.bias])
        )

    def forward(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return probability (B, h, w) and box offsets (B, 4, h, w) of (B, 3, H, W) normalised pictures."""
        x = F.max_pool2d(self.prelu1(self.conv1(pictures)), 2, 2, ceil_mode=True)
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        heads = self.heads(x)
        return torch.sigmoid(heads[:, 0]), heads[:, 1:]


class CropNetwork(nn.Module):
    """The second or the third network: crops (N, 3, 24, 24) or (N, 3, 48, 48) to the package's tuple of outputs."""

    def __init__(self, net: RNet | ONet) -> None:
        super().__init__()
        net.conv1, net.conv2 = _padded(net.conv1, net.conv2)
        # The last PReLU follows a fully connected layer.
        rectifiers = [name for name, part in net.named_children() if isinstance(part, nn.PReLU)][:-1]
        for name in rectifiers:
            setattr(net, name, _Rectified(getattr(net, name)))
        self.net = net

    def forward(self, crops: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return offsets (N, 4), of the third network points (N, 10), and probabilities (N, 2)."""
        outputs: tuple[torch.Tensor, ...] = self.net(crops)
        return outputs


class _Rectified(nn.Module):
    """PReLU (He et al., ICCV 2015) of maps; the parameters of padding channels are zero."""

    def __init__(self, part: nn.PReLU) -> None:
        super().__init__()
        slopes = part.weight.detach()
        self.slopes = nn.Parameter(F.pad(slopes, (0, -len(slopes) % LANES)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        count, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(count * height, width * channels)
        rectified = F.prelu(rows, self.slopes.repeat(width))
        return rectified.view(count, height, width, channels).permute(0, 3, 1, 2)


def _padded(first: nn.Conv2d, second: nn.Conv2d) -> tuple[nn.Conv2d, nn.Conv2d]:
    """Pad the channels between two convolutions with zeros to whole registers."""
    missing = -first.out_channels % LANES
    assert first.bias is not None
    return (
        _convolution(F.pad(first.weight, (0, 0) * 3 + (0, missing)), F.pad(first.bias, (0, missing))),
        _convolution(F.pad(second.weight, (0, 0) * 2 + (0, missing)), second.bias),
    )


def _convolution(weight: torch.Tensor, bias: torch.Tensor | None) -> nn.Conv2d:
    assert bias is not None
    outputs, inputs, kernel, _ = weight.shape
    convolution = nn.Conv2d(inputs, outputs, kernel)
    convolution.weight, convolution.bias = nn.Parameter(weight.detach().clone()), nn.Parameter(bias.detach().clone())
    return convolution
