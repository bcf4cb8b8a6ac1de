"""Embedders: identity vectors of faces. One module per backend; see :mod:`tvface.assets.backends`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvface.assets import backends

if TYPE_CHECKING:
    import torch

    from tvface.embedders.base import Embedder
    from tvface.settings.data import Faces

SUPPORT = ("base", "crops")  # modules of this package that are not backends


def available() -> list[str]:
    """Return the names that ``faces.embedder`` may take."""
    return backends.available(__name__)


def create(name: str, settings: Faces, device: torch.device | str = "cpu") -> Embedder:
    """Return the embedder ``name`` on ``device``, with its weights.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
        tvface.assets.registry.MissingAsset: its weights are missing.
    """
    import torch  # imported here, so that listing the backends does not load it

    embedder: Embedder = backends.backend("embedders", name)(settings, torch.device(device))
    return embedder


def distances(name: str) -> type[Embedder]:
    """Return the class of embedder ``name`` for its calibrated distances; no weights are loaded.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
    """
    backend_class: type[Embedder] = backends.backend("embedders", name)
    return backend_class
