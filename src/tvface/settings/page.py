"""``docs/settings.md``: every setting in a table, generated from the settings classes."""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Iterator, Mapping
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from tvface.settings import Settings, as_mapping
from tvface.settings.files import scalar_text

HEAD = """# Settings

<!-- Made by `make files` from the settings classes and config.yaml; do not edit. -->

A run has {settings} settings. A configuration file names only those that differ from their defaults, as `config.yaml`
does. An unknown name, a wrong type and a value out of range stop the run before its first job. The message names the
setting and what is valid.

Later sources win: the defaults, `config.yaml`, the files behind `--configfile` (Snakemake) or `--config` (`tvface`),
then single settings, `--config faces='{{min_face: 40}}'` (Snakemake) or `--set faces.min_face=40` (`tvface`).
`tvface config` prints the values in force. `tvface settings --config config.yaml --config mine.yaml` prints this page
with the values of your own configuration.

*Default* is the value of the settings classes. `{name}` is the value there, where it differs.
"""
KINDS = {bool: "true, false", int: "whole number", float: "number", str: "text", type(None): "null"}
PIPE = r"\|"  # a bar inside a cell


@dataclasses.dataclass(frozen=True)
class Row:
    """One setting: dotted name, meaning, unit, the values it takes, default and value in YAML."""

    name: str
    doc: str
    unit: str
    values: str
    default: str
    value: str

    def text(self) -> str:
        """Return the row in Markdown. A value that equals the default is left out."""
        value = f"`{self.value}`" if self.value != self.default else ""
        cells = (f"`{self.name}`", self.doc, self.unit, self.values, f"`{self.default}`", value)
        return f"| {' | '.join(cell.replace('|', PIPE) for cell in cells)} |"


@dataclasses.dataclass(frozen=True)
class Block:
    """The settings of one block, without those of the blocks inside it."""

    name: str
    doc: str
    rows: tuple[Row, ...]

    def text(self, name: str) -> str:
        """Return heading and table in Markdown; ``name`` heads the last column."""
        depth = "##" if "." not in self.name else "###"
        lines = [f"{depth} {self.name or 'The run'}", "", self.doc, ""]
        if self.rows:
            lines += [f"| setting | meaning | unit | values | default | `{name}` |", "|---|---|---|---|---|---|"]
            lines += [*(row.text() for row in self.rows), ""]
        return "\n".join(lines)


def settings_page(settings: Settings, name: str) -> str:
    """Return the page in Markdown.

    Args:
        settings: a configuration; the last column shows its values.
        name: of that configuration.
    """
    blocks = list(_blocks(settings, Settings(), "", Settings.__doc__ or ""))
    count = sum(len(block.rows) for block in blocks)
    return "\n".join([HEAD.format(settings=count, name=name), *(block.text(name) for block in blocks)])


def _blocks(settings: Any, defaults: Any, where: str, doc: str) -> Iterator[Block]:
    fields = dataclasses.fields(defaults)
    hints = get_type_hints(type(defaults))
    inner = [field for field in fields if dataclasses.is_dataclass(getattr(defaults, field.name))]
    rows = []
    for field in fields:
        if field not in inner:
            values = getattr(defaults, field.name), getattr(settings, field.name)
            rows.append(_row(f"{where}{field.name}", field.metadata, hints[field.name], *values))
    yield Block(where.removesuffix("."), doc.strip(), tuple(rows))
    for field in inner:
        values = getattr(settings, field.name), getattr(defaults, field.name)
        yield from _blocks(*values, f"{where}{field.name}.", field.metadata["doc"])


def _row(name: str, metadata: Mapping[str, Any], hint: Any, default: Any, value: Any) -> Row:
    texts = [scalar_text(as_mapping(setting)) for setting in (default, value)]
    return Row(name, metadata["doc"], metadata.get("unit") or "", _values_of(hint, metadata), *texts)


def _values_of(hint: Any, metadata: Mapping[str, Any]) -> str:
    """Describe the values a setting takes, e.g. ``number, 0 .. 1``."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " or ".join(_values_of(choice, metadata) for choice in arguments)
    if origin is Literal:
        return ", ".join(f"`{choice}`" for choice in arguments)
    if origin is tuple:
        many = "list of" if arguments[-1] is Ellipsis else f"list of {len(arguments)}:"
        return f"{many} {_values_of(arguments[0], metadata)}"
    if dataclasses.is_dataclass(hint):
        return "{" + ", ".join(f"{field.name}: ..." for field in dataclasses.fields(hint)) + "}"
    low, high = metadata.get("low"), metadata.get("high")
    if hint not in (int, float) or (low is None and high is None):
        return KINDS[hint]
    if high is None:
        return f"{KINDS[hint]} >= {low:g}"
    return f"{KINDS[hint]}, {'' if low is None else f'{low:g} '}.. {high:g}"
