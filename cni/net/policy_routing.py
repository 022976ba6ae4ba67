"""Policy rules by source address, and routes moved between tables.

Rules carry no priority, as the reference plugins' do: the kernel chooses one before those there.
Layouts: linux/fib_rules.h, linux/rtnetlink.h.
"""

from __future__ import annotations

import errno
import socket
import struct
from dataclasses import dataclass, replace
from ipaddress import ip_address

from cni.net.addresses import add_route, get_routes
from cni.net.channel import Channel
from cni.net.netlink import (
    NLM_F_CREATE,
    NLM_F_EXCL,
    NetlinkRequest,
    as_u32,
    attribute,
    attributes,
    each_attribute,
    u32,
)
from cni.net.rtnetlink import (
    RT_SCOPE_LINK,
    RT_TABLE_MAIN,
    RTA_CACHEINFO,
    RTA_DST,
    RTA_EXPIRES,
    RTA_GATEWAY,
    RTA_OIF,
    RTA_PREFSRC,
    RTA_TABLE,
    RTM_DELROUTE,
    RTM_F_CLONED,
    RTM_NEWROUTE,
    RTMSG,
    RTN_UNICAST,
    RTPROT_BOOT,
)
from planes.model.addresses import IPAddress, IPInterface
from planes.model.wire.result import Route

RTM_NEWRULE, RTM_DELRULE, RTM_GETRULE = 32, 33, 34
_NLM_F_REPLACE = 0x100
_RULE = struct.Struct("=BBBBBBBBI")  # struct fib_rule_hdr
_FRA_SRC = 2
_FRA_TABLE = 15
_FR_ACT_TO_TBL = 1
_GONE = frozenset({errno.ENOENT, errno.ESRCH})


@dataclass(frozen=True, slots=True)
class SourceRule:
    """A rule that has packets from one address looked up in a table.

    Attributes:
        payload: the kernel's message, which names exactly this rule.
    """

    source: IPAddress
    table: int
    payload: bytes = b""


@dataclass(frozen=True, slots=True)
class LinkRoute:
    """A route through one link.

    Attributes:
        gateway: None for a destination on the link itself.
        source: the preferred source address, None without.
        payload: the kernel's message, which names exactly this route.
    """

    table: int
    scope: int
    gateway: IPAddress | None
    source: IPAddress | None
    is_default: bool
    payload: bytes

    @property
    def is_on_link(self) -> bool:
        """Report whether the destination is on the link itself (scope link, IPv4 only)."""
        return self.scope == RT_SCOPE_LINK


def read_rules(channel: Channel) -> tuple[list[SourceRule], set[int]]:
    """Return the rules from single addresses, and the tables of all rules.

    Raises:
        PlanesError: the kernel refuses.
    """
    rules: list[SourceRule] = []
    tables: set[int] = set()
    for family, bits in ((socket.AF_INET, 32), (socket.AF_INET6, 128)):
        body = _RULE.pack(family, 0, 0, 0, 0, 0, 0, 0, 0)
        for message in channel.dump(NetlinkRequest(RTM_GETRULE, 0, body, "list routing rules")):
            if message.kind != RTM_NEWRULE:
                continue
            _family, _dst, length, _tos, table, *_rest = _RULE.unpack_from(message.payload)
            found = attributes(message.payload[_RULE.size :])
            table = as_u32(found[_FRA_TABLE]) if _FRA_TABLE in found else table
            tables.add(table)
            if length == bits and _FRA_SRC in found:
                source = ip_address(bytes(found[_FRA_SRC]))
                rules.append(SourceRule(source, table, bytes(message.payload)))
    return rules, tables


def add_rule(source: IPAddress, table: int) -> NetlinkRequest:
    """Have packets from an address looked up in a table."""
    family, packed = _packed(source)
    short = table if table < 256 else 0
    body = _RULE.pack(family, 0, 8 * len(packed), 0, short, 0, 0, _FR_ACT_TO_TBL, 0)
    body += attribute(_FRA_SRC, packed)
    if table >= 256:
        body += u32(_FRA_TABLE, table)
    action = f"add a rule from {source} to table {table}"
    return NetlinkRequest(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, body, action)


