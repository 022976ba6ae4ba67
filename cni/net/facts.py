"""What is in a namespace, read back as values: for CHECK, diagnosis and tests.

Routes are parsed by pyroute2, imported when first needed: it costs 23 MiB and is not on the path
of ADD and DEL.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address

from cni.net.addresses import (
    RTM_NEWROUTE,
    LinkAddress,
    get_addresses,
    get_routes,
    read_addresses,
)
from cni.net.channel import Channel
from cni.net.links import Link, get_links, read_links
from cni.net.netlink import HEADER, NLM_F_MULTI, Message


@dataclass(frozen=True, slots=True)
class RouteFact:
    """A route as the kernel tells it.

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
        """The link of that name."""
        return next((one for one in self.links if one.name == name), None)

    def addresses_of(self, link: Link) -> tuple[LinkAddress, ...]:
        """The addresses on a link."""
        return tuple(one for one in self.addresses if one.link == link.index)


def read_facts(channel: Channel) -> Facts:
    """Read everything.

    Raises:
        PlanesError: the kernel refuses.
    """
    routes = [
        _read_route(message)
        for version in (4, 6)
        for message in channel.dump(get_routes(version))
        if message.kind == RTM_NEWROUTE
    ]
    return Facts(
        links=tuple(read_links(channel.dump(get_links()))),
        addresses=tuple(read_addresses(channel.dump(get_addresses()))),
        routes=tuple(routes),
    )


def _read_route(message: Message) -> RouteFact:
    from pyroute2.netlink.rtnl.rtmsg import rtmsg  # noqa: PLC0415 - costs 23 MiB, see above

    head = len(message.payload) + 16, message.kind, NLM_F_MULTI, message.sequence, 0
    route = rtmsg(HEADER.pack(*head) + bytes(message.payload))
    route.decode()
    is_v4 = route["family"] == socket.AF_INET
    dst = route.get_attr("RTA_DST") or str(IPv4Address(0) if is_v4 else IPv6Address(0))
    hops = route.get_attr("RTA_MULTIPATH") or ()
    gateways = [hop.get_attr("RTA_GATEWAY") for hop in hops] or [route.get_attr("RTA_GATEWAY")]
    return RouteFact(
        dst=f"{dst}/{route['dst_len']}",
        gateways=tuple(gateway for gateway in gateways if gateway),
        device=route.get_attr("RTA_OIF") or 0,
        table=route.get_attr("RTA_TABLE") or route["table"],
        priority=route.get_attr("RTA_PRIORITY") or 0,
        scope=route["scope"],
        protocol=route["proto"],
        kind=route["type"],
    )
