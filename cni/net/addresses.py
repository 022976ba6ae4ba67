"""The requests that add and list addresses and routes, and their answers.

As the reference plugins' library makes them: IPv4 with its broadcast address, routes with protocol
boot and CREATE without EXCL, so that a second route to a destination is allowed.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_interface

from cni.net.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    Message,
    NetlinkRequest,
    as_u32,
    attribute,
    attributes,
    u32,
)
from cni.net.rtnetlink import (
    IFA_FLAGS,
    IFADDRMSG,
    RT_TABLE_MAIN,
    RTA_DST,
    RTA_GATEWAY,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_PRIORITY,
    RTA_TABLE,
    RTM_DELADDR,
    RTM_DELROUTE,
    RTM_GETADDR,
    RTM_GETROUTE,
    RTM_NEWADDR,
    RTM_NEWROUTE,
    RTMSG,
    RTN_UNICAST,
    RTPROT_BOOT,
)
from planes.model.addresses import IPInterface
from planes.model.errors import BadInput
from planes.model.wire.result import Route

_IFA_ADDRESS = 1
_IFA_LOCAL = 2
_IFA_BROADCAST = 4
_IFA_F_TENTATIVE = 0x40
_IFA_F_DADFAILED = 0x08
_RT_SCOPE_NOWHERE = 255
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
        """Return the highest address of the network."""
        width = 8 * len(self.octets)
        low = (1 << (width - self.prefix)) - 1
        return (int.from_bytes(self.octets) | low).to_bytes(len(self.octets))


def _address_body(index: int, address: _Packed) -> bytes:
    body = IFADDRMSG.pack(address.family, address.prefix, 0, 0, index)
    return body + attribute(_IFA_LOCAL, address.octets) + attribute(_IFA_ADDRESS, address.octets)


def add_address(index: int, ifname: str, address: str) -> NetlinkRequest:
    """Add an address "a/b"; the kernel refuses one that is there already.

    Raises:
        BadInput: it is no address with prefix length.
    """
    packed = _Packed.of(address)
    body = _address_body(index, packed)
    if packed.family == socket.AF_INET and packed.prefix < _MIN_BROADCAST_PREFIX:
        body += attribute(_IFA_BROADCAST, packed.broadcast)
    flags = NLM_F_CREATE | NLM_F_EXCL
    return NetlinkRequest(RTM_NEWADDR, flags, body, f"add address {address} to {ifname}")


def delete_address(index: int, ifname: str, address: str) -> NetlinkRequest:
    """Remove an address "a/b".

    Raises:
        BadInput: it is no address with prefix length.
    """
    body = _address_body(index, _Packed.of(address))
    return NetlinkRequest(RTM_DELADDR, 0, body, f"remove address {address} from {ifname}")


def get_addresses(index: int = 0, version: int = 0) -> NetlinkRequest:
    """Ask for the addresses of a link (0: of all); for `Channel.dump`."""
    family = _family(version) if version else socket.AF_UNSPEC
    return NetlinkRequest(RTM_GETADDR, 0, IFADDRMSG.pack(family, 0, 0, 0, index), "list addresses")


def read_addresses(found: Iterable[Message], index: int = 0) -> list[LinkAddress]:
    """Read answers to `get_addresses`; of one link where an index is given."""
    read = [_read_address(message) for message in found if message.kind == RTM_NEWADDR]
    return [one for one in read if not index or one.link == index]


def _read_address(message: Message) -> LinkAddress:
    _, prefix, flags, scope, link = IFADDRMSG.unpack_from(message.payload)
    found = attributes(message.payload[IFADDRMSG.size :])
    if IFA_FLAGS in found:
        flags = as_u32(found[IFA_FLAGS])
    packed = bytes(found[_IFA_LOCAL] if _IFA_LOCAL in found else found[_IFA_ADDRESS])
    return LinkAddress(
        link,
        ip_interface((packed, prefix)),
        scope,
        is_tentative=bool(flags & _IFA_F_TENTATIVE),
        is_duplicate=bool(flags & _IFA_F_DADFAILED),
    )


def add_route(
    index: int, ifname: str, route: Route, gateway: str, *, source: str = ""
) -> NetlinkRequest:
    """Add a route through a link; without a gateway the destination is on the link itself.

    Host bits of the destination are sent as written: the kernel refuses them, as it does for the
    reference plugins.

    Args:
        index: of the link.
        ifname: its name, for the error.
        route: destination, priority, table and scope.
        gateway: "" for none.
        source: the address that packets leave with, "" for the kernel's choice.

    Raises:
        BadInput: the destination or the gateway is no address, or a number is out of bounds.
    """
    target = _Packed.of(route.dst)
    _check_numbers(route)
    table = route.table or RT_TABLE_MAIN
    body = RTMSG.pack(
        target.family,
        target.prefix,
        0,
        0,
        table if table < 256 else 0,
        RTPROT_BOOT,
        route.scope or 0,
        RTN_UNICAST,
        0,
    )
    body += attribute(RTA_DST, target.octets) + u32(RTA_OIF, index)
    way = f"on {ifname}"
    if gateway:
        via = _Packed.of(f"{gateway}/0")
        body += attribute(RTA_GATEWAY, via.octets)
        way = f"via {gateway} on {ifname}"
    if source:
        body += attribute(RTA_PREFSRC, _Packed.of(f"{source}/0").octets)
    if route.priority:
        body += u32(RTA_PRIORITY, route.priority)
    if table >= 256:
        body += u32(RTA_TABLE, table)
    return NetlinkRequest(RTM_NEWROUTE, NLM_F_CREATE, body, f"add route to {route.dst} {way}")


def delete_network_route(index: int, ifname: str, network: str) -> NetlinkRequest:
    """Remove the route "a/b" through a link, of any scope and protocol; a missing one is fine.

    Raises:
        BadInput: it is no network with prefix length.
    """
    target = _Packed.of(network)
    head = target.family, target.prefix, 0, 0, RT_TABLE_MAIN, 0, _RT_SCOPE_NOWHERE, 0, 0
    body = RTMSG.pack(*head) + attribute(RTA_DST, target.octets) + u32(RTA_OIF, index)
    action = f"remove route to {network} on {ifname}"
    return NetlinkRequest(RTM_DELROUTE, 0, body, action, frozenset({errno.ESRCH}))


def _check_numbers(route: Route) -> None:
    for name, value, last in (
        ("priority", route.priority, _MAX_U32),
        ("table", route.table or 0, _MAX_U32),
        ("scope", route.scope or 0, _MAX_U8),
    ):
        if not 0 <= value <= last:
            raise BadInput(
                f"cannot add route to {route.dst}: {name} {value} is not from 0 to {last}",
                remedy="correct it in ipam.routes of the network's configuration",
            )


def get_routes(version: int) -> NetlinkRequest:
    """Ask for the routes of a family; for `Channel.dump`."""
    body = RTMSG.pack(_family(version), 0, 0, 0, 0, 0, 0, 0, 0)
    return NetlinkRequest(RTM_GETROUTE, 0, body, "list routes")


def default_device(found: Iterable[Message]) -> int:
    """Return the device index of the first default route in the main table; 0 without one."""
    for message in found:
        prefix, table = message.payload[1], message.payload[4]
        if message.kind == RTM_NEWROUTE and prefix == 0 and table == RT_TABLE_MAIN:
            out = attributes(message.payload[RTMSG.size :]).get(RTA_OIF)
            if out is not None:
                return as_u32(out)
    return 0
