"""Load every file of the registry into what it is for, to say how many tensors it gives.

This is the part of ``tvface assets check`` that needs torch; nothing else imports it. Who uses a file says how it is
loaded: a backend in its class, the head and the training in their modules ``loaders``.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from tvface.assets.backends import REGISTRIES, available, backend, declared
from tvface.assets.registry import Asset, asset
from tvface.assets.reports import LoadReport
from tvface.head import loaders as of_head
from tvface.training import loaders as of_training

_LOADERS = {**of_head.LOADERS, **of_training.LOADERS}


def loader(name: str) -> Callable[[Path], list[LoadReport]]:
    """Return what loads the file of an asset into its network, or reads its arrays as the head stage does.

    It takes the file's path, returns a report per network, and raises CheckpointError, HeadError or WeightsError if the
    file does not fit, is damaged, or wants to run something.

    Args:
        name: of the registry.

    Raises:
        LookupError: nothing loads an asset of this name, which is an error of tvface.
    """
    for known in _names(asset(name)):
        if known in _LOADERS:
            return _LOADERS[known]
        for package in REGISTRIES:
            for chosen in available(f"tvface.{package}"):
                if known in declared(package, chosen).needs:
                    report = backend(package, chosen).report
                    return lambda path: [report(path)]
    raise LookupError(f"nothing loads the asset '{name}': name it in `needs` of a backend, or take its row away")


def _names(row: Asset) -> list[str]:
    """Return the names under which something may load it: its own, and those of what it stands for or belongs to."""
    names = [row.name]
    for other in (row.part_of, row.stands_for):
        names += _names(asset(other)) if other else []
    return names
