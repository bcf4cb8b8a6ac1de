"""Relative paths for stored files, so that none reveals the machine or the folders it was written in."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

# An absolute path begins where a word does; "a/b", "//" and the slashes of an address are none. It ends with the word,
# but for white space in the working folder's own name.
_BEFORE = r"""(?<![^\s'"`=(\[{<:,;])"""
_INSIDE = r"""[^\s'"`()\[\]{}<>:,;]"""


def project_path(path: str | Path) -> str:
    """Return ``path`` relative to the project (the working folder), with forward slashes."""
    return Path(os.path.relpath(path)).as_posix()


def bare_path(path: str | Path) -> str:
    """Return ``path`` relative to the working folder, or by name alone if it lies elsewhere (a file with its folder's).

    For published files, which should not reveal how the folders of a machine lie to each other.
    """
    place = Path(path)
    inside = Path(os.path.relpath(place))
    if ".." not in inside.parts:
        return inside.as_posix()
    return "/".join(place.parts[1:][-2 if place.suffix else -1 :])


def without_absolute_paths(value: Any, name: Callable[[str], str] = project_path) -> Any:
    """Return a copy of ``value`` in which ``name`` replaces every absolute path in its strings.

    Args:
        value: text, or a mapping, list or tuple of such values; other values stay as they are.
        name: maps an absolute path to its replacement.
    """
    if isinstance(value, str):
        here = re.escape(os.getcwd().rstrip("/"))
        start = rf"(?:{here}(?!(?!/){_INSIDE})|/(?=[^\s/]))" if here else r"/(?=[^\s/])"
        return re.sub(f"{_BEFORE}{start}{_INSIDE}*", lambda match: name(match[0]), value)
    if isinstance(value, Mapping):
        return {key: without_absolute_paths(inner, name) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        changed = [without_absolute_paths(inner, name) for inner in value]
        return tuple(changed) if isinstance(value, tuple) else changed
    return value
