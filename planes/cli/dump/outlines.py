"""The outline of JSON that others wrote: its keys, and of each value only the type."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")
_SHOWN_VALUES: Final = frozenset({"type", "cniversion", "name"})
"""Keys of a configuration whose value is a name."""
_DEEPEST: Final = 12
_MOST_KEYS: Final = 256
_TOO_DEEP: Final = "…"


def outline(value: Any, depth: int = 0) -> Any:
    """Return a configuration's keys, with the type of each value; names of types stay."""
    if depth > _DEEPEST:
        return _TOO_DEEP
    if isinstance(value, Mapping):
        shown = list(value.items())[:_MOST_KEYS]
        return {_key(key): _value(key, each, depth) for key, each in shown}
    if isinstance(value, list):
        return [outline(each, depth + 1) for each in value[:_MOST_KEYS]]
    return {str: "string", bool: "boolean", int: "number", float: "number"}.get(type(value), "null")


def known_part(value: Any, names: Collection[str], depth: int = 0) -> Any:
    """Return a value with its members of these names, in lower case; of others the outline."""
    if depth > _DEEPEST:
        return _TOO_DEEP
    if isinstance(value, Mapping):
        return {
            _key(key): known_part(each, names, depth + 1)
            if str(key).lower() in names
            else outline(each, depth + 1)
            for key, each in list(value.items())[:_MOST_KEYS]
        }
    if isinstance(value, list):
        return [known_part(each, names, depth + 1) for each in value[:_MOST_KEYS]]
    return value


def _key(key: Any) -> str:
    return key if isinstance(key, str) and _PLAIN.fullmatch(key) else "(a name that is no key)"


def _value(key: Any, value: Any, depth: int) -> Any:
    is_name = str(key).casefold() in _SHOWN_VALUES and isinstance(value, str)
    return value if is_name and _PLAIN.fullmatch(value) else outline(value, depth + 1)
