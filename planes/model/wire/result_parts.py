"""The parts of a CNI result: interfaces, addresses, routes.

Each address has one spelling (`fd00::5/64`), IPv4-mapped ones that of IPv4, and keeps its host
bits. Wrong types and invalid addresses raise `BadInput` with code 6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from planes.model.addresses import parse_address
from planes.model.decode import Fields
from planes.model.errors import BadInput, JsonObject

# Addresses that have their one spelling already, where a pattern can match that: IPv4, and IPv6
# whose only zero groups are those of "::". It saves most of the time of parsing.
_OCTET: Final = r"(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_GROUP: Final = r"[1-9a-f][0-9a-f]{0,3}"
_SPELLED: Final = re.compile(
    rf"{_OCTET}(?:\.{_OCTET}){{3}}"
    rf"|(?!::ffff:)(?=[0-9a-f]*(?::[0-9a-f]*){{2,6}}$)(?:{_GROUP}(?::{_GROUP})*)?"
    rf"::(?:{_GROUP}(?::{_GROUP})*)?"
)


@dataclass(frozen=True, slots=True)
class Interface:
    """A link that the ADD made or used; `sandbox` is its namespace's path, "" on the host."""

    name: str
    mac: str = ""
    mtu: int = 0
    sandbox: str = ""
    socket_path: str = ""
    pci_id: str = ""

    def to_json(self, *, canonical: bool = True) -> JsonObject:
        """Return the JSON form; before 1.0.0 it has name, mac and sandbox only."""
        obj: JsonObject = {"name": self.name}
        if self.mac:
            obj["mac"] = self.mac
        if self.mtu and canonical:
            obj["mtu"] = self.mtu
        if self.sandbox:
            obj["sandbox"] = self.sandbox
        if self.socket_path and canonical:
            obj["socketPath"] = self.socket_path
        if self.pci_id and canonical:
            obj["pciID"] = self.pci_id
        return obj


@dataclass(frozen=True, slots=True)
class Address:
    """An address with prefix length; `interface` indexes the result's interfaces."""

    address: str
    gateway: str = ""
    interface: int | None = None

    @property
    def ip(self) -> str:
        """The bare address."""
        return self.address.partition("/")[0]

    @property
    def family(self) -> int:
        """4 or 6."""
        return _family_of(self.address)

    def to_json(self, *, canonical: bool = True) -> JsonObject:
        """Return the JSON form; before 1.0.0 it has the address family."""
        obj: JsonObject = {} if canonical else {"version": str(self.family)}
        if self.interface is not None:
            obj["interface"] = self.interface
        obj["address"] = self.address
        if self.gateway:
            obj["gateway"] = self.gateway
        return obj


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the sandbox; with `gw` "" it has the gateway of the family's first address."""

    dst: str
    gw: str = ""
    mtu: int = 0
    advmss: int = 0
    priority: int = 0
    table: int | None = None
    scope: int | None = None

    @property
    def family(self) -> int:
        """4 or 6."""
        return _family_of(self.dst)

    @property
    def is_default(self) -> bool:
        """Whether its destination is 0.0.0.0/0 or ::/0."""
        return self.dst in {"0.0.0.0/0", "::/0"}

    def to_json(self) -> JsonObject:
        """Return the JSON form."""
        obj: JsonObject = {"dst": self.dst}
        if self.gw:
            obj["gw"] = self.gw
        if self.mtu:
            obj["mtu"] = self.mtu
        if self.advmss:
            obj["advmss"] = self.advmss
        if self.priority:
            obj["priority"] = self.priority
        if self.table is not None:
            obj["table"] = self.table
        if self.scope is not None:
            obj["scope"] = self.scope
        return obj


def parse_interface(fields: Fields, *, canonical: bool) -> Interface:
    """Read an interface; before 1.0.0 it has name, mac and sandbox only."""
    name, mac, sandbox = fields.string("name"), fields.string("mac"), fields.string("sandbox")
    if not canonical:
        return Interface(name, mac, sandbox=sandbox)
    socket_path, pci_id = fields.string("socketPath"), fields.string("pciID")
    return Interface(name, mac, fields.integer("mtu"), sandbox, socket_path, pci_id)


def parse_ip(fields: Fields, key: str = "address") -> Address:
    """Read an address from the member `key`."""
    address, gateway = _cidr(fields, key), _address(fields, "gateway")
    return Address(address, gateway, fields.optional_integer("interface"))


def parse_route(fields: Fields) -> Route:
    """Read a route."""
    return Route(
        dst=_cidr(fields, "dst"),
        gw=_address(fields, "gw"),
        mtu=fields.integer("mtu"),
        advmss=fields.integer("advmss"),
        priority=fields.integer("priority"),
        table=fields.optional_integer("table"),
        scope=fields.optional_integer("scope"),
    )


def _address(fields: Fields, key: str) -> str:
    text = fields.string(key)
    if not text or _SPELLED.fullmatch(text):
        return text
    try:
        return str(parse_address(text))
    except BadInput as error:
        raise fields.bad(key, "must be an IP address") from error


def _cidr(fields: Fields, key: str) -> str:
    head, _, tail = fields.string(key).partition("/")
    if not (tail.isascii() and tail.isdigit() and len(tail) <= 3):
        raise fields.bad(key, "must be an address with prefix length")
    address, length = head, int(tail)
    if not _SPELLED.fullmatch(head):
        try:
            address = str(parse_address(head))
        except BadInput as error:
            raise fields.bad(key, "must be an address with prefix length") from error
    if ":" in head and ":" not in address:
        length -= 96  # IPv4-mapped
    if not 0 <= length <= (128 if ":" in address else 32):
        raise fields.bad(key, "must be an address with prefix length")
    return f"{address}/{length}"


def _family_of(text: str) -> int:
    return 6 if ":" in text else 4
