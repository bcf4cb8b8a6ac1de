"""The inputs of a part, and its results: one line of JSON each, so that those before an interruption count."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


class PassedOver(Exception):
    """The part cannot run here, which is not an error: the message says what is missing."""


@dataclass(frozen=True)
class Job:
    """One run of a part.

    Attributes:
        device: ``cuda``, ``cuda:1`` or ``cpu``.
        quick: sizes that a CPU does in seconds, to see that every line runs; the figures mean nothing.
        work: folder that the parts of a run share.
        found: file of the lines.
        options: of the part.
    """

    device: str
    quick: bool
    work: Path
    found: Path
    options: tuple[str, ...] = ()

    @property
    def cuda(self) -> bool:
        """Whether the device is a GPU."""
        return self.device.startswith("cuda")

    def row(self, **cells: Any) -> None:
        """Tell a row of the part's table; a cell is text or a number, its unit in its name."""
        self.tell("row", cells)

    def note(self, text: str) -> None:
        """Tell a sentence that goes with the table."""
        self.tell("note", text)

    def fact(self, **values: Any) -> None:
        """Tell what belongs to the whole run: card, driver, versions."""
        self.tell("fact", values)

    def tell(self, kind: str, value: Any) -> None:
        """Write a line, and show it."""
        with self.found.open("a", encoding="utf-8") as file:
            file.write(json.dumps({kind: value}) + "\n")
        text = value if isinstance(value, str) else ", ".join(f"{name} {cell}" for name, cell in value.items())
        print(text, flush=True)
