"""What the training loop asks of its parts: where the windows come from, and what is trained on them."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import nn

from tvface.model.window import Window


class Windows(Protocol):
    """Where the windows of the training steps come from: a function of the seed and the step alone."""

    @property
    def seed(self) -> int:
        """Seed of the choice."""
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
        """Return their names."""
        ...


class Task(nn.Module):
    """What the loop trains. ``forward(window, step)`` returns the weighted terms; ``step`` is None in validation."""

    def trained(self) -> list[nn.Parameter]:
        """Return the parameters which the optimizer moves."""
        raise NotImplementedError

    def groups(self) -> list[dict[str, Any]]:
        """Return the groups of :meth:`trained` for the optimizer: ``params``, and their learning rate relative to the
        phase's (``rate``), 0 in the first ``wait`` steps."""
        return [{"params": self.trained(), "rate": 1.0, "wait": 0}]

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the state that checkpoints and results hold."""
        raise NotImplementedError

    def load_weights(self, state: dict[str, torch.Tensor]) -> None:
        """Load :meth:`weights`."""
        raise NotImplementedError

    def forward(self, window: Window, step: int | None) -> dict[str, torch.Tensor]:
        """Return the weighted loss terms of a window (scalars)."""
        raise NotImplementedError
