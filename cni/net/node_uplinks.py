"""Which links of the host carry the node's own traffic, and must never be moved into a sandbox.

These are the links of the default routes, the ports of a bridge or bond that is one of them, and
the link below a VLAN interface or macvlan that is one. Without them the node is unreachable, and so
is everything that would give them back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from cni.net.addresses import get_routes
from cni.net.channel import Channel
from cni.net.host_links import HostLink, read_host_links
from cni.net.netlink import Message, as_u32, attributes
from cni.net.rtnetlink import (
    NEXT_HOP,
    RT_TABLE_MAIN,
    RTA_MULTIPATH,
    RTA_OIF,
    RTM_NEWROUTE,
    RTMSG,
    RTN_UNICAST,
)
from cni.net.workers import Worker

_OF_PODS: Final = frozenset({"veth", "tun"})
"""Kinds of bridge ports that lead to pods, not out of the node."""


def carries_node(worker: Worker, index: int) -> str:
    """Return the link of a default route that a link carries, itself included; "" for none.

    Args:
        worker: reads the host's links and routes.
        index: of the link.

    Raises:
        PlanesError: the kernel refuses.
    """
    tops = default_links(worker.host)
    links = {link.index: link for link in read_host_links(worker)}
    for top in sorted(tops & links.keys()):
        if index in _below(top, links):
            return links[top].names[0]
    return ""


def default_links(channel: Channel) -> frozenset[int]:
    """Return the indexes of the links of all default routes of the namespace of a channel.

    Raises:
        PlanesError: the kernel refuses.
    """
    return frozenset(
        [one for version in (4, 6) for one in _devices(channel.dump(get_routes(version)))]
    )


def _below(top: int, links: dict[int, HostLink]) -> set[int]:
    """Return a link with all links that its frames pass."""
    found: set[int] = set()
    left = [top]
    while left:
        at = left.pop()
        if at in found:
            continue
        found.add(at)
        link = links.get(at)
        if link is not None and link.parent and link.kind != "veth":
            left.append(link.parent)
        left += [one.index for one in links.values() if _is_port(one, at)]
    return found


def _is_port(link: HostLink, master: int) -> bool:
    return link.master == master and link.kind not in _OF_PODS


def _devices(found: Iterable[Message]) -> Iterator[int]:
    """Yield the devices of all default routes in the main table."""
    for message in found:
        _f, prefix, _s, _t, table, _p, _scope, kind, _flags = RTMSG.unpack_from(message.payload)
        is_default = message.kind == RTM_NEWROUTE and not prefix and table == RT_TABLE_MAIN
        if not is_default or kind != RTN_UNICAST:
            continue
        members = attributes(message.payload[RTMSG.size :], {RTA_OIF, RTA_MULTIPATH})
        if RTA_OIF in members:
            yield as_u32(members[RTA_OIF])
        if RTA_MULTIPATH in members:
            yield from _hops(members[RTA_MULTIPATH])


def _hops(payload: memoryview) -> Iterator[int]:
    """Yield the devices of a multipath route (`struct rtnexthop`)."""
    offset = 0
    while offset + NEXT_HOP.size <= len(payload):
        size, _flags, _hops, index = NEXT_HOP.unpack_from(payload, offset)
        if size < NEXT_HOP.size:
            return
        yield index
        offset += (size + 3) & ~3
