"""Detectors: boxes and five points of every face of a picture. One module per backend.

See :mod:`tvface.assets.backends`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvface.assets import backends

if TYPE_CHECKING:
    import torch

    from tvface.detectors.base import Detector
    from tvface.settings.data import Faces

SUPPORT = ("area", "base", "cascade", "mtcnn_networks")  # modules of this package that are not backends


def available() -> list[str]:
    """Return the names that ``faces.detector`` may take."""
    return backends.available(__name__)


def create(name: str, settings: Faces, device: torch.device | str = "cpu") -> Detector:
    """Return the detector ``name`` on ``device``, with its weights.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
    """
    import torch  # imported here, so that listing the backends does not load it

    detector: Detector = backends.backend("detectors", name)(settings, torch.device(device))
    return detector
