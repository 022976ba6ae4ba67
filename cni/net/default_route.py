"""Set the one default route of a family in a sandbox, and verify it by reading it back.

Several networks may each have a default route; which one counts must not depend on their order
(Multus 4.2.2 to 4.3.0, #1444: a route that was "set" but never took effect; the notes of 4.3.1 do
not mention it).
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from ipaddress import ip_address

from cni.net.addresses import add_route, get_routes
from cni.net.channel import Channel
from cni.net.links import find_link, read_links
from cni.net.netlink import Message, NetlinkRequest, as_u32, attributes
from cni.net.rtnetlink import RT_TABLE_MAIN, RTA_OIF, RTM_DELROUTE, RTM_NEWROUTE
from cni.net.workers import Worker
from planes.model.errors import Internal, NotFound
from planes.model.wire.result import Route

_HEAD_BYTES = 12  # of struct rtmsg
_UNICAST = 1
_ANY = {4: "0.0.0.0/0", 6: "::/0"}


def set_default_route(worker: Worker, netns: str, ifname: str, gateways: Sequence[str]) -> None:
    """Make gateways through a link the only default routes of their families.

    Args:
        worker: in whose thread this runs.
        netns: path of the sandbox's namespace.
        ifname: the link.
        gateways: at most one of each family.

    Raises:
        NotFound: there is no such link.
        PlanesError: the kernel refuses a gateway, e.g. one that the link does not reach.
        Internal: the routes read back are others.
    """
    with worker.sandbox(netns) as sandbox:
        channel = sandbox.channel
        links = [link for found in channel.batch([find_link(ifname)]) for link in read_links(found)]
        if not links:
            raise NotFound(f"cannot set the default route: there is no interface {ifname}")
        for gateway in gateways:
            _set(channel, links[0].index, ifname, gateway)


def _set(channel: Channel, index: int, ifname: str, gateway: str) -> None:
    version = ip_address(gateway).version
    dst = _ANY[version]
    # Routes on the link itself are deleted too: they may have another gateway.
    requests = [_delete(message) for message in _defaults(channel, version)]
    new = add_route(index, ifname, Route(dst, gateway), gateway)
    channel.batch([*requests, new])
    devices = [_device(message) for message in _defaults(channel, version)]
    if devices != [index]:
        raise Internal(
            f"cannot set the IPv{version} default route via {gateway} on {ifname}: "
            f"{len(devices)} default routes are there afterwards",
            remedy="something else in the sandbox sets routes: remove it, or drop default-route",
        )


def _defaults(channel: Channel, version: int) -> list[Message]:
    """Return the unicast default routes of the main table."""
    return [
        message
        for message in channel.dump(get_routes(version))
        if message.kind == RTM_NEWROUTE
        and message.payload[1] == 0
        and message.payload[4] == RT_TABLE_MAIN
        and message.payload[7] == _UNICAST
    ]


def _delete(message: Message) -> NetlinkRequest:
    """Delete exactly the route that a message describes."""
    gone = frozenset({errno.ESRCH})
    return NetlinkRequest(RTM_DELROUTE, 0, bytes(message.payload), "remove a default route", gone)


def _device(message: Message) -> int:
    out = attributes(message.payload[_HEAD_BYTES:]).get(RTA_OIF)
    return as_u32(out) if out is not None else 0
