"""A view of the settings: it holds some of them, and reading another one is an error instead of a silent dependency.

A view is an instance of the same dataclass, nested blocks too, so it goes wherever settings go. Blocks that it holds
whole are the blocks themselves. It can be pickled, compared and hashed; ``as_mapping`` gives what it holds.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable
from typing import Any, TypeVar, get_type_hints

from tvface.settings.base import READABLE, SettingsError

T = TypeVar("T")


class UndeclaredSetting(RuntimeError):
    """Code read a setting that its view does not hold; the message names reader, setting and where to declare it.

    An error of tvface, not of its user. No AttributeError: ``hasattr`` and ``getattr`` with a default must not hide it.
    """


@functools.cache
def leaves(kind: Any, prefix: str = "") -> tuple[str, ...]:
    """Return the dotted names of all settings in a settings dataclass, in its order; blocks are not among them."""
    hints = get_type_hints(kind)
    names: list[str] = []
    for field in dataclasses.fields(kind):
        hint, path = hints[field.name], f"{prefix}{field.name}"
        nested: bool = dataclasses.is_dataclass(hint)
        names += leaves(hint, f"{path}.") if nested else [path]
    return tuple(names)


def matching(kind: type, key: str) -> tuple[str, ...]:
    """Return the settings that a key names: one setting, all of a block, or with ``block.*`` those directly in it.

    Raises:
        SettingsError: there is no such setting.
    """
    everything = leaves(kind)
    if key.endswith(".*"):
        block = key.removesuffix("*")
        names = tuple(name for name in everything if name.startswith(block) and "." not in name.removeprefix(block))
    else:
        names = tuple(name for name in everything if name == key or name.startswith(f"{key}."))
    if not names:
        raise SettingsError(f"there is no setting '{key}'")
    return names


def view(settings: T, names: Iterable[str], reader: str, remedy: str) -> T:
    """Return the settings with only the named ones readable.

    Args:
        settings: a settings dataclass, or a view of one that holds all the names.
        names: dotted names of single settings, as :func:`leaves` gives them.
        reader: reader of the view, for the message about a setting that is not readable: "stage render".
        remedy: how to make another setting readable, for the same message.

    Raises:
        UndeclaredSetting: ``settings`` is a view that lacks one of the names.
    """
    return _narrowed(settings, frozenset(names), "", reader, remedy)


def _narrowed(block: T, names: frozenset[str], prefix: str, reader: str, remedy: str) -> T:
    kind: Any = getattr(type(block), "_kind", type(block))
    if names >= set(leaves(kind, prefix)) and type(block) is kind:
        return block
    values: dict[str, Any] = {}
    for field in dataclasses.fields(kind):
        path = f"{prefix}{field.name}"
        if path in names:
            values[field.name] = getattr(block, field.name)
        elif any(name.startswith(f"{path}.") for name in names):
            values[field.name] = _narrowed(getattr(block, field.name), names, f"{path}.", reader, remedy)
    narrowed: T = _instance(kind, tuple(values), prefix, reader, remedy, values)
    return narrowed


def _instance(
    kind: Any, readable: tuple[str, ...], prefix: str, reader: str, remedy: str, values: dict[str, Any]
) -> Any:
    instance: Any = object.__new__(_view_class(kind, readable, prefix, reader, remedy))
    vars(instance).update(values)
    return instance


@functools.cache
def _view_class(kind: Any, readable: tuple[str, ...], prefix: str, reader: str, remedy: str) -> type:
    hidden = {
        field.name: _Hidden(f"{prefix}{field.name}", reader, remedy)
        for field in dataclasses.fields(kind)
        if field.name not in readable
    }
    attributes = {"_kind": kind, READABLE: readable, "_origin": (prefix, reader, remedy), "__doc__": kind.__doc__}
    return type(kind.__name__, (_View, kind), {**hidden, **attributes})


class _Hidden:
    """Stands for a setting that a view lacks. The instance has no value of this name, so reading it comes here."""

    def __init__(self, path: str, reader: str, remedy: str) -> None:
        self._message = f"{reader} reads the setting '{path}', which is not declared for it; {remedy}"

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        if instance is None:
            return self
        raise UndeclaredSetting(self._message)


class _View:
    """Methods of views; they override the methods of the block, which would read every field."""

    _kind: type
    _origin: tuple[str, str, str]

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and vars(other) == vars(self)

    def __hash__(self) -> int:
        return hash((type(self), tuple(vars(self).items())))

    def __repr__(self) -> str:
        held = ", ".join(f"{name}={value!r}" for name, value in vars(self).items())
        return f"{self._kind.__qualname__}({held}, ...)"

    def __reduce__(self) -> tuple[Any, ...]:
        return _instance, (self._kind, getattr(type(self), READABLE), *self._origin, dict(vars(self)))
