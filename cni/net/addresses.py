"""Addresses and routes: the requests that add them, and addresses read back.

Written as the reference plugins' library writes them: IPv4 with its broadcast address, routes
with protocol boot and CREATE without EXCL, so that a second route to a destination is allowed.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_interface

from cni.net.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    Message,
    Request,
    as_u32,
    attribute,
    attributes,
    u32,
)
from planes.model.addresses import IPInterface
from planes.model.errors import BadInput
from planes.model.wire.result import Route

RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
RTM_NEWROUTE, RTM_GETROUTE = 24, 26

_IFADDR = struct.Struct("=BBBBI")
_RTMSG = struct.Struct("=BBBBBBBBI")
_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_BROADCAST = 4
_IFA_FLAGS = 8
_IFA_F_TENTATIVE = 0x40
_IFA_F_DADFAILED = 0x08
_RTA_DST = 1
_RTA_OIF = 4
_RTA_GATEWAY = 5
_RTA_PRIORITY = 6
_RTA_TABLE = 15
_RTPROT_BOOT = 3
_RTN_UNICAST = 1
_RT_TABLE_MAIN = 254
_MAX_U8 = 0xFF
_MAX_U32 = 0xFFFFFFFF
_MIN_BROADCAST_PREFIX = 31  # a /31 or /32 has no broadcast address (RFC 3021)


@dataclass(frozen=True, slots=True)
class LinkAddress:
    """An address on a link, with the state of duplicate address detection (RFC 4862 §5.4)."""

    link: int
    address: IPInterface
    scope: int
    is_tentative: bool = False
    is_duplicate: bool = False


def _family(version: int) -> int:
    return socket.AF_INET if version == 4 else socket.AF_INET6


@dataclass(frozen=True, slots=True)
class _Packed:
    """Address and prefix length of "a/b"; `ipaddress` would take ten times as long to read it."""

    family: int
    octets: bytes
    prefix: int

    @classmethod
    def of(cls, text: str) -> _Packed:
        head, _, tail = text.partition("/")
        family = socket.AF_INET6 if ":" in head else socket.AF_INET
        try:
            packed = cls(family, socket.inet_pton(family, head), int(tail or -1))
        except (OSError, ValueError) as error:
            raise BadInput(f"cannot use {text!r} as an address with prefix length") from error
        if not 0 <= packed.prefix <= 8 * len(packed.octets):
            raise BadInput(f"cannot use {text!r} as an address with prefix length")
        return packed

    @property
    def broadcast(self) -> bytes:
        """The highest address of the network."""
        width = 8 * len(self.octets)
        low = (1 << (width - self.prefix)) - 1
        return (int.from_bytes(self.octets) | low).to_bytes(len(self.octets))


def _address_body(index: int, address: _Packed) -> bytes:
    body = _IFADDR.pack(address.family, address.prefix, 0, 0, index)
    return body + attribute(_IFA_LOCAL, address.octets) + attribute(_IFA_ADDRESS, address.octets)


def add_address(index: int, ifname: str, address: str) -> Request:
    """Add an address "a/b"; one that is there already is refused.

    Raises:
        BadInput: it is no address with prefix length.
    """
    packed = _Packed.of(address)
    body = _address_body(index, packed)
    if packed.family == socket.AF_INET and packed.prefix < _MIN_BROADCAST_PREFIX:
        body += attribute(_IFA_BROADCAST, packed.broadcast)
    flags = NLM_F_CREATE | NLM_F_EXCL
    return Request(RTM_NEWADDR, flags, body, f"add address {address} to {ifname}")


def delete_address(index: int, ifname: str, address: str) -> Request:
    """Remove an address "a/b".

    Raises:
        BadInput: it is no address with prefix length.
    """
    body = _address_body(index, _Packed.of(address))
    return Request(RTM_DELADDR, 0, body, f"remove address {address} from {ifname}")


def get_addresses(index: int = 0, version: int = 0) -> Request:
    """Ask for the addresses of a link (0: of all); for `Channel.dump`."""
    family = _family(version) if version else socket.AF_UNSPEC
    return Request(RTM_GETADDR, 0, _IFADDR.pack(family, 0, 0, 0, index), "list addresses")


def read_addresses(found: Iterable[Message], index: int = 0) -> list[LinkAddress]:
    """Read answers to `get_addresses`; of one link where an index is given."""
    read = [_read_address(message) for message in found if message.kind == RTM_NEWADDR]
    return [one for one in read if not index or one.link == index]


def _read_address(message: Message) -> LinkAddress:
    _, prefix, flags, scope, link = _IFADDR.unpack_from(message.payload)
    found = attributes(message.payload[_IFADDR.size :])
    if _IFA_FLAGS in found:
        flags = as_u32(found[_IFA_FLAGS])
    packed = bytes(found[_IFA_LOCAL] if _IFA_LOCAL in found else found[_IFA_ADDRESS])
    return LinkAddress(
        link,
        ip_interface((packed, prefix)),
        scope,
        is_tentative=bool(flags & _IFA_F_TENTATIVE),
        is_duplicate=bool(flags & _IFA_F_DADFAILED),
    )


def add_route(index: int, ifname: str, route: Route, gateway: str) -> Request:
    """Add a route through a link; without a gateway the destination is on the link itself.

    Host bits of the destination go out as written: the kernel refuses them, as it does for the
    reference plugins.

    Raises:
        BadInput: the destination or the gateway is no address, or a number is out of bounds.
    """
    target = _Packed.of(route.dst)
    _check_numbers(route)
    table = route.table or _RT_TABLE_MAIN
    body = _RTMSG.pack(
        target.family,
        target.prefix,
        0,
        0,
        table if table < 256 else 0,
        _RTPROT_BOOT,
        route.scope or 0,
        _RTN_UNICAST,
        0,
    )
    body += attribute(_RTA_DST, target.octets) + u32(_RTA_OIF, index)
    way = f"on {ifname}"
    if gateway:
        via = _Packed.of(f"{gateway}/0")
        body += attribute(_RTA_GATEWAY, via.octets)
        way = f"via {gateway} on {ifname}"
    if route.priority:
        body += u32(_RTA_PRIORITY, route.priority)
    if table >= 256:
        body += u32(_RTA_TABLE, table)
    return Request(RTM_NEWROUTE, NLM_F_CREATE, body, f"add route to {route.dst} {way}")


def _check_numbers(route: Route) -> None:
    for name, value, last in (
        ("priority", route.priority, _MAX_U32),
        ("table", route.table or 0, _MAX_U32),
        ("scope", route.scope or 0, _MAX_U8),
    ):
        if not 0 <= value <= last:
            raise BadInput(
                f"cannot add route to {route.dst}: {name} {value} is not from 0 to {last}"
            )


def get_routes(version: int) -> Request:
    """Ask for the routes of a family; for `Channel.dump`."""
    body = _RTMSG.pack(_family(version), 0, 0, 0, 0, 0, 0, 0, 0)
    return Request(RTM_GETROUTE, 0, body, "list routes")


def default_device(found: Iterable[Message]) -> int:
    """Index of the device of the first default route in the main table, 0 without one."""
    for message in found:
        prefix, table = message.payload[1], message.payload[4]
        if message.kind == RTM_NEWROUTE and prefix == 0 and table == _RT_TABLE_MAIN:
            out = attributes(message.payload[_RTMSG.size :]).get(_RTA_OIF)
            if out is not None:
                return as_u32(out)
    return 0
