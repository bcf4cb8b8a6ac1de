"""Parsers: 19 classes per pixel. One module per backend; see :mod:`tvface.registry`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvface import registry

if TYPE_CHECKING:
    import torch

    from tvface.parsers.base import Parser
    from tvface.settings.labels import Masks

SUPPORT = ("base", "face")  # modules of this package that are no backends


def available() -> list[str]:
    """Return the names that ``masks.backend`` may take."""
    return registry.available(__name__)


def create(name: str, settings: Masks, device: torch.device | str = "cpu") -> Parser:
    """Make the parser ``name`` on ``device``, with its weights.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
        tvface.assets.MissingAsset: its weights are not there.
    """
    import torch  # here, so that asking which backends there are does not import it

    made: Parser = registry.backend("parsers", name)(settings, torch.device(device))
    return made
