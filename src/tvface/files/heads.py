"""Checks on the first bytes of a file, without the libraries that read the rest."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_HTML = (b"<!doctype", b"<html", b"<?xml")


def is_web_page(path: Path) -> bool:
    """Return whether a file is a saved web page, which sites send instead of the file (login, quota, error)."""
    with open(path, "rb") as file:
        return file.read(64).lstrip().lower().startswith(_HTML)


def safetensors_size(path: Path) -> int | None:
    """Return the size in bytes of a safetensors file by its header (length, JSON, tensors); None: not such a file."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if 8 + length > path.stat().st_size:
            return None
        try:
            header: Any = json.loads(file.read(length))
            ends = [int(entry["data_offsets"][1]) for name, entry in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, TypeError, AttributeError, IndexError):
            return None
    return 8 + length + max(ends, default=0)
