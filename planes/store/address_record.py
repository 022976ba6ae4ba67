"""The record of an attachment's addresses of a plane: the names of its file, and its content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import orjson

from planes.model.addresses import IPAddress, parse_address
from planes.model.errors import BadInput
from planes.run.files import read_regular, replace
from planes.store.protocol import AddressOwner

COOLING: Final = "cooling-"
OWNER: Final = "owner-"
FIELDS: Final = ("interface", "namespace", "pod", "uid", "node")
_BEGINNINGS: Final = frozenset("0123456789abcdefABCDEF:")
_LARGEST: Final = 256 << 10  # container IDs and names of any length that a call may have


def owner_name(container_id: str, interface: str) -> str:
    """Return the name of an attachment's record."""
    text = f"{container_id}\n{interface}".encode(errors="surrogatepass")
    return f"{OWNER}{hashlib.sha256(text).hexdigest()[:40]}"


def address_of(name: str) -> IPAddress | None:
    """Return the address that a file is named after; None for any other name."""
    if (
        name[:1] not in _BEGINNINGS
    ):  # half of a directory: an error for each costs more than all else
        return None
    try:
        return parse_address(name)
    except BadInput:
        return None


def read_record(path: str | Path) -> dict[str, Any]:
    """Read a record; empty where it is torn or no regular file."""
    try:
        record = orjson.loads(read_regular(path, _LARGEST))
    except (OSError, orjson.JSONDecodeError):
        return {}
    return record if isinstance(record, dict) else {}


def owner_in(record: Mapping[str, Any]) -> AddressOwner:
    """Return the owner of a record; without names where it is torn."""
    values = {name: str(record.get(name) or "") for name in FIELDS}
    return AddressOwner(container_id=str(record.get("containerID") or ""), **values)


def cool(directory: Path, name: str, cooldown: object, now: float) -> None:
    """Mark an address as cooling down, for the cooldown of its record."""
    if isinstance(cooldown, (int, float)) and cooldown > 0:
        replace(directory / f"{COOLING}{name}", str(now + cooldown).encode(), is_durable=False)
