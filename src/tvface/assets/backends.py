"""Backends by name: a package holds one module per backend, and each module one class called ``Backend``.

Adding a backend is one new file in the package, one line of configuration and, if it has weights, one row of
``resources/assets.tsv`` per file; nothing lists the backends. Which files it needs is read from the source of its
module, not by importing it: Snakemake asks while it builds the DAG, and networks take seconds to import.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import importlib
import importlib.util
import pkgutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar

from tvface.assets import registry as assets
from tvface.assets.registry import Asset
from tvface.assets.reports import LoadReport
from tvface.settings.base import SettingsError

# Registry -> the setting that selects its backend.
REGISTRIES: Mapping[str, str] = {
    "detectors": "faces.detector",
    "embedders": "faces.embedder",
    "landmarkers": "landmarks.backend",
    "parsers": "masks.backend",
    "flow": "dataset.flow.backend",
}


class Weighted:
    """Base of a backend with weights: the files it needs, and how they are loaded.

    ``needs`` names the assets (rows of ``resources/assets.tsv``) whose files it loads. ``path_option`` is the option in
    the backend's block of settings that names the file's path, if there is one. ``parts`` is a function, written
    ``module:function``, that returns all files of weights that come in several, from the path of one; its module must
    not import torch. The three are literals in the body of the class, since they are read without running it.

    ``weights`` maps the name of every file that was loaded to its sha256, for the provenance.
    """

    needs: ClassVar[tuple[str, ...]] = ()
    path_option: ClassVar[str] = ""
    parts: ClassVar[str] = ""
    weights: dict[str, str]

    @classmethod
    def load(cls, path: Path) -> tuple[Any, LoadReport]:
        """Return the network of a weight file, and which of its tensors were loaded; nothing in it is executed.

        Raises:
            CheckpointError: the file is another network.
        """
        raise NotImplementedError(f"{cls.__module__} declares needs and no load")

    @classmethod
    def report(cls, path: Path) -> LoadReport:
        """Return which tensors of a file are loaded, for ``tvface assets check``."""
        return cls.load(path)[1]

    def load_needs(self, settings: Any) -> list[Any]:
        """Load the files of ``needs``, in order, from where the run's check finds them; set ``weights`` to the digests.

        Args:
            settings: the backend's block.

        Returns:
            The networks, in the order of ``needs``.

        Raises:
            MissingAsset: a file is missing; the message names file, licence, address and place.
            AssetError: a file is damaged or not the published one.
        """
        loaded, self.weights = [], {}
        for files in needed_files(Declared(self.needs, self.path_option, self.parts), settings):
            self.weights |= assets.digests(files)
            loaded.append(self.load(files[0][1])[0])
        return loaded


@dataclass(frozen=True)
class Declared:
    """A backend's declaration of the files it loads; see :class:`Weighted`."""

    needs: tuple[str, ...] = ()
    path_option: str = ""
    parts: str = ""


def needed_files(declared: Declared, settings: Any) -> list[list[tuple[Asset, Path]]]:
    """Return the files of every asset that a backend needs, as :func:`tvface.assets.registry.located` finds them.

    Args:
        declared: the backend's declaration.

        settings: the backend's block.
    """
    module, _, function = declared.parts.partition(":")
    parts = {"files": getattr(importlib.import_module(module), function)} if module else {}
    configured = getattr(settings, declared.path_option) if declared.path_option else None
    return [assets.located(name, configured, **parts) for name in declared.needs]


def available(package: ModuleType | str) -> list[str]:
    """Return the names of the backends in a package, sorted: its modules that define a ``Backend``.

    Modules are not imported: a backend whose libraries are missing is still listed.
    """
    module = importlib.import_module(package) if isinstance(package, str) else package
    support = set(getattr(module, "SUPPORT", ("base",)))
    return sorted(info.name for info in pkgutil.iter_modules(module.__path__) if info.name not in support)


def backend(package: str, name: str) -> type[Any]:
    """Return the class ``Backend`` of a registry's backend.

    Args:
        package: of :data:`REGISTRIES`.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
    """
    _require(package, name)
    backend_class: type[Any] = importlib.import_module(f"tvface.{package}.{name}").Backend
    return backend_class


def declared(package: str, name: str) -> Declared:
    """Return a backend's declaration, without importing its module.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
        TypeError: the declaration is not a literal.
    """
    _require(package, name)
    spec = importlib.util.find_spec(f"tvface.{package}.{name}")
    assert spec is not None and spec.origin is not None
    return _read(spec.origin, Path(spec.origin).read_text(encoding="utf-8"))


_DECLARED = {field.name for field in dataclasses.fields(Declared)}


@functools.cache
def _read(file: str, source: str) -> Declared:
    declarations: dict[str, Any] = {}
    tree = ast.parse(source, file)
    for kind in (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "Backend"):
        for node in kind.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for name in {target.id for target in targets if isinstance(target, ast.Name)} & _DECLARED:
                try:
                    declarations[name] = ast.literal_eval(node.value)  # type: ignore[attr-defined]
                except ValueError as error:
                    raise TypeError(
                        f"{file}, line {node.lineno}: {name} of a backend is read without running it; write a literal"
                    ) from error
    return Declared(**declarations)


def _require(package: str, name: str) -> None:
    names = available(f"tvface.{package}")
    if name not in names:
        raise SettingsError(f"{REGISTRIES[package]}: {name!r} is not registered; valid: {', '.join(names)}")
