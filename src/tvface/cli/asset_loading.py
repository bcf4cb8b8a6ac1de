"""Load every file of the registry into its network, to count its tensors.

This is the part of ``tvface assets check`` that needs torch; nothing else imports it. The user of a file defines how it
is loaded: a backend in its class, the head and the training in their modules ``loaders``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tvface.assets.backends import REGISTRIES, available, backend, declared
from tvface.assets.registry import Asset, asset
from tvface.assets.reports import LoadReport
from tvface.fitting.light_prior import LightPrior
from tvface.head import loaders as head_loaders
from tvface.networks.bundles import load_with_report
from tvface.training import loaders as training_loaders

_LOADERS = {
    **head_loaders.LOADERS,
    **training_loaders.LOADERS,
    "compact_eyes": lambda path: [load_with_report(path)[1]],
    "compact_shape": lambda path: [load_with_report(path)[1]],
    "light_prior": lambda path: [LoadReport(str(path), LightPrior.load(path).names, (), ())],
}


def loader(name: str) -> Callable[[Path], list[LoadReport]]:
    """Return the function that loads the file of an asset into its network, or reads its arrays as the head stage does.

    The function takes the file's path and returns a report per network. It raises CheckpointError, HeadError or
    WeightsError if the file does not fit, is damaged, or would execute code.

    Args:
        name: of the asset.

    Raises:
        LookupError: nothing loads an asset of this name, which is a bug in tvface.
    """
    for known in _names(asset(name)):
        if known in _LOADERS:
            return _LOADERS[known]
        for package in REGISTRIES:
            for backend_name in available(f"tvface.{package}"):
                if known in declared(package, backend_name).needs:
                    report = backend(package, backend_name).report
                    return lambda path: [report(path)]
    raise LookupError(f"nothing loads the asset '{name}': name it in `needs` of a backend, or remove its row")


def _names(row: Asset) -> list[str]:
    """Return the names under which an asset may be loaded: its own, and those of what it replaces or belongs to."""
    names = [row.name]
    for other in (row.part_of, row.stands_for):
        names += _names(asset(other)) if other else []
    return names
