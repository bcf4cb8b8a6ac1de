"""Optical flow between neighbouring crops: ``dis`` (OpenCV, no weights) and ``spynet`` (its published weights)."""

from __future__ import annotations

from tvface.flow.base import FlowBackend, resized, sequence_flow
from tvface.settings.base import SettingsError
from tvface.settings.model import Flow

__all__ = ["FlowBackend", "available", "create", "resized", "sequence_flow"]


def available() -> list[str]:
    """Return the names that ``dataset.flow.backend`` may take."""
    return ["dis", "spynet"]


def create(name: str, settings: Flow, device: str = "cpu") -> FlowBackend:
    """Build the backend of this name.

    Args:
        settings: ``dataset.flow`` (size and the path of SPyNet's weights).
        device: torch device of the networks; ``dis`` runs on the CPU whatever it is.

    Raises:
        SettingsError: the name is not registered, or the weights file is absent.
    """
    if name == "dis":
        from tvface.flow import dis

        return dis.Backend()
    if name == "spynet":
        from tvface.flow import spynet

        return spynet.Backend(settings.weights, device, settings.levels)
    raise SettingsError(f"dataset.flow.backend: no backend '{name}'; available: {', '.join(available())}")
