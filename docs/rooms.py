"""The floor plan of a source folder: rooms (packages), floors, circles and arrows, counted and the docs' table.

    python docs/rooms.py                        # this checkout's rooms, and its longest files and functions
    python docs/rooms.py ../older/src/tvface    # another's
    python docs/rooms.py src/tvface/synthetic   # the folders of one room
    python docs/rooms.py --write                # write the map into docs/architecture.md again

A room's floor is one above the highest room that it imports; rooms that import each other in a circle share one.
"""

from __future__ import annotations

import argparse
import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.sparse.csgraph import connected_components

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "architecture.md"
_TABLE = re.compile(r"^\| floor \| room \|.*?\n\n", re.MULTILINE | re.DOTALL)
_ABOUT = re.compile(r"^\| \d+ \| `(\w+)/` \| ([^|]+) \|", re.MULTILINE)
LONGEST = 5


def arrows(source: Path) -> dict[str, set[str]]:
    """Return which rooms each room imports, inside functions too; a module beside the packages is a room."""
    package = _dotted(source)
    modules = {path: ".".join(path.relative_to(source).with_suffix("").parts) for path in source.rglob("*.py")}
    rooms = {name.split(".")[0] for name in modules.values()} - {"__init__", "__main__"}
    found: dict[str, set[str]] = {room: set() for room in rooms}
    for path, name in modules.items():
        room = name.split(".")[0]
        if room in rooms:
            within = (target for target in _imports(path) if target.startswith(f"{package}."))
            named = {target.removeprefix(f"{package}.").split(".")[0] for target in within}
            found[room] |= (named & rooms) - {room}
    return found


def _dotted(source: Path) -> str:
    """Return a package's name as imports spell it."""
    above = source.parent
    return f"{_dotted(above)}.{source.name}" if (above / "__init__.py").is_file() else source.name


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def circles_of(graph: dict[str, set[str]]) -> list[set[str]]:
    """Return the groups of rooms that import each other in a circle (strongly connected, two rooms or more)."""
    rooms = sorted(graph)
    matrix = np.array([[other in graph[room] for other in rooms] for room in rooms])
    groups: dict[int, set[str]] = defaultdict(set)
    for room, label in zip(rooms, connected_components(matrix, directed=True, connection="strong")[1], strict=True):
        groups[label].add(room)
    return [group for group in groups.values() if len(group) > 1]


def floors_of(graph: dict[str, set[str]], circles: list[set[str]]) -> dict[str, int]:
    """Return the floor of each room, from 1."""
    together = {room: group for group in circles for room in group}
    floors: dict[str, int] = {}

    def floor(room: str) -> int:
        if room not in floors:
            group = together.get(room, {room})
            below = {other for member in group for other in graph[member]} - group
            level = 1 + max((floor(other) for other in below), default=0)
            floors.update(dict.fromkeys(group, level))
        return floors[room]

    for room in graph:
        floor(room)
    return floors


def longest(source: Path) -> list[str]:
    """Return lines about the longest files and functions."""
    files, functions = [], []
    for path in source.rglob("*.py"):
        text, name = path.read_text(encoding="utf-8"), path.relative_to(source).as_posix()
        files.append((text.count("\n"), name))
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                functions.append(((node.end_lineno or 0) - node.lineno + 1, f"{name}: {node.name}"))
    lines = [f"{len(files)} modules, {sum(count for count, _ in files):,} lines"]
    for what, counted in (("files", files), ("functions", functions)):
        shown = ", ".join(f"{name} ({count})" for count, name in sorted(counted, reverse=True)[:LONGEST])
        lines.append(f"longest {what}: {shown}")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("source", nargs="?", type=Path, default=ROOT / "src" / "tvface")
    parser.add_argument("--write", action="store_true", help="write the map into docs/architecture.md")
    options = parser.parse_args()
    graph = arrows(options.source.resolve())
    circles = circles_of(graph)
    floors = floors_of(graph, circles)
    if options.write:
        page = PAGE.read_text(encoding="utf-8")
        about = dict(_ABOUT.findall(page))
        rows = ["| floor | room | holds | may import |", "|---|---|---|---|"]
        for room in sorted(graph, key=lambda name: (floors[name], name)):
            rows.append(f"| {floors[room]} | `{room}/` | {about.get(room, '')} | {', '.join(sorted(graph[room]))} |")
        PAGE.write_text(_TABLE.sub(lambda _: "\n".join(rows) + "\n\n", page, count=1), encoding="utf-8")
    for level in sorted(set(floors.values())):
        print(level, ", ".join(sorted(room for room in graph if floors[room] == level)))
    back = sum(other in group for group in circles for room in group for other in graph[room])
    arrow_count = sum(map(len, graph.values()))
    print(f"{len(graph)} rooms, {max(floors.values())} floors, {arrow_count} arrows, {back} of them in circles")
    for group in circles:
        print(f"circle of {len(group)}: {', '.join(sorted(group))}")
    print("\n".join(longest(options.source)))


if __name__ == "__main__":
    main()
