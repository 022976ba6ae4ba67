"""Hardware addresses, in the spellings of Go's net.ParseMAC, as in Multus."""

from __future__ import annotations

import re

from planes.model.errors import BadInput
from planes.model.names import shown

_PAIRS = re.compile(r"[0-9a-fA-F]{2}(?:([:-])[0-9a-fA-F]{2})(?:\1[0-9a-fA-F]{2})*")
_DOTTED = re.compile(r"[0-9a-fA-F]{4}(?:\.[0-9a-fA-F]{4})+")
_LENGTHS = (6, 8, 20)
ETHERNET_BYTES = 6


def parse_mac(text: str) -> bytes:
    """Read a hardware address of 6 (Ethernet), 8 (EUI-64, InfiniBand GUID) or 20 bytes.

    Raises:
        BadInput: it is none.
    """
    if len(text) <= 64 and (_PAIRS.fullmatch(text) or _DOTTED.fullmatch(text)):
        found = bytes.fromhex(re.sub(r"[:.-]", "", text))
        if len(found) in _LENGTHS:
            return found
    raise BadInput(
        f"cannot read {shown(text)} as a hardware address",
        remedy="write it like 02:00:00:00:00:11",
    )


def format_mac(address: bytes) -> str:
    """Return a hardware address as the kernel writes it, lower-case pairs with colons."""
    return address.hex(":")


def why_unusable(address: bytes) -> str:
    """Return why an interface cannot have this Ethernet address; "" where it can."""
    if len(address) != ETHERNET_BYTES:
        return ""
    if not any(address):
        return "it is all zeros"
    return "it is a multicast address" if address[0] & 1 else ""
