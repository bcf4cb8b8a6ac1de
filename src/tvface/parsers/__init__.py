"""Parsers: 19 classes per pixel. One module per backend; see :mod:`tvface.assets.backends`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvface.assets import backends

if TYPE_CHECKING:
    import torch

    from tvface.parsers.base import Parser
    from tvface.settings.labels import Masks

SUPPORT = ("base", "face")  # modules of this package that are not backends


def available() -> list[str]:
    """Return the names that ``masks.backend`` may take."""
    return backends.available(__name__)


def create(name: str, settings: Masks, device: torch.device | str = "cpu") -> Parser:
    """Return the parser ``name`` on ``device``, with its weights.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
        tvface.assets.registry.MissingAsset: its weights are missing.
    """
    import torch  # imported here, so that listing the backends does not load it

    parser: Parser = backends.backend("parsers", name)(settings, torch.device(device))
    return parser
