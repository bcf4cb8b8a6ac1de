"""Which room (package of tvface) may import which: the map in docs/architecture.md holds for every module."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from graphlib import TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "src" / "tvface"
# A row of the map: floor, `room/`, what it holds, what it may import.
_ROW = re.compile(r"^\| (\d+) \| `(\w+)/` \| [^|]+ \| ([^|]*) \|$", re.MULTILINE)


def rooms_in(page: str) -> dict[str, tuple[int, frozenset[str]]]:
    """Return the floor of each room on the map and the rooms that it may import."""
    return {room: (int(floor), frozenset(re.findall(r"\w+", listed))) for floor, room, listed in _ROW.findall(page)}


def names_in(module: Path, package: str = "tvface") -> set[str]:
    """Return what a module imports of a package, inside functions too: the first names after the package's."""
    named: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == package:
            named |= {f"{package}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named.add(node.module)
    within = (name.removeprefix(f"{package}.") for name in named if name.startswith(f"{package}."))
    return {name.split(".")[0] for name in within} - {"__version__"}


MAP = rooms_in((ROOT / "docs" / "architecture.md").read_text(encoding="utf-8"))


def test_every_package_is_a_room_on_the_map() -> None:
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert packages == set(MAP)
    assert {path.name for path in SOURCE.glob("*.py")} == {"__init__.py", "__main__.py"}, "loose modules"


def test_arrows_run_down() -> None:
    for room, (floor, allowed) in MAP.items():
        for below in allowed:
            assert MAP[below][0] < floor, f"{room} on floor {floor} may not import {below} on floor {MAP[below][0]}"


def test_no_module_imports_past_the_map() -> None:
    used: dict[str, set[str]] = defaultdict(set)
    for module in SOURCE.glob("*/**/*.py"):
        room = module.relative_to(SOURCE).parts[0]
        others = names_in(module) - {room}
        used[room] |= others
        assert others <= MAP[room][1], f"{module.relative_to(ROOT)} imports {sorted(others - MAP[room][1])}"
    for room, (_, allowed) in MAP.items():
        assert used[room] == allowed, f"the map lets {room} import {sorted(allowed - used[room])}, which it does not"


def test_the_folders_of_synthetic_import_each_other_in_no_circle() -> None:
    room = SOURCE / "synthetic"
    graph: dict[str, set[str]] = defaultdict(set)
    for module in room.rglob("*.py"):
        folder = module.relative_to(room).with_suffix("").parts[0]
        graph[folder] |= names_in(module, "tvface.synthetic") - {folder}
    order = list(TopologicalSorter(graph).static_order())  # raises CycleError
    assert {path.parent.name for path in room.glob("*/__init__.py")} < set(order)
    assert order.index("render") < order.index("person") < order.index("crops")
