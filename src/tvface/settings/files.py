"""Made from the settings classes: the JSON schema of ``config.yaml``, and a configuration that holds every setting."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal, get_args, get_origin, get_type_hints

import yaml

from tvface.settings import Settings, as_mapping, json_schema

WIDTH = 120
CONFIG_HEAD = "# Every setting with its value in force, meaning, unit and range; made by `tvface config`.\n"


def schema_text() -> str:
    """Return the JSON schema of the configuration; Snakemake reads JSON in a hundredth of the time of YAML."""
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "tvface",
        "$comment": "Written by `make files` from src/tvface/settings.",
        **json_schema(Settings),
    }
    return json.dumps(schema, indent=1, ensure_ascii=False) + "\n"


def config_text(settings: Settings) -> str:
    """Return a configuration that holds every setting, each commented with its meaning, unit and range."""
    return "\n".join([CONFIG_HEAD, *_block(settings, 0)]) + "\n"


def _block(value: Any, depth: int) -> list[str]:
    lines: list[str] = []
    indent = "  " * depth
    hints = get_type_hints(type(value))
    for field in dataclasses.fields(value):
        member = getattr(value, field.name)
        if dataclasses.is_dataclass(member):
            if depth == 0:
                lines.append("")
            lines.append(f"{indent}# {field.metadata['doc']}")
            lines.append(f"{indent}{field.name}:")
            lines += _block(member, depth + 1)
        else:
            lines.append(f"{indent}# {_comment(field.metadata, hints[field.name])}")
            lines.append(f"{indent}{field.name}: {scalar_text(as_mapping(member))}")
    return lines


def _comment(metadata: Mapping[str, Any], hint: Any) -> str:
    low, high, unit = metadata.get("low"), metadata.get("high"), metadata.get("unit")
    parts = [metadata["doc"]]
    if unit:
        parts.append(f"[{unit}]")
    if low is not None or high is not None:
        parts.append(f"({'' if low is None else f'{low:g}'} .. {'' if high is None else f'{high:g}'})")
    if get_origin(hint) is Literal:
        parts.append(f"({' | '.join(map(str, get_args(hint)))})")
    return " ".join(parts)


def scalar_text(value: Any) -> str:
    """Return a plain value or list as YAML on one line."""
    if isinstance(value, float):
        return _number(value)
    if isinstance(value, list):
        return f"[{', '.join(scalar_text(element) for element in value)}]"
    return yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix("\n...\n").strip()


def _number(value: float) -> str:
    text = repr(value)
    if "e" in text and "." not in text:  # YAML 1.1 reads 1e-4 as a word, 1.0e-4 as a number
        mantissa, exponent = text.split("e")
        text = f"{mantissa}.0e{exponent}"
    return text
