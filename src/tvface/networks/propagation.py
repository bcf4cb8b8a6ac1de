"""Second-order propagation over a window of frames (BasicVSR++, Chan et al. 2022; equations 6 and 7 of the paper).

Shape letters: B sequences, T frames, C channels, H and W of the feature map.

Branches run one after the other: backward_1, forward_1, backward_2, forward_2, ... A branch visits the frames in its
direction and propagates a feature, aligned from the two frames visited before. Everything that does not depend on that
feature (the shares of the current and the earlier branches in the first convolutions, the composed flows) is computed
for all frames at once.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

from tvface.networks.alignment import SecondOrderDeformableAlignment
from tvface.networks.residual import ResidualStack
from tvface.networks.warp import flow_warp
from tvface.settings.model import TemporalEncoder

Connection = Literal["grid", "eq7"]
FirstFrame = Literal["zero", "align"]


def branch_names(rnn_layers: int) -> list[str]:
    """Return the branches in the order in which they run; layers are bidirectional and start backward."""
    return [f"{direction}_{layer}" for layer in range(1, rnn_layers + 1) for direction in ("backward", "forward")]


class SecondOrderPropagation(nn.Module):
    """All branches.

    Args:
        channels: C.
        blocks: residual blocks per branch (5 in the paper, 7 in BasicVSR++).
        rnn_layers: L; there are 2L branches.
        groups: offset groups of the alignment.
        max_residue: largest residue added to the flow, in pixels of the feature map.
        connection: inputs of a branch's residual stack besides the aligned feature: the spatial feature and all
            earlier branches ("grid", BasicVSR++'s code), or only the previous branch, for the first one the spatial
            feature ("eq7", the equation as printed).
        first_frame: the aligned feature of the first visited frame, which has no history: zero, as in BasicVSR++'s
            code, or equation 6 with zero features and flows, which gives the alignment's bias ("align").
        norm: batch normalisation in the residual blocks. It acts on each visited frame by itself, so in training
            its running statistics move T times per branch and step.
    """

    def __init__(
        self,
        channels: int = 64,
        blocks: int = 5,
        rnn_layers: int = 2,
        groups: int = 16,
        max_residue: float = 10.0,
        connection: Connection = "grid",
        first_frame: FirstFrame = "zero",
        *,
        norm: bool = False,
    ) -> None:
        super().__init__()
        if connection not in ("grid", "eq7"):
            raise ValueError(f"connection {connection!r}: valid are 'grid' and 'eq7'")
        if first_frame not in ("zero", "align"):
            raise ValueError(f"first_frame {first_frame!r}: valid are 'zero' and 'align'")
        self.connection, self.first_frame = connection, first_frame
        self.names = branch_names(rnn_layers)
        self.deform_align = nn.ModuleDict()
        self.backbone = nn.ModuleDict()
        for index, name in enumerate(self.names):
            inputs = channels * (2 + index if connection == "grid" else 2)
            self.deform_align[name] = SecondOrderDeformableAlignment(channels, groups, max_residue)
            self.backbone[name] = ResidualStack(inputs, channels, blocks, norm=norm)

    @classmethod
    def of(cls, size: TemporalEncoder, *, norm: bool) -> SecondOrderPropagation:
        """Return the propagation of an encoder's settings."""
        return cls(
            size.channels,
            size.blocks,
            size.rnn_layers,
            size.deform_groups,
            size.max_residue,
            size.connection,
            size.first_frame,
            norm=norm,
        )

    def forward(
        self, spatial: torch.Tensor, flows_backward: torch.Tensor, flows_forward: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        """Run all branches.

        Args:
            spatial: (B, T, C, H, W) feature of each frame; any T >= 1.
            flows_backward: (B, T-1, 2, H, W) flow from frame i to frame i+1, (dx, dy) in pixels of the feature map.
            flows_forward: (B, T-1, 2, H, W) flow from frame i+1 to frame i.

        Returns:
            For every branch, in order of running, (B, T, C, H, W) indexed by frame.

        Raises:
            ValueError: flows of another shape.
        """
        b, t, _, h, w = spatial.shape
        for label, flows in (("flows_backward", flows_backward), ("flows_forward", flows_forward)):
            if flows.shape != (b, t - 1, 2, h, w):
                raise ValueError(f"{label} is {tuple(flows.shape)}; these features need {(b, t - 1, 2, h, w)}")
        outputs: dict[str, torch.Tensor] = {}
        for name in self.names:
            earlier = list(outputs.values())
            inputs = [spatial, *earlier] if self.connection == "grid" else [earlier[-1] if earlier else spatial]
            static = torch.cat(inputs, dim=2)
            if name.startswith("backward"):
                visited = self._branch(name, spatial.flip(1), static.flip(1), flows_backward.flip(1))
                outputs[name] = visited.flip(1)
            else:
                outputs[name] = self._branch(name, spatial, static, flows_forward)
        return outputs

    def _branch(self, name: str, spatial: torch.Tensor, static: torch.Tensor, flows: torch.Tensor) -> torch.Tensor:
        """Run one branch on tensors in visiting order; ``flows[:, s-1]`` leads from visit s to visit s-1.

        Args:
            spatial: (B, T, C, H, W).
            static: (B, T, kC, H, W) inputs of the residual stack besides the aligned feature.
            flows: (B, T-1, 2, H, W).

        Returns:
            (B, T, C, H, W) in visiting order.
        """
        align, backbone = self.deform_align[name], self.backbone[name]
        assert isinstance(align, SecondOrderDeformableAlignment) and isinstance(backbone, ResidualStack)
        b, t = spatial.shape[:2]
        backbone_share = backbone.static_share(static.flatten(0, 1)).unflatten(0, (b, t))
        # The first visited frame has no history.
        feature = torch.zeros_like(spatial[:, 0])
        if self.first_frame == "align":
            still = spatial.new_zeros(b, 2, *spatial.shape[-2:])
            feature = align(
                torch.cat([feature, feature], 1), torch.cat([feature, spatial[:, 0], feature], 1), still, still
            )
        visited = [feature + backbone.forward_recurrent(backbone_share[:, 0], feature)]
        if t == 1:
            return torch.stack(visited, dim=1)
        second_flows = compose(flows)
        align_share = align.static_share(
            spatial[:, 1:].flatten(0, 1), flows.flatten(0, 1), second_flows.flatten(0, 1)
        ).unflatten(0, (b, t - 1))
        for step in range(1, t):
            first, flow_1, flow_2 = visited[-1], flows[:, step - 1], second_flows[:, step - 1]
            second = visited[-2] if step > 1 else None
            feature = align.forward_recurrent(
                align_share[:, step - 1],
                (first, second),
                (flow_warp(first, flow_1), None if second is None else flow_warp(second, flow_2)),
                flow_1,
                flow_2,
            )
            visited.append(feature + backbone.forward_recurrent(backbone_share[:, step], feature))
        return torch.stack(visited, dim=1)


def compose(flows: torch.Tensor) -> torch.Tensor:
    """Compose neighbouring flows into flows over two frames.

    Args:
        flows: (B, N, 2, H, W); flow n leads from visit n+1 to visit n.

    Returns:
        (B, N, 2, H, W): flow n leads from visit n+1 to visit n-1. It is the first step plus the second, sampled where
        the first one ends (zero outside). Entry 0 has no second step and is zero.
    """
    second = torch.zeros_like(flows)
    if flows.shape[1] > 1:
        first, before = flows[:, 1:].flatten(0, 1), flows[:, :-1].flatten(0, 1)
        second[:, 1:] = (first + flow_warp(before, first)).unflatten(0, (flows.shape[0], -1))
    return second
