"""Typed, frozen settings parsed from YAML: an unknown key or a wrong value is an error that names the setting.

Each block of ``config.yaml`` is one frozen dataclass whose fields :func:`option` declares. ``parse`` turns
a nested mapping into such a dataclass; ``json_schema`` turns the dataclass into the schema against which
Snakemake validates the same mapping.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

T = TypeVar("T")

READABLE = "_readable"
"""Class attribute of a view: the fields that it holds."""


ELSEWHERE = "ELSEWHERE"
"""Class attribute of a settings class: hints for keys that it lacks, such as moved ones, by key."""


class SettingsError(ValueError):
    """A setting is unknown, of the wrong type or out of range; the message names it and what is valid."""


def option(
    default: Any,
    doc: str,
    *,
    low: float | None = None,
    high: float | None = None,
    unit: str | None = None,
) -> Any:
    """Declare one setting: its default, one line of documentation, inclusive bounds and unit."""
    metadata = {"doc": doc, "low": low, "high": high, "unit": unit}
    return dataclasses.field(default=default, metadata=metadata)


def block(kind: type[T]) -> T:
    """Declare a nested block of settings with the defaults of ``kind``."""
    return dataclasses.field(default_factory=kind, metadata={"doc": (kind.__doc__ or "").strip().splitlines()[0]})


def parse(kind: type[T], mapping: Mapping[str, Any] | None, where: str = "") -> T:
    """Build ``kind`` from a nested mapping.

    Keys that are absent keep their default; ``None`` is a value only where the type admits it.

    Raises:
        SettingsError: unknown key (the nearest valid names are listed), wrong type, value out of range.
    """
    if mapping is None:
        mapping = {}
    if not isinstance(mapping, Mapping):
        raise SettingsError(f"{where or 'the configuration'}: expected a block of settings, got {mapping!r}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for key, value in mapping.items():
        path = f"{where}.{key}" if where else str(key)
        if key not in fields:
            raise SettingsError(f"unknown setting '{path}': {_hint(kind, str(key), list(fields))}")
        values[key] = _convert(hints[key], value, path, fields[key].metadata)
    return kind(**values)


def _hint(kind: type, key: str, valid: list[str]) -> str:
    """Return a hint about an unknown key: its place, similar names or all names."""
    elsewhere = getattr(kind, ELSEWHERE, {}).get(key)
    if elsewhere:
        return f"{elsewhere}; valid here: {', '.join(sorted(valid))}"
    near = difflib.get_close_matches(key, valid, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"valid here: {', '.join(sorted(valid))}"


def _convert(hint: Any, value: Any, path: str, metadata: Mapping[str, Any]) -> Any:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if type(None) in arguments and (value is None or (value == "null" and str not in arguments)):
            return None
        failures = []
        for choice in arguments:
            if choice is type(None):
                continue
            try:
                return _convert(choice, value, path, metadata)
            except SettingsError as error:
                failures.append(str(error))
        raise SettingsError(failures[0])
    if origin is Literal:
        if value not in arguments:
            raise SettingsError(f"{path}: {value!r} is not one of {', '.join(map(repr, arguments))}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise SettingsError(f"{path}: expected a list, got {value!r}")
        if len(arguments) == 2 and arguments[1] is Ellipsis:
            return tuple(_convert(arguments[0], element, f"{path}[{i}]", metadata) for i, element in enumerate(value))
        if len(value) != len(arguments):
            raise SettingsError(f"{path}: expected {len(arguments)} values, got {len(value)}")
        return tuple(
            _convert(kind, element, f"{path}[{i}]", metadata)
            for i, (kind, element) in enumerate(zip(arguments, value, strict=True))
        )
    if dataclasses.is_dataclass(hint):
        if isinstance(value, hint):  # type: ignore[arg-type]
            return value
        return parse(hint, value, path)  # type: ignore[arg-type]
    return _scalar(hint, value, path, metadata)


def _scalar(hint: Any, value: Any, path: str, metadata: Mapping[str, Any]) -> Any:
    if hint is bool:
        if value in ("true", "false"):  # nested values of snakemake --config come as text
            return value == "true"
        if not isinstance(value, bool):
            raise SettingsError(f"{path}: expected true or false, got {value!r}")
        return value
    if hint in (int, float):
        if isinstance(value, str):  # YAML 1.1 reads 1e-4 as a word
            try:
                value = float(value)
            except ValueError as error:
                raise SettingsError(f"{path}: expected a number, got {value!r}") from error
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SettingsError(f"{path}: expected a number, got {value!r}")
        if hint is int and value != int(value):
            raise SettingsError(f"{path}: expected a whole number, got {value!r}")
        low, high = metadata.get("low"), metadata.get("high")
        if (low is not None and value < low) or (high is not None and value > high):
            bounds = f"{'-inf' if low is None else low} .. {'inf' if high is None else high}"
            raise SettingsError(f"{path}: {value!r} is outside {bounds}")
        return hint(value)
    if hint is str:
        if not isinstance(value, str):
            raise SettingsError(f"{path}: expected text, got {value!r}")
        return value
    raise TypeError(f"{path}: settings of type {hint!r} are not supported")


def as_mapping(value: Any) -> Any:
    """Turn settings back into plain dicts, lists and scalars, in field order (for provenance and digests).

    A view (:mod:`tvface.settings.view`) gives only the settings that it holds.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = getattr(type(value), READABLE, tuple(field.name for field in dataclasses.fields(value)))
        return {name: as_mapping(getattr(value, name)) for name in names}
    if isinstance(value, tuple | list):
        return [as_mapping(element) for element in value]
    return value


def json_schema(kind: type) -> dict[str, Any]:
    """Return the JSON schema of a settings dataclass, for Snakemake's ``validate``."""
    hints = get_type_hints(kind)
    properties = {}
    for field in dataclasses.fields(kind):
        schema = _field_schema(hints[field.name], field.metadata)
        if field.metadata.get("doc"):
            unit = f" [{field.metadata['unit']}]" if field.metadata.get("unit") else ""
            schema["description"] = field.metadata["doc"] + unit
        properties[field.name] = schema
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _field_schema(hint: Any, metadata: Mapping[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_field_schema(choice, metadata) for choice in arguments]}
    if hint is type(None):
        return {"enum": [None, "null"]}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _field_schema(arguments[0], metadata)}
    if dataclasses.is_dataclass(hint):
        return json_schema(hint)  # type: ignore[arg-type]
    schema: dict[str, Any] = {"type": {bool: "boolean", int: "integer", float: "number", str: "string"}[hint]}
    if hint in (int, float):
        if metadata.get("low") is not None:
            schema["minimum"] = metadata["low"]
        if metadata.get("high") is not None:
            schema["maximum"] = metadata["high"]
        # YAML 1.1 reads 1e-4 as a word, and nested values of snakemake --config come as text: the parser takes both.
        return {"anyOf": [schema, {"type": "string", "pattern": r"^[-+]?[0-9.]+([eE][-+]?[0-9]+)?$"}]}
    if hint is bool:
        return {"anyOf": [schema, {"enum": ["true", "false"]}]}
    return schema
