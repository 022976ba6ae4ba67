"""The annotation `netplane.io/injected`: the elements that were injected, with plane generations.

It shows people and a second call of the webhook what was injected. Its hash covers the injected
elements, so a record copied from another pod, or one with changed elements, is detected and written
again. It grants nothing: decisions depend on planes alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from planes.model.annotations.selection import Selection
from planes.model.bounds import MAX_RECORD_CHARACTERS
from planes.model.decode import loads
from planes.model.errors import BadInput

_HASH_DIGITS = 16


class Injected(NamedTuple):
    """One injected element, with its plane and the plane's generation."""

    plane: str
    generation: int
    selection: Selection


@dataclass(frozen=True, slots=True)
class Record:
    """The parsed annotation: (plane, generation, interface) in order, and the hash."""

    planes: tuple[tuple[str, int, str], ...]
    digest: str


def format_record(entries: Sequence[Injected]) -> str:
    """Return the annotation; the same entries give the same text."""
    planes = [
        {
            "name": entry.plane,
            "generation": entry.generation,
            "interface": entry.selection.interface,
        }
        for entry in entries
    ]
    selections = [entry.selection for entry in entries]
    return orjson.dumps({"planes": planes, "hash": digest_of(selections)}).decode()


def digest_of(selections: Sequence[Selection]) -> str:
    """Return the hash of elements, whatever the spelling of their JSON."""
    asked = [
        [f"{each.namespace}/{each.name}", each.interface, each.ips, each.mac, each.default_route]
        for each in selections
    ]
    return hashlib.sha256(orjson.dumps(asked)).hexdigest()[:_HASH_DIGITS]


def read_record(text: str) -> Record | None:
    """Read the annotation, None where it is not valid."""
    if len(text) > MAX_RECORD_CHARACTERS:
        return None
    try:
        value = loads(text, "the record of injected networks")
    except BadInput:
        return None
    entries = value.get("planes") if isinstance(value, dict) else None
    if not isinstance(entries, list) or not isinstance(value.get("hash"), str):
        return None
    found = []
    for entry in entries:
        fields = entry if isinstance(entry, dict) else {}
        name, generation = fields.get("name"), fields.get("generation")
        interface = fields.get("interface")
        if (
            not isinstance(name, str)
            or not isinstance(generation, int)
            or not isinstance(interface, str)
        ):
            return None
        found.append((name, generation, interface))
    return Record(tuple(found), value["hash"])
