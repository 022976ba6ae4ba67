"""What a device of the host had before it was moved into a sandbox, and how it gets that back.

Addresses and routes are kept as the kernel showed them and sent back as they were, so that nothing
the kernel keeps of them is lost: flags, lifetimes, labels, metrics. Invariant: bounded; a device
with more addresses or routes than `MOST` gets back the first ones.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cni.net.addresses import get_addresses, get_routes
from cni.net.channel import Channel
from cni.net.device_links import DeviceLink
from cni.net.netlink import (
    NLM_F_CREATE,
    NetlinkRequest,
    as_u32,
    attribute,
    attributes,
    each_attribute,
    u32,
)
from cni.net.rtnetlink import (
    IFA_FLAGS,
    IFADDRMSG,
    RT_SCOPE_LINK,
    RTA_MULTIPATH,
    RTA_OIF,
    RTM_NEWADDR,
    RTM_NEWROUTE,
    RTMSG,
)
from planes.model.errors import PlanesError

_log = logging.getLogger(__name__)

MOST: Final = 64
_IFA_F_TEMPORARY: Final = 0x01
"""A privacy address (RFC 8981), which the kernel makes itself; on IPv4 a secondary address, which
is no reason to skip it."""
_AF_INET6: Final = 10
_SENT_BACK: Final = frozenset({1, 2, 5, 6, 7, 8, 15, 18, 20})
"""RTA_ DST, SRC, GATEWAY, PRIORITY, PREFSRC, METRICS, TABLE, VIA, PREF."""
_NOT_OURS: Final = frozenset({2, 9})
"""RTPROT_KERNEL follows the addresses, RTPROT_RA the router's messages."""


@dataclass(frozen=True, slots=True)
class FoundState:
    """Name, MAC, MTU, state, addresses and routes of a device, as found on the host.

    Attributes:
        name: on the host.
        master: name of the bridge or bond that it was a port of, "" without.
        addresses: payloads of RTM_NEWADDR, in hexadecimal digits.
        routes: payloads of RTM_NEWROUTE, in hexadecimal digits.
    """

    name: str
    mac: str = ""
    mtu: int = 0
    is_up: bool = False
    alias: str = ""
    master: str = ""
    addresses: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()


def read_state(host: Channel, link: DeviceLink, master: str = "") -> FoundState:
    """Read what a device of the host has.

    Args:
        host: the socket in the host's namespace.
        link: the device.
        master: name of the bridge or bond that it is a port of.

    Raises:
        PlanesError: the kernel refuses.
    """
    return FoundState(
        link.name,
        link.mac,
        link.mtu,
        link.is_up,
        link.alias,
        master,
        tuple(_addresses(host, link))[:MOST],
        tuple(_routes(host, link))[:MOST],
    )


def _addresses(host: Channel, link: DeviceLink) -> Iterator[str]:
    for message in host.dump(get_addresses(link.index)):
        if message.kind != RTM_NEWADDR:
            continue
        family, _prefix, flags, scope, index = IFADDRMSG.unpack_from(message.payload)
        if index != link.index:
            continue
        found = attributes(message.payload[IFADDRMSG.size :], {IFA_FLAGS})
        flags = as_u32(found[IFA_FLAGS]) if found else flags
        if family == _AF_INET6 and (scope == RT_SCOPE_LINK or flags & _IFA_F_TEMPORARY):
            continue  # the kernel makes them anew when the link is up
        yield bytes(message.payload).hex()


def _routes(host: Channel, link: DeviceLink) -> Iterator[str]:
    for version in (4, 6):
        for message in host.dump(get_routes(version)):
            if message.kind != RTM_NEWROUTE:
                continue
            _f, _d, _s, _t, _table, protocol, _scope, kind, _flags = RTMSG.unpack_from(
                message.payload
            )
            found = attributes(message.payload[RTMSG.size :], {RTA_OIF, RTA_MULTIPATH})
            out = as_u32(found[RTA_OIF]) if RTA_OIF in found else 0
            is_simple = kind == 1 and protocol not in _NOT_OURS and RTA_MULTIPATH not in found
            if out == link.index and is_simple:
                yield bytes(message.payload).hex()


def give_back_network(host: Channel, link: DeviceLink, found: FoundState) -> None:
    """Add the addresses and routes that a device had; one that is refused is logged and left out.

    Args:
        host: the socket in the host's namespace.
        link: the device, on the host again; up where it was up.
        found: what it had.
    """
    requests = [_address(link, bytes.fromhex(one)) for one in found.addresses]
    # Routes through a gateway need the routes that lead to it.
    routes = [bytes.fromhex(one) for one in found.routes] if found.is_up else []
    requests += [_route(link, one) for one in sorted(routes, key=_has_gateway)]
    for request in requests:
        try:
            host.batch([request])
        except PlanesError as error:
            facts = {"device": link.name, "error": str(error)}
            _log.warning("cannot give back all that a device had", extra=facts)


def _has_gateway(payload: bytes) -> bool:
    return not attributes(memoryview(payload)[RTMSG.size :]).keys().isdisjoint({5, 18})


def _address(link: DeviceLink, payload: bytes) -> NetlinkRequest:
    family, prefix, flags, scope, _index = IFADDRMSG.unpack_from(payload)
    body = IFADDRMSG.pack(family, prefix, flags, scope, link.index) + payload[IFADDRMSG.size :]
    action = f"give back an address of {link.name}"
    return NetlinkRequest(RTM_NEWADDR, NLM_F_CREATE, body, action)


def _route(link: DeviceLink, payload: bytes) -> NetlinkRequest:
    kept = b"".join(
        attribute(kind, bytes(value))
        for kind, value in each_attribute(memoryview(payload)[RTMSG.size :])
        if kind in _SENT_BACK
    )
    head = bytearray(payload[: RTMSG.size])
    head[8:12] = bytes(4)  # flags: the kernel's own, such as RTNH_F_LINKDOWN
    action = f"give back a route through {link.name}"
    return NetlinkRequest(
        RTM_NEWROUTE, NLM_F_CREATE, bytes(head) + kept + u32(RTA_OIF, link.index), action
    )