def delete_rule(rule: SourceRule) -> NetlinkRequest:
    """Remove a rule that `read_rules` returned; a missing one is fine."""
    action = f"remove the rule from {rule.source} to table {rule.table}"
    return NetlinkRequest(RTM_DELRULE, 0, rule.payload, action, _GONE)


def read_link_routes(channel: Channel, index: int) -> list[LinkRoute]:
    """Return the routes of all tables through a link; not those with several next hops.

    Raises:
        PlanesError: the kernel refuses.
    """
    found = []
    for version in (4, 6):
        for message in channel.dump(get_routes(version)):
            if message.kind != RTM_NEWROUTE:
                continue
            route, device = _read_route(bytes(message.payload))
            if device == index:
                found.append(route)
    return found


def _read_route(payload: bytes) -> tuple[LinkRoute, int]:
    _family, length, _src, _tos, table, _proto, scope, _type, flags = RTMSG.unpack_from(payload)
    found = attributes(memoryview(payload)[RTMSG.size :])
    route = LinkRoute(
        table=as_u32(found[RTA_TABLE]) if RTA_TABLE in found else table,
        scope=scope,
        gateway=_address(found.get(RTA_GATEWAY)),
        source=_address(found.get(RTA_PREFSRC)),
        is_default=length == 0,
        payload=payload,
    )
    is_real = not flags & RTM_F_CLONED and RTA_OIF in found
    return route, as_u32(found[RTA_OIF]) if is_real else 0


def add_default_route(index: int, ifname: str, gateway: IPAddress, table: int) -> NetlinkRequest:
    """Add a default route to a table, which has none."""
    dst = "0.0.0.0/0" if gateway.version == 4 else "::/0"
    made = add_route(index, ifname, Route(dst, str(gateway), table=table), str(gateway))
    return replace(made, flags=NLM_F_CREATE | NLM_F_EXCL)


def copy_route(route: LinkRoute, table: int) -> NetlinkRequest:
    """Add a route to another table, in place of one to the same destination there."""
    return _again(route, table, f"copy a route to table {table}", _NLM_F_REPLACE)


def restore_route(route: LinkRoute) -> NetlinkRequest:
    """Add a route again, in place of one to the same destination; a missing link is fine."""
    made = _again(route, route.table, "restore a route", _NLM_F_REPLACE)
    return replace(made, tolerate=frozenset({errno.ENODEV, errno.ENETDOWN}))


def _again(route: LinkRoute, table: int, action: str, flags: int) -> NetlinkRequest:
    head = list(RTMSG.unpack_from(route.payload))
    # Flags such as "offloaded" are the kernel's to set.
    head[4], head[8] = table if table < 256 else 0, 0
    body = RTMSG.pack(*head)
    for kind, payload in each_attribute(memoryview(route.payload)[RTMSG.size :]):
        if kind not in {RTA_TABLE, RTA_CACHEINFO, RTA_EXPIRES}:
            body += attribute(kind, bytes(payload))
    if table >= 256:
        body += u32(RTA_TABLE, table)
    return NetlinkRequest(RTM_NEWROUTE, NLM_F_CREATE | flags, body, action)


def delete_route(route: LinkRoute) -> NetlinkRequest:
    """Remove exactly this route; a missing one is fine."""
    action = f"remove a route from table {route.table}"
    return NetlinkRequest(RTM_DELROUTE, 0, route.payload, action, _GONE)


def add_source_hint(index: int, ifname: str, address: IPInterface) -> NetlinkRequest:
    """Add the route to an address' network with the address as source, in place of another."""
    family, packed = _packed(address.ip)
    network = address.network
    body = RTMSG.pack(
        family, network.prefixlen, 0, 0, RT_TABLE_MAIN, RTPROT_BOOT, RT_SCOPE_LINK, RTN_UNICAST, 0
    )
    body += attribute(RTA_DST, network.network_address.packed)
    body += attribute(RTA_PREFSRC, packed) + u32(RTA_OIF, index)
    action = f"add route to {network} from {address.ip} on {ifname}"
    return NetlinkRequest(RTM_NEWROUTE, NLM_F_CREATE | _NLM_F_REPLACE, body, action)


def _packed(address: IPAddress) -> tuple[int, bytes]:
    return socket.AF_INET if address.version == 4 else socket.AF_INET6, address.packed


def _address(payload: memoryview | None) -> IPAddress | None:
    return None if payload is None else ip_address(bytes(payload))
