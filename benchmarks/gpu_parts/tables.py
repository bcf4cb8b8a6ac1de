"""The results of a run: one JSON file, one Markdown file, and the log beside them."""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from benchmarks.gpu_parts.driver import Result

FORMAT = 1


@dataclass(frozen=True)
class Table:
    """What is written: facts of the whole run, and what came of the parts until now."""

    facts: dict[str, Any]
    device: str
    quick: bool
    suffix: str
    results: Sequence[Result]

    @property
    def stem(self) -> str:
        """Name of the files: card, whether quick, suffix, date."""
        card = re.sub(r"[^a-z0-9]+", "-", str(self.facts.get("card", f"unknown {self.device}")).lower()).strip("-")
        parts = ["gpu", card, "quick" if self.quick else "", self.suffix, self.facts["date"]]
        return "-".join(part for part in parts if part)


def write(folder: Path, table: Table, log: IO[str]) -> list[Path]:
    """Write the three files; each appears whole or not at all. Returns their paths."""
    log.flush()
    text = Path(log.name).read_text(encoding="utf-8", errors="replace")
    contents = {".json": as_json(table), ".md": as_markdown(table), ".log": text}
    paths = []
    for suffix, content in contents.items():
        path = folder / f"{table.stem}{suffix}"
        partial = path.with_suffix(f"{suffix}.partial")
        partial.write_text(content, encoding="utf-8")
        os.replace(partial, path)
        paths.append(path)
    return paths


def as_json(table: Table) -> str:
    """Return everything as JSON; a number that is not finite is text."""
    parts = [
        {
            "name": result.part.name,
            "title": result.part.title,
            "status": result.status,
            "reason": result.reason,
            "seconds": round(result.seconds, 1),
            "notes": result.notes,
            "rows": result.rows,
        }
        for result in table.results
    ]
    content = {"format": FORMAT, "quick": table.quick, "device": table.device, **table.facts, "parts": parts}
    return json.dumps(_plain(content), indent=1, allow_nan=False) + "\n"


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def as_markdown(table: Table) -> str:
    """Return the facts, a line per part, and the parts' tables."""
    facts = table.facts
    state = {None: "", True: ", with changes that are not committed", False: ""}[facts.get("dirty")]
    lines = [
        f"# {facts.get('card', 'No card told')}, {facts['date']}",
        "",
        f"`python benchmarks/gpu.py`, commit {facts['commit']}{state}, sources {facts['sources']}, {facts['time']}.",
    ]
    if table.quick:
        lines += ["", "With `--quick`: sizes that a CPU does in seconds, to see that every line runs. **No figure here"]
        lines[-1] += " says anything about speed.**"
    shown_above = {"card", "date", "commit", "dirty", "sources", "time"}
    lines += ["", *_rows([{"": name, "value": value} for name, value in facts.items() if name not in shown_above])]
    summary = [
        {"part": result.part.name, "status": result.status, "why": result.reason, "s": round(result.seconds, 1)}
        for result in table.results
    ]
    lines += ["", "## Parts", "", *_rows(summary)]
    for result in table.results:
        if result.rows or result.notes:
            ended = "" if result.status == "ok" else f" ({result.status}: {result.reason})"
            lines += ["", f"## {result.part.title}{ended}"]
            lines += [line for note in result.notes for line in ("", note)]
            lines += ["", *_rows(result.rows)] if result.rows else []
    return "\n".join(lines) + "\n"


def _rows(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return a Markdown table; its columns are those of the rows, in the order of their first appearance."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    numbers = {name for name in columns if any(isinstance(row.get(name), int | float) for row in rows)}
    lines = [[*columns], ["---:" if name in numbers else "---" for name in columns]]
    lines += [[_cell(row.get(name)) for name in columns] for row in rows]
    return [f"| {' | '.join(line)} |" for line in lines]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
