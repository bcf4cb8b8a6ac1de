"""The project's pages in Markdown: code blocks, links, headings, names in backticks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
CODE = re.compile(r"`([^`\n]+)`")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Page:
    """One page."""

    path: Path

    def __str__(self) -> str:
        return self.path.relative_to(ROOT).as_posix()

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return FENCE.sub("", self.text)

    def blocks(self, language: str) -> list[str]:
        """Return the contents of the fenced blocks of a language."""
        return [content for found, content in FENCE.findall(self.text) if found == language]

    def commands(self) -> list[list[str]]:
        """Return the commands of the ``bash`` blocks as words; comments are left out, ``&&`` divides commands."""
        lines = "\n".join(self.blocks("bash")).replace("\\\n", " ").splitlines()
        return [words for line in lines for words in _divided(shlex.split(line, comments=True))]

    def links(self) -> list[str]:
        """Return the targets of the links and pictures that do not leave the project."""
        return [link for link in LINK.findall(self.prose) if not re.match(r"[a-z]+:", link)]

    def anchors(self) -> set[str]:
        """Return the names that GitHub gives the headings."""
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(self.prose)}

    def names(self) -> list[str]:
        """Return what stands in backticks."""
        return CODE.findall(self.prose)


def _divided(words: list[str]) -> Iterator[list[str]]:
    command: list[str] = []
    for word in [*words, "&&"]:
        if word != "&&":
            command.append(word)
        elif command:
            yield command
            command = []


def all_pages() -> list[Page]:
    """Return every page of the project."""
    return [Page(path) for path in PAGES]
