"""Landmarkers: 68 points per crop. One module per backend; see :mod:`tvface.assets.backends`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvface.assets import backends

if TYPE_CHECKING:
    import torch

    from tvface.landmarkers.base import Landmarker
    from tvface.settings.labels import Landmarks

SUPPORT = ("base", "geometry")  # modules of this package that are not backends


def available() -> list[str]:
    """Return the names that ``landmarks.backend`` may take."""
    return backends.available(__name__)


def create(name: str, settings: Landmarks, device: torch.device | str = "cpu") -> Landmarker:
    """Return the landmarker ``name`` on ``device``, with its weights.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
        tvface.assets.registry.MissingAsset: its weights are missing.
    """
    import torch  # imported here, so that listing the backends does not load it

    landmarker: Landmarker = backends.backend("landmarkers", name)(settings, torch.device(device))
    return landmarker
