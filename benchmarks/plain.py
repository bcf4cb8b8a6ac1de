"""A plain implementation of the paper, timed against tvface.

Frame by frame, flow estimated by SPyNet inside each encoder, pair by pair; every convolution sees its whole input; the
alignment is torchvision's deformable convolution; float32, no compilation, channels first. It owns no weights: it runs
through the modules of a :class:`TemporalEncoder`, so the two can be compared number by number.
"""

from __future__ import annotations

from typing import Any

import torch
import torchvision.ops
from torch import nn
from torch.nn import functional as F

from tvface.model.face_model import FaceModel
from tvface.model.window import Window
from tvface.networks.alignment import TAPS, SecondOrderDeformableAlignment
from tvface.networks.spynet import SPyNet
from tvface.networks.temporal_encoder import TemporalEncoder
from tvface.networks.warp import flow_warp


def half_size(frames: torch.Tensor) -> torch.Tensor:
    """Halve (N, 3, H, W) pictures, bicubically as BasicVSR++ does for features at a lower resolution."""
    return F.interpolate(frames, scale_factor=0.5, mode="bicubic", align_corners=False)


class PlainFaceModel(FaceModel):
    """A face model whose temporal encoders run plainly; give it a SPyNet with :meth:`with_flow`."""

    def with_flow(self, network: SPyNet) -> PlainFaceModel:
        """Take the frozen network of the flow, which is not part of the state."""
        self._flow = (network,)
        return self

    def _encode(self, encoder: nn.Module, window: Window) -> torch.Tensor:
        if not isinstance(encoder, TemporalEncoder):
            return super()._encode(encoder, window)
        return encode(encoder, self._flow[0], window.images).flatten(0, 1).float()


def encode(encoder: TemporalEncoder, network: SPyNet, images: torch.Tensor) -> torch.Tensor:
    """Encode (B, T, 3, H, W) images to (B, T, outputs)."""
    count = images.shape[1]
    with torch.no_grad():
        small = [half_size(images[:, t]) for t in range(count)]
        backward = [network(small[t], small[t + 1]) for t in range(count - 1)]
        forward = [network(small[t + 1], small[t]) for t in range(count - 1)]
    spatial = [encoder.down1(encoder.head(images[:, t])) for t in range(count)]
    branches: dict[str, list[torch.Tensor]] = {}
    for name in encoder.propagation.names:
        branches[name] = _branch(encoder, name, spatial, branches, backward, forward)
    codes = []
    for t in range(count):
        fused = encoder.fusion(torch.cat([spatial[t], *(outputs[t] for outputs in branches.values())], dim=1))
        codes.append(encoder.layers(encoder.encoder(encoder.down2(fused))))
    return torch.stack(codes, dim=1)


def _branch(
    encoder: TemporalEncoder,
    name: str,
    spatial: list[torch.Tensor],
    earlier: dict[str, list[torch.Tensor]],
    backward: list[torch.Tensor],
    forward: list[torch.Tensor],
) -> list[torch.Tensor]:
    propagation: Any = encoder.propagation
    align, backbone = propagation.deform_align[name], propagation.backbone[name]
    count = len(spatial)
    order = list(range(count))
    if name.startswith("backward"):
        order.reverse()
    outputs: dict[int, torch.Tensor] = {}
    feature = torch.zeros_like(spatial[0])
    for step, t in enumerate(order):
        if step > 0:
            flow_1 = backward[t] if name.startswith("backward") else forward[t - 1]
            condition_1 = flow_warp(feature, flow_1)
            second, flow_2 = torch.zeros_like(feature), torch.zeros_like(flow_1)
            condition_2 = torch.zeros_like(feature)
            if step > 1:
                before = order[step - 1]
                second = outputs[order[step - 2]]
                flow_2 = backward[before] if name.startswith("backward") else forward[before - 1]
                flow_2 = flow_1 + flow_warp(flow_2, flow_1)
                condition_2 = flow_warp(second, flow_2)
            condition = torch.cat([condition_1, spatial[t], condition_2], dim=1)
            feature = _align(align, torch.cat([feature, second], dim=1), condition, flow_1, flow_2)
        if propagation.connection == "grid":
            inputs = [spatial[t], *(branch[t] for branch in earlier.values())]
        else:
            inputs = [list(earlier.values())[-1][t]] if earlier else [spatial[t]]
        feature = feature + backbone(torch.cat([*inputs, feature], dim=1))
        outputs[t] = feature
    return [outputs[t] for t in range(count)]


def _align(
    align: SecondOrderDeformableAlignment,
    value: torch.Tensor,
    condition: torch.Tensor,
    flow_1: torch.Tensor,
    flow_2: torch.Tensor,
) -> torch.Tensor:
    offset_1, offset_2, mask = align.conv_offset(torch.cat([condition, flow_1, flow_2], dim=1)).chunk(3, dim=1)
    offset = align.max_residue * torch.tanh(torch.cat([offset_1, offset_2], dim=1))
    first, second = offset.chunk(2, dim=1)
    pairs = TAPS * align.groups // 2
    offset = torch.cat(
        [first + flow_1.flip(1).repeat(1, pairs, 1, 1), second + flow_2.flip(1).repeat(1, pairs, 1, 1)], 1
    )
    return torchvision.ops.deform_conv2d(value, offset, align.weight, align.bias, padding=1, mask=torch.sigmoid(mask))
