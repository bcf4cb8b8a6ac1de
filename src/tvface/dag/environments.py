"""Conda environments of the rules, made from ``requirements.lock`` and from what the stages import.

Python and pip come from conda, everything else from pip with the exact versions of the lock (Snakemake copies an
environment file before use, so it cannot refer to the lock). An environment holds the packages that the stages of its
group import, and their dependencies.
"""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from tvface.assets.backends import available
from tvface.assets.registry import ROOT
from tvface.dag.code import SOURCE, closure
from tvface.dag.stages import STAGES

LOCK = ROOT / "requirements.lock"
PYTHON = "python =3.11"

# Environment -> the stages whose rules share it; rules/<stage>.smk names it.
GROUPS = {
    "footage": ("synth", "head", "archive", "frames"),
    "networks": ("faces", "identities", "sequences", "landmarks", "masks", "fit", "dataset"),
    "training": ("train", "reconstruct", "evaluate", "render"),
    "report": ("report",),
}

# Used where installed, never required.
OPTIONAL = frozenset({"pytorch3d"})

# face-alignment requires opencv-python. The lock overrides it with the headless build; pip alone cannot, so where it
# is needed its version is pinned as well, with the system libraries it loads.
SCREEN = "opencv-python"
SCREEN_LIBRARIES = ("libgl", "libglib")

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)(?: ; ([^\\]+?))? *\\?$")


@dataclass(frozen=True)
class Pin:
    """One package of the lock: exact version, environment marker (or empty), and the packages that require it."""

    name: str
    version: str
    marker: str
    required_by: frozenset[str]

    @property
    def line(self) -> str:
        """The requirement as pip reads it."""
        return f"{self.name}=={self.version}" + (f" ; {self.marker}" if self.marker else "")


def read_lock(path: Path = LOCK) -> dict[str, Pin]:
    """Return the pins of a lock written by ``uv pip compile``, by normalised name."""
    pins: dict[str, Pin] = {}
    name, version, marker = "", "", ""
    requirers: set[str] = set()

    def close() -> None:
        if name:
            pins[name] = Pin(name, version, marker, frozenset(requirers))

    for line in path.read_text(encoding="utf-8").splitlines():
        match = _PIN.match(line)
        if match:
            close()
            name, version, marker = normalised(match[1]), match[2], (match[3] or "").strip()
            requirers = set()
        elif name and line.startswith("    #"):
            asker = line.strip().removeprefix("#").strip().removeprefix("via").strip()
            if asker and not asker.startswith("-r "):
                requirers.add(normalised(asker))
    close()
    return pins


def normalised(name: str) -> str:
    """Return a package name as packaging tools compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def third_party(stages: Iterable[str]) -> set[str]:
    """Return the distributions that stages import, with all their backends."""
    modules: set[str] = set()
    for stage in stages:
        for module in (f"tvface.stages.{stage}", "tvface.dag.job"):
            # A table that a job reads names functions which it does not call; what makes its results, it calls.
            modules |= closure(module, skipped=(), words=False) | closure(module)
        for package in STAGES[stage].backends:
            for backend in available(f"tvface.{package}"):
                modules |= closure(f"tvface.{package}.{backend}", skipped=())
    imported = {name for module in modules for name in _top_level(module)}
    distributions = importlib.metadata.packages_distributions()
    packages = set()
    for name in imported - set(sys.stdlib_module_names) - OPTIONAL - {"tvface", "__future__"}:
        if name not in distributions:
            raise LookupError(f"no installed package provides '{name}', which the stages {', '.join(stages)} import")
        packages |= {normalised(distribution) for distribution in distributions[name]}
    return packages


def _top_level(module: str) -> set[str]:
    base = SOURCE.joinpath(*module.split(".")[1:])
    path = base / "__init__.py" if base.is_dir() else base.with_suffix(".py")
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            names.add(node.module.partition(".")[0])
    return names


def with_dependencies(names: Iterable[str], pins: dict[str, Pin]) -> list[Pin]:
    """Return the pins of packages and of all their dependencies, sorted by name.

    Raises:
        LookupError: a package is not in the lock.
    """
    selected = set(names)
    missing = sorted(selected - pins.keys())
    if missing:
        raise LookupError(
            f"{', '.join(missing)} is imported but not in {LOCK.name}; add it to requirements.in, make lock"
        )
    while True:
        more = {pin.name for pin in pins.values() if pin.required_by & selected} - selected
        if not more:
            return sorted((pins[name] for name in selected), key=lambda pin: pin.name)
        selected |= more


def environment_text(group: str, pins: dict[str, Pin] | None = None) -> str:
    """Return the environment file of a group of rules."""
    pins = read_lock() if pins is None else pins
    selected = with_dependencies(third_party(GROUPS[group]), pins)
    libraries = SCREEN_LIBRARIES if any(pin.name == SCREEN for pin in selected) else ()
    lines = [f"{pin.name}=={pin.version}" if pin.name == SCREEN else pin.line for pin in selected]
    content = {
        "channels": ["conda-forge", "nodefaults"],
        "dependencies": [PYTHON, "pip", *libraries, {"pip": lines}],
    }
    head = f"# Rules: {', '.join(GROUPS[group])}. Made by `tvface envs` from {LOCK.name}; do not edit.\n"
    return head + yaml.safe_dump(content, sort_keys=False, width=1000)


def write_environments(folder: Path) -> list[Path]:
    """Write every environment file into a folder; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    pins, paths = read_lock(), []
    for group in GROUPS:
        path = folder / f"{group}.yaml"
        path.write_text(environment_text(group, pins), encoding="utf-8")
        paths.append(path)
    return paths
