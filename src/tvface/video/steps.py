"""Finished steps of an earlier run in a folder, so that an interrupted command can continue."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvface.files.atomic import atomic


class Steps:
    """Records in ``<folder>/steps.json`` the key of the inputs of each step."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "steps.json"
        self._known: dict[str, str] = {}
        if self._file.is_file():
            self._known = dict(json.loads(self._file.read_text(encoding="utf-8")))

    def holds(self, name: str, key: str) -> bool:
        """Return whether the step was marked with this key (:meth:`mark`)."""
        return self._known.get(name) == key

    def mark(self, name: str, key: str) -> None:
        """Record the key of a step."""
        self._known[name] = key
        with atomic(self._file) as temporary:
            temporary.write_text(json.dumps(self._known, indent=1, sort_keys=True), encoding="utf-8")


def key_of(values: Mapping[str, Any]) -> str:
    """Return a digest of plain values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
