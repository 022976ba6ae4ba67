"""Texts of a plan that API servers refuse, though a plane on one machine may have them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from planes.model.errors import Finding, JsonObject

_LENGTHS: Final[Mapping[tuple[str, ...], tuple[int, int]]] = {
    ("purpose",): (0, 256),
    ("interface",): (1, 15),
    ("network", "master"): (1, 128),
    ("network", "mode"): (1, 16),
    ("network", "resourceName"): (1, 317),
}
"""The least and the most characters of a field, as in the definition of planes."""


def server_faults(spec: JsonObject) -> Iterator[Finding]:
    """Yield the texts of a plane's spec that an API server refuses for their length."""
    for route, (least, most) in _LENGTHS.items():
        value: object = spec
        for key in route:
            value = value.get(key) if isinstance(value, Mapping) else None
        if not isinstance(value, str) or least <= len(value) <= most:
            continue
        path = f"spec.{'.'.join(route)}"
        if value:
            message = f"cannot use a text of {len(value)} characters: API servers refuse it"
            yield Finding(path, message, f"use at most {most}")
        else:
            message = "cannot use an empty text: API servers refuse it"
            yield Finding(path, message, "leave it out, or write null")
