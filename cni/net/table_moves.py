"""Add the routes of a link to another routing table, as they were.

Layouts: `struct rtmsg` and `struct rtnexthop` of linux/rtnetlink.h.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cni.net.addresses import get_routes
from cni.net.channel import Channel
from cni.net.links import Link
from cni.net.netlink import (
    NLM_F_CREATE,
    Message,
    NetlinkRequest,
    as_u32,
    attribute,
    attributes,
    each_attribute,
    u32,
)
from cni.net.rtnetlink import (
    NEXT_HOP,
    RT_SCOPE_UNIVERSE,
    RT_TABLE_MAIN,
    RTA_CACHEINFO,
    RTA_DST,
    RTA_MULTIPATH,
    RTA_NH_ID,
    RTA_OIF,
    RTA_PRIORITY,
    RTA_TABLE,
    RTM_F_CLONED,
    RTM_NEWROUTE,
    RTMSG,
    RTN_UNICAST,
    RTPROT_KERNEL,
)

_NLM_F_REPLACE = 0x100
_NLM_F_APPEND = 0x800
_AF_INET = 2
_ONLINK = 0x4  # RTNH_F_ONLINK; other flags are the kernel's report on the hop
_NOT_COPIED = frozenset({RTA_CACHEINFO, RTA_TABLE, RTA_NH_ID})


def read_routes(channel: Channel, link: Link) -> tuple[Message, ...]:
    """Return the routes of the main table through a link, without those the kernel makes.

    Of IPv4 those of universe scope only: the others are of the link's addresses. IPv6 has no
    scopes.

    Raises:
        PlanesError: the kernel refuses.
    """
    return tuple(
        message
        for version in (4, 6)
        for message in channel.dump(get_routes(version))
        if message.kind == RTM_NEWROUTE and _is_own(message.payload, link.index)
    )


def to_table(routes: Iterable[Message], table: int, name: str) -> Iterator[NetlinkRequest]:
    """Yield the requests that add routes to a table, in their order.

    The first of a destination and priority takes the place of one that the table has; more of the
    same are added behind it, as they were.

    Args:
        routes: as read.
        table: the table.
        name: of the VRF, for error texts.
    """
    seen: set[tuple[object, ...]] = set()
    for message in routes:
        head = RTMSG.unpack_from(message.payload)
        found = attributes(message.payload[RTMSG.size :], {RTA_DST, RTA_PRIORITY})
        key = (*head[:4], *((kind, bytes(found[kind])) for kind in sorted(found)))
        flags = NLM_F_CREATE | (_NLM_F_APPEND if key in seen else _NLM_F_REPLACE)
        seen.add(key)
        body = _moved(message.payload, table)
        yield NetlinkRequest(RTM_NEWROUTE, flags, body, f"move a route to VRF {name}")


def _is_own(payload: memoryview, index: int) -> bool:
    family, _, _, _, table, protocol, scope, kind, flags = RTMSG.unpack_from(payload)
    found = attributes(payload[RTMSG.size :], {RTA_OIF, RTA_MULTIPATH, RTA_TABLE})
    table = as_u32(found[RTA_TABLE]) if RTA_TABLE in found else table
    if table != RT_TABLE_MAIN or kind != RTN_UNICAST:
        return False
    if flags & RTM_F_CLONED or protocol == RTPROT_KERNEL:
        return False
    if family == _AF_INET and scope != RT_SCOPE_UNIVERSE:
        return False
    if RTA_MULTIPATH in found:
        return all(hop[3] == index for _at, hop in _hops(found[RTA_MULTIPATH]))
    return RTA_OIF in found and as_u32(found[RTA_OIF]) == index


def _moved(payload: memoryview, table: int) -> bytes:
    head = list(RTMSG.unpack_from(payload))
    head[4] = table if table < 256 else 0
    head[8] &= _ONLINK
    body = RTMSG.pack(*head) + u32(RTA_TABLE, table)
    for kind, value in each_attribute(payload[RTMSG.size :]):
        if kind not in _NOT_COPIED:
            body += attribute(kind, _reset(value) if kind == RTA_MULTIPATH else bytes(value))
    return body


def _reset(hops: memoryview) -> bytes:
    """Return next hops without the kernel's report on each."""
    copied = bytearray(hops)
    for at, (size, flags, weight, index) in _hops(hops):
        NEXT_HOP.pack_into(copied, at, size, flags & _ONLINK, weight, index)
    return bytes(copied)


def _hops(hops: memoryview) -> Iterator[tuple[int, tuple[int, int, int, int]]]:
    """Yield the offset and the head of each next hop."""
    at = 0
    while at + NEXT_HOP.size <= len(hops):
        size, flags, weight, index = NEXT_HOP.unpack_from(hops, at)
        if size < NEXT_HOP.size:
            return
        yield at, (size, flags, weight, index)
        at += (size + 3) & ~3
