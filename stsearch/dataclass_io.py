"""Frozen dataclasses from and to nested plain dictionaries, as JSON and TOML hold them; strict about both."""

from __future__ import annotations

import dataclasses
import json
import types
import typing
from collections.abc import Iterable
from typing import Any, TypeVar

from stsearch.errors import UsageError

T = TypeVar("T")

_MAX_DEPTH = 60
"""Levels of lists and objects in a JSON file. Ours have nine; at a thousand Python gives up, in any place."""


def parse_json(text: str) -> Any:  # Any: JSON
    """Return what ``text`` says in JSON.

    Raises:
        ValueError: it is no JSON, or lists and objects lie deeper in each other than any file needs.
    """
    try:
        values = json.loads(text)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    level = [values]
    for _ in range(_MAX_DEPTH):
        level = [item for each in level for item in _items(each)]
        if not level:
            return values
    raise ValueError("it is nested too deeply")


def _items(value: Any) -> Iterable[Any]:  # Any: JSON
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def to_dict(config: Any) -> dict[str, Any]:  # Any: every dataclass
    """Return ``config`` as nested plain dictionaries, ready for JSON."""
    return dataclasses.asdict(config)


def from_dict(kind: type[T], values: dict[str, Any], where: str = "config") -> T:
    """Build ``kind`` from nested dictionaries; unknown names and wrong types are errors.

    Raises:
        UsageError: a name is unknown or a value has the wrong type; the message gives its place.
    """
    return typing.cast("T", _build(kind, values, where))


def overlay(config: T, values: dict[str, Any], where: str = "config") -> T:
    """Return ``config`` with ``values`` (nested) put over it, as strictly as :func:`from_dict`."""
    merged = _merge(to_dict(config), values)
    return from_dict(type(config), merged, where)


def _merge(base: Any, values: Any) -> Any:  # Any: JSON-like
    if isinstance(base, dict) and isinstance(values, dict):
        return base | {key: _merge(base.get(key), value) for key, value in values.items()}
    return values


def _build(kind: Any, value: Any, where: str) -> Any:  # Any: a type expression and JSON-like values
    if dataclasses.is_dataclass(kind):
        return _build_dataclass(kind, value, where)
    if typing.get_origin(kind) is tuple:
        return _build_tuple(kind, value, where)
    if isinstance(kind, types.UnionType):
        options = [option for option in typing.get_args(kind) if option is not type(None)]
        # TOML has no null: there, false leaves an optional part out.
        return None if value is None or value is False else _build(options[0], value, where)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        raise UsageError(f"{where} must be {kind.__name__}, not {value!r}")
    return value


def _build_dataclass(kind: Any, value: Any, where: str) -> Any:  # Any: as above
    if not isinstance(value, dict):
        raise UsageError(f"{where} must be a table, not {value!r}")
    hints = typing.get_type_hints(kind)
    known = {f.name for f in dataclasses.fields(kind)}
    unknown = sorted(set(value) - known)
    if unknown:
        raise UsageError(f"{where} has no {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    return kind(**{name: _build(hints[name], item, f"{where}.{name}") for name, item in value.items()})


def _build_tuple(kind: Any, value: Any, where: str) -> Any:  # Any: as above
    if not isinstance(value, list | tuple):
        raise UsageError(f"{where} must be a list, not {value!r}")
    kinds = typing.get_args(kind)
    if kinds[-1] is Ellipsis:
        kinds = (kinds[0],) * len(value)
    if len(kinds) != len(value):
        raise UsageError(f"{where} must have {len(kinds)} values, not {len(value)}")
    return tuple(_build(k, v, f"{where}[{i}]") for i, (k, v) in enumerate(zip(kinds, value, strict=True)))
