"""MACs that a plane makes from addresses (`mac.source: FromIP`): a prefix of two bytes, then four.

An IPv4 address is the last four bytes: 10.0.0.5 with prefix 0a:6e is 0a:6e:0a:00:00:05. Of an IPv6
address they are the first four bytes of its SHA-256. An interface with both families has the MAC of
its IPv4 address. Invariant: the MAC is a locally administered unicast one (IEEE 802, clause 8.2).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from planes.model.addresses import IPAddress
from planes.model.errors import BadInput
from planes.model.mac import ETHERNET_BYTES, format_mac, parse_mac
from planes.model.names import shown
from planes.model.spec.spec_reader import SpecReader

DEFAULT_PREFIX: Final = bytes.fromhex("0a6e")
_PREFIX_BYTES: Final = 2
_GROUP, _LOCAL = 1, 2
"""Bits of the first byte: a multicast address, a locally administered one."""


class MacSource(StrEnum):
    """What chooses the MAC of an interface for which its pod asks for none."""

    RANDOM = "Random"
    FROM_IP = "FromIP"


@dataclass(frozen=True, slots=True)
class PlaneMacs:
    """The MACs of a plane.

    Attributes:
        prefix: the first two bytes of each.
    """

    prefix: bytes = DEFAULT_PREFIX

    def of(self, addresses: Iterable[IPAddress]) -> str:
        """Return the MAC of an interface with these addresses, "" without any."""
        chosen = min(addresses, key=lambda address: address.version, default=None)
        return "" if chosen is None else format_mac(self.of_address(chosen))

    def of_address(self, address: IPAddress) -> bytes:
        """Return the MAC of one address."""
        packed = address.packed
        if address.version == 6:
            packed = hashlib.sha256(packed).digest()[: ETHERNET_BYTES - _PREFIX_BYTES]
        return self.prefix + packed

    def has(self, mac: bytes) -> bool:
        """Report whether a MAC is one that may be made from an address."""
        return len(mac) == ETHERNET_BYTES and mac.startswith(self.prefix)


def read_plane_macs(mac: SpecReader) -> PlaneMacs | None:
    """Read `source` and `prefix`; None where the node's kernel chooses."""
    source = mac.choice("source", MacSource, MacSource.RANDOM)
    prefix = mac.parsed("prefix", _prefix)
    if source is MacSource.RANDOM:
        if mac.has("prefix"):
            mac.report(
                "prefix",
                "cannot give MACs a prefix that the node's kernel chooses",
                "set source to FromIP, or remove the prefix",
            )
        return None
    return PlaneMacs(prefix or DEFAULT_PREFIX)


def _prefix(text: str) -> bytes:
    """Read a prefix such as 0a:6e.

    Raises:
        BadInput: it is none, or MACs with it are not local unicast addresses.
    """
    remedy = "give two bytes such as 0a:6e"
    try:
        found = parse_mac(f"{text}:00:00:00:00")
    except BadInput:
        found = b""
    if len(found) != ETHERNET_BYTES:
        raise BadInput(f"cannot use {shown(text)} as the prefix of MACs", remedy=remedy)
    if found[0] & _GROUP or not found[0] & _LOCAL:
        raise BadInput(
            f"cannot use {shown(text)} as the prefix of MACs: they would be multicast addresses, "
            "or those of a manufacturer",
            remedy="give a first byte that ends with 2, 6, a or e, such as 0a:6e",
        )
    return found[:_PREFIX_BYTES]
