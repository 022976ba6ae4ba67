"""Values that plugins which make a link take: modes, numbers and names, by key.

Admission warns of others, and the node refuses them with the same words. The limits are those of
the reference plugins, and where these set none, those of the kernel's types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from planes.model.decode import kind_of
from planes.model.errors import BadInput, PlanesError
from planes.model.names import check_ifname

LINK_MODES: Final[Mapping[str, tuple[str, ...]]] = {
    "ipvlan": ("l2", "l3", "l3s"),
    "macvlan": ("bridge", "passthru", "private", "vepa"),
}
"""The modes of a type; of an empty one it takes its default."""
_U32: Final = 0xFFFFFFFF
MOST: Final[Mapping[str, int]] = {
    "bcqueuelen": _U32,
    "mtu": _U32,
    "table": _U32,
    "vlan": 4094,
    "vlanId": 4094,
}
"""The largest number of a key; the smallest is 0."""


def why_no_number(key: str, value: Any) -> tuple[str, str] | None:
    """Return what is wrong with the value of a numeric key, and the remedy; None for a good one."""
    if isinstance(value, bool) or not isinstance(value, int):
        quoted = ", without quotes" if isinstance(value, str) else ""
        return f"it must be a whole number, not {kind_of(value)}", f"write one{quoted}"
    if not 0 <= value <= MOST[key]:
        return f"it must be from 0 to {MOST[key]}", "write a number of these"
    return None


def why_no_mode(kind: str, value: Any) -> tuple[str, str] | None:
    """Return what is wrong with the mode of a type, and the remedy; None for a good one."""
    modes = LINK_MODES[kind]
    if isinstance(value, str) and (not value or value in modes):
        return None
    return f"{kind} has no such mode", f"use one of {', '.join(modes)}"


def why_no_link_name(value: Any) -> tuple[str, str] | None:
    """Return why no link can have this name, and the remedy; None for a good one."""
    if not isinstance(value, str):
        return f"it must be a text, not {kind_of(value)}", "write the name of an interface"
    try:
        check_ifname(value)
    except PlanesError as error:
        return "no interface can have that name", error.remedy
    return None


def require_number(key: str, value: int) -> int:
    """Return the value of a numeric key.

    Raises:
        BadInput: the key does not take it.
    """
    _require(f"{key} {value}", why_no_number(key, value))
    return value


def require_mode(kind: str, value: str) -> str:
    """Return the mode of a type, "" for its default.

    Raises:
        BadInput: the type has no such mode.
    """
    _require(f"mode {value[:16]!r}", why_no_mode(kind, value))
    return value


def require_link_name(key: str, value: str) -> str:
    """Return the name of a link that a key gives.

    Raises:
        BadInput: no link can have it.
    """
    _require(f"{key} {value[:16]!r}", why_no_link_name(value))
    return value


def _require(what: str, wrong: tuple[str, str] | None) -> None:
    if wrong is not None:
        raise BadInput(f"cannot use {what}: {wrong[0]}", remedy=wrong[1])
