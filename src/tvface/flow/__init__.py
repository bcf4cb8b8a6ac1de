"""Optical flow between neighbouring crops. One module per backend; see :mod:`tvface.assets.backends`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvface.assets import backends

if TYPE_CHECKING:
    import torch

    from tvface.flow.base import FlowBackend
    from tvface.settings.model import Flow

SUPPORT = ("base",)  # modules of this package that are not backends


def available() -> list[str]:
    """Return the names that ``dataset.flow.backend`` may take."""
    return backends.available(__name__)


def create(name: str, settings: Flow, device: torch.device | str = "cpu") -> FlowBackend:
    """Return the flow backend ``name`` on ``device``, with its weights.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
        tvface.assets.registry.MissingAsset: its weights are missing.
    """
    import torch  # imported here, so that listing the backends does not load it

    backend: FlowBackend = backends.backend("flow", name)(settings, torch.device(device))
    return backend
