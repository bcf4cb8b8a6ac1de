"""Detectors: boxes and five points of every face of a picture. One module per backend; see :mod:`tvface.registry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvface import registry

if TYPE_CHECKING:
    import torch

    from tvface.detectors.base import Detector
    from tvface.settings.data import Faces

SUPPORT = ("area", "base", "cascade", "mtcnn_networks")  # modules of this package that are no backends


def available() -> list[str]:
    """Return the names that ``faces.detector`` may take."""
    return registry.available(__name__)


def create(name: str, settings: Faces, device: torch.device | str = "cpu") -> Detector:
    """Make the detector ``name`` on ``device``, with its weights.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
    """
    import torch  # here, so that asking which backends there are does not import it

    made: Detector = registry.backend("detectors", name)(settings, torch.device(device))
    return made
