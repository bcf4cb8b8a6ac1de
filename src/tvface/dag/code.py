"""A digest of the source files that make a stage's results.

Snakemake does not see edits to modules that a script imports. Rules put this digest into ``params``: an edit of
any module in the stage's import closure reruns the stage, ``touch`` or a reverted edit does not.
"""

from __future__ import annotations

import functools
import hashlib
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1]

# Their effect is visible elsewhere (settings are in params), or they do not affect results.
NOT_FOLLOWED = (
    "tvface.settings",
    "tvface.runtime.logging",
    "tvface.runtime.progress",
    "tvface.dag.provenance",
    "tvface.dag.stages",
    "tvface.dag.code",
    "tvface.dag.needs",
    "tvface.dag.training_needs",
    "tvface.assets",
    "tvface.cli",
)


# "from ..a.b import (c, d as e)" over several lines, or "import a.b".
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n(]+)|import[ \t]+([^\n]+))", re.MULTILINE
)
# A function in words, as the table of losses names it: "tvface.a.b:c".
_NAMED = re.compile(r'"(tvface(?:\.\w+)+):\w+"')


def code_digest(module: str, backends: Mapping[str, str] | None = None, data: Iterable[str] = ()) -> str:
    """Return 16 hexadecimal digits over the import closure of ``module`` inside tvface.

    Args:
        module: dotted name, e.g. ``tvface.stages.faces``.
        backends: registry package -> name of its backend.
        data: packages whose other files (templates) count too.
    """
    total = hashlib.sha256()
    files = [_file(name) for name in sorted(closure(module, backends))]
    for package in sorted(data):
        folder = SOURCE.joinpath(*package.split(".")[1:])
        files += sorted(path for path in folder.iterdir() if path.is_file() and path.suffix not in (".py", ".pyc"))
    for path in files:
        assert path is not None
        total.update(path.relative_to(SOURCE).as_posix().encode())
        total.update(path.read_bytes())
    return total.hexdigest()[:16]


def closure(
    module: str,
    backends: Mapping[str, str] | None = None,
    skipped: tuple[str, ...] = NOT_FOLLOWED,
    words: bool = True,
) -> set[str]:
    """Return the dotted names of all tvface modules that a module imports, directly or not, itself included.

    Args:
        module: dotted name.
        backends: registry package -> name of its backend, which counts as imported.
        skipped: prefixes of modules to leave out, with the modules that only they import.
        words: functions that are named in text, to be imported when they are called, count as well.
    """
    todo = [module]
    for package, backend in (backends or {}).items():
        todo.append(f"tvface.{package}.{backend}")
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen or _file(name) is None or name.startswith(skipped):
            continue
        seen.add(name)
        changed = _file(name).stat().st_mtime_ns  # type: ignore[union-attr]
        todo.extend(_imports(name, changed))
        todo.extend(_named(name, changed) if words else ())
        if "." in name:
            todo.append(name.rpartition(".")[0])  # a package's __init__ runs too
    return seen


def _file(name: str) -> Path | None:
    # Strings instead of Path: a dry run looks up thousands of names, most of them functions.
    base = os.path.join(SOURCE, *name.split(".")[1:])
    for candidate in (os.path.join(base, "__init__.py"), f"{base}.py"):
        if os.path.isfile(candidate):
            return Path(candidate)
    return None


@functools.cache
def _imports(name: str, _changed: int) -> tuple[str, ...]:
    path = _file(name)
    assert path is not None
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    imported: list[str] = []
    # A pattern instead of a parser: parsing every module would double the time of a dry run. Matches in a docstring
    # only make the closure larger.
    for dots, module, names, plain in _IMPORT.findall(path.read_text(encoding="utf-8")):
        if plain:
            imported += [entry.split(" as ")[0].strip() for entry in plain.split(",")]
            continue
        base = module
        if dots:
            parent = package.rsplit(".", len(dots) - 1)[0] if len(dots) > 1 else package
            base = f"{parent}.{base}" if base else parent
        imported.append(base)
        listed = re.sub(r"#[^\n]*", "", names).strip("()")
        imported += [f"{base}.{entry.split(' as ')[0].strip()}" for entry in listed.split(",") if entry.strip()]
    return tuple(entry for entry in imported if entry == "tvface" or entry.startswith("tvface."))


@functools.cache
def _named(name: str, _changed: int) -> tuple[str, ...]:
    path = _file(name)
    assert path is not None
    return tuple(_NAMED.findall(path.read_text(encoding="utf-8")))
