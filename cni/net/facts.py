"""Links, addresses and routes of a namespace, read for CHECK and diagnosis.

Layouts: `struct rtmsg` and `struct rtnexthop` of linux/rtnetlink.h. pyroute2 would take ten times
as long for routes, of which a pod may have very many.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cni.net.addresses import LinkAddress, get_addresses, get_routes, read_addresses
from cni.net.channel import Channel
from cni.net.links import Link, get_links, read_links
from cni.net.netlink import as_u32, attributes
from cni.net.rtnetlink import (
    NEXT_HOP,
    RTA_DST,
    RTA_GATEWAY,
    RTA_MULTIPATH,
    RTA_OIF,
    RTA_PRIORITY,
    RTA_TABLE,
    RTM_NEWROUTE,
    RTMSG,
)

_READ: Final = frozenset({RTA_DST, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_MULTIPATH, RTA_TABLE})
_NO_OCTETS: Final = {socket.AF_INET: bytes(4), socket.AF_INET6: bytes(16)}  # of a default route


@dataclass(frozen=True, slots=True)
class RouteFact:
    """A route as the kernel shows it.

    Attributes:
        dst: destination network, `0.0.0.0/0` or `::/0` for a default route.
        gateways: of the route, several where it has several next hops.
        device: index of the link, 0 where next hops have their own.
        kind: RTN_… number, 1 is unicast.
    """

    dst: str
    gateways: tuple[str, ...]
    device: int
    table: int
    priority: int
    scope: int
    protocol: int
    kind: int


@dataclass(frozen=True, slots=True)
class Facts:
    """Links, addresses and routes of one namespace."""

    links: tuple[Link, ...]
    addresses: tuple[LinkAddress, ...]
    routes: tuple[RouteFact, ...]

    def link(self, name: str) -> Link | None:
        """Return the link of that name."""
        return next((one for one in self.links if one.name == name), None)

    def addresses_of(self, link: Link) -> tuple[LinkAddress, ...]:
        """Return the addresses on a link."""
        return tuple(one for one in self.addresses if one.link == link.index)


def read_facts(channel: Channel) -> Facts:
    """Read everything.

    Raises:
        PlanesError: the kernel refuses.
    """
    routes = [
        _read_route(message.payload)
        for version in (4, 6)
        for message in channel.dump(get_routes(version))
        if message.kind == RTM_NEWROUTE
    ]
    return Facts(
        links=tuple(read_links(channel.dump(get_links()))),
        addresses=tuple(read_addresses(channel.dump(get_addresses()))),
        routes=tuple(routes),
    )


def _read_route(payload: memoryview) -> RouteFact:
    family, length, _src, _tos, table, protocol, scope, kind, _flags = RTMSG.unpack_from(payload)
    found = attributes(payload[RTMSG.size :], _READ)
    dst = socket.inet_ntop(family, found.get(RTA_DST, _NO_OCTETS[family]))
    ways = list(_hops(found[RTA_MULTIPATH])) if RTA_MULTIPATH in found else [found]
    return RouteFact(
        dst=f"{dst}/{length}",
        gateways=tuple(
            socket.inet_ntop(family, one[RTA_GATEWAY]) for one in ways if RTA_GATEWAY in one
        ),
        device=as_u32(found[RTA_OIF]) if RTA_OIF in found else 0,
        table=as_u32(found[RTA_TABLE]) if RTA_TABLE in found else table,
        priority=as_u32(found[RTA_PRIORITY]) if RTA_PRIORITY in found else 0,
        scope=scope,
        protocol=protocol,
        kind=kind,
    )


def _hops(hops: memoryview) -> Iterator[dict[int, memoryview]]:
    """Yield the attributes of each next hop."""
    at = 0
    while at + NEXT_HOP.size <= len(hops):
        size = NEXT_HOP.unpack_from(hops, at)[0]
        if size < NEXT_HOP.size:
            return
        yield attributes(hops[at + NEXT_HOP.size : at + size])
        at += (size + 3) & ~3
