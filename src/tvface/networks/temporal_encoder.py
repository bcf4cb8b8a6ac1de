"""The temporal encoder E_T of "Learning to Reconstruct 3D Faces by Watching TV" (Table 1, equations 6 to 8).

Shape letters: B sequences, T frames, C channels, H and W of the images.

    images --head--> C @ H --down1--> C @ H/2 --propagation over T--> (2L+1) C @ H/2 --fusion--> C @ H/2
           --down2--> C @ H/4 --ResNet stages 1..4, global average--> 32 w --two linear layers--> code

All parts except the propagation see frames one by one, so time is folded into the batch there. Batch normalisation
takes its statistics over B T maps there, and over B maps per visited frame in the propagation.

Decisions where the paper is silent or contradicts itself:

* down1 and down2 are five residual blocks followed by ONE convolution of stride 2, as section 4.4.1 states. The table
  can be read as five times (3x3, 3x3, 3x3 of stride 2), which would divide the side by 32.
* "Stride and padding both 1" holds for 3x3 convolutions only; the strides of ResNet stay.
* A residual block has one batch normalisation, between its two convolutions, and no activation after the sum.
* The head has no activation (BasicVSR++ has LeakyReLU 0.1 there); LeakyReLU has slope 0.1 elsewhere.
* A branch sees the features of all earlier branches, as BasicVSR++'s code does ("grid"), or only of the one before,
  as equation 7 is printed ("eq7"): ``settings.connection``.
* The first visited frame is not aligned, as in BasicVSR++'s code; ``settings.first_frame: align`` takes equation 6
  literally, with zeros for the history. Second-order flow is the composition of two neighbouring flows.
* Flow is an input: one frozen network computes it for both encoders, at half the images' size.
"""

from __future__ import annotations

import torch
from torch import nn

from tvface.networks.propagation import SecondOrderPropagation
from tvface.networks.residual import ResidualDown, ResidualStack
from tvface.networks.resnet import RegressionHead, ResNetTrunk
from tvface.settings.model import TemporalEncoder as TemporalEncoderSettings


class TemporalEncoder(nn.Module):
    """Maps a window of frames to one code per frame (E_Tc with 236 outputs, E_Td with 128).

    The stages ``encoder.layer1`` .. ``encoder.layer4`` and the head ``layers`` have the names of DECA's encoder. They
    can load its weights if ``settings.channels`` is the width of its stem (:mod:`tvface.networks.warm_start`).

    Args:
        outputs: length of the code.
        settings: sizes; the defaults are the paper's.
    """

    def __init__(self, outputs: int, settings: TemporalEncoderSettings | None = None) -> None:
        super().__init__()
        size = settings or TemporalEncoderSettings()
        self.head = nn.Conv2d(3, size.channels, 3, padding=1)
        self.down1 = ResidualDown(size.channels, size.blocks)
        self.propagation = SecondOrderPropagation.of(size, norm=True)
        self.fusion = ResidualStack((2 * size.rnn_layers + 1) * size.channels, size.channels, size.blocks, norm=True)
        self.down2 = ResidualDown(size.channels, size.blocks)
        self.encoder = ResNetTrunk(size.channels, size.width, size.layers)
        self.layers = RegressionHead(self.encoder.features, size.hidden, outputs)

    def forward(self, images: torch.Tensor, flows_backward: torch.Tensor, flows_forward: torch.Tensor) -> torch.Tensor:
        """Encode a window.

        Args:
            images: (B, T, 3, H, W) RGB in [0, 1], any T >= 1; H and W even, at least 32 (224 in the paper).
            flows_backward: (B, T-1, 2, H/2, W/2) optical flow from frame i to frame i+1, channels (dx, dy), in pixels
                at half the images' size.
            flows_forward: (B, T-1, 2, H/2, W/2) flow from frame i+1 to frame i.

        Returns:
            (B, T, outputs).

        Raises:
            ValueError: an odd side, or flows of another shape.
        """
        b, t, _, h, w = images.shape
        if h % 2 or w % 2:
            raise ValueError(f"images of {h} x {w} pixels: the temporal encoder needs even sides")
        spatial = self.down1(self.head(images.flatten(0, 1))).unflatten(0, (b, t))
        branches = self.propagation(spatial, flows_backward, flows_forward)
        fused = self.fusion(torch.cat([spatial, *branches.values()], dim=2).flatten(0, 1))
        features = self.encoder(self.down2(fused))
        return self.layers(features).unflatten(0, (b, t))
