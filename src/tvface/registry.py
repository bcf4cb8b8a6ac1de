"""Backends by name: a package holds one module per backend, and each module one class called ``Backend``.

Adding a backend is one new file in the package and one line of configuration; nothing lists the backends.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType
from typing import Any

from tvface.settings.base import SettingsError


def available(package: ModuleType | str) -> list[str]:
    """Return the names of the backends in a package, sorted: its modules that define a ``Backend``.

    Modules are not imported: a backend whose libraries are missing is still listed.
    """
    module = importlib.import_module(package) if isinstance(package, str) else package
    support = set(getattr(module, "SUPPORT", ("base",)))
    return sorted(info.name for info in pkgutil.iter_modules(module.__path__) if info.name not in support)


def backend(package: str, name: str, setting: str) -> type[Any]:
    """Return the class ``Backend`` of ``<package>.<name>``.

    Args:
        setting: dotted name of the setting that chose it, for the message.

    Raises:
        SettingsError: no such backend; the message lists the valid names.
    """
    names = available(package)
    if name not in names:
        raise SettingsError(f"{setting}: {name!r} is not registered; valid: {', '.join(names)}")
    found: type[Any] = importlib.import_module(f"{package}.{name}").Backend
    return found
