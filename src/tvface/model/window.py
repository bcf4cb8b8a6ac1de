"""The input of a training step or an inference: neighbouring frames of several sequences, as tensors."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from tvface.runtime.device import moved


@dataclass(frozen=True)
class Window:
    """T neighbouring frames of B sequences, as tensors.

    images (B,T,3,S,S) RGB in [0,1]; masks (B,T,1,S,S) in [0,1]; landmarks (B,T,68,2) in [-1,1]; flows_backward and
    flows_forward (B,T-1,2,S/2,S/2) px of the S/2 grid; names: ``<sequence>[<first frame>]`` per window.
    """

    images: torch.Tensor
    masks: torch.Tensor
    landmarks: torch.Tensor
    flows_backward: torch.Tensor
    flows_forward: torch.Tensor
    names: tuple[str, ...]

    def to(self, device: torch.device) -> Window:
        """Return the window on another device."""
        return Window(
            moved(self.images, device),
            moved(self.masks, device),
            moved(self.landmarks, device),
            moved(self.flows_backward, device),
            moved(self.flows_forward, device),
            self.names,
        )
