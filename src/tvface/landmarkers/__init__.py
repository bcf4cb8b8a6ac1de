"""Landmarkers: 68 points per crop. One module per backend; see :mod:`tvface.registry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvface import registry

if TYPE_CHECKING:
    import torch

    from tvface.landmarkers.base import Landmarker
    from tvface.settings.labels import Landmarks

SUPPORT = ("base", "geometry")  # modules of this package that are no backends


def available() -> list[str]:
    """Return the names that ``landmarks.backend`` may take."""
    return registry.available(__name__)


def create(name: str, settings: Landmarks, device: torch.device | str = "cpu") -> Landmarker:
    """Make the landmarker ``name`` on ``device``, with its weights.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
        tvface.assets.MissingAsset: its weights are not there.
    """
    import torch  # here, so that asking which backends there are does not import it

    made: Landmarker = registry.backend("landmarkers", name)(settings, torch.device(device))
    return made
