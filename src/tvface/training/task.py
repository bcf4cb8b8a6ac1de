"""Interfaces of the training loop: the source of the windows, and the task that is trained on them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from tvface.model.window import Window


class Windows(Protocol):
    """The windows of the training steps: a function of the seed and the step alone."""

    @property
    def seed(self) -> int:
        """Seed of the sampling."""
        ...

    @property
    def batch(self) -> int:
        """Windows per step."""
        ...

    @property
    def frames(self) -> int:
        """Frames per window."""
        ...

    def window(self, step: int, device: torch.device) -> Window:
        """Return the windows of a step, on a device."""
        ...

    def names(self, step: int) -> tuple[str, ...]:
        """Return the names of the windows of a step."""
        ...


class Task(nn.Module):
    """A model with its loss. ``forward(window, step)`` returns the weighted terms; ``step`` is None in validation."""

    def trained(self) -> list[nn.Parameter]:
        """Return the parameters that the optimizer updates."""
        raise NotImplementedError

    def groups(self) -> list[dict[str, Any]]:
        """Return the parameter groups of :meth:`trained` for the optimizer.

        Each has ``params`` and ``rate``, the learning rate relative to the phase's, which is 0 in the first ``wait``
        steps.
        """
        return [{"params": self.trained(), "rate": 1.0, "wait": 0}]

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the weights for checkpoints and results."""
        raise NotImplementedError

    def load_weights(self, state: dict[str, torch.Tensor]) -> None:
        """Load what :meth:`weights` returned."""
        raise NotImplementedError

    def picture(self, window: Window) -> NDArray[np.uint8] | None:
        """Return a picture (H, W, 3) uint8 RGB of what the task makes of a window, to watch it learn; None: nothing."""
        return None

    def forward(self, window: Window, step: int | None) -> dict[str, torch.Tensor]:
        """Return the weighted loss terms of a window (scalars)."""
        raise NotImplementedError
