"""Packets from 127.0.0.0/8 that leave the node towards a container: sysctl `route_localnet`.

Without it the kernel drops them as martians, so a port mapping would not answer on localhost. It
also allows packets to 127.0.0.0/8 that come in on the device. Invariant: it is written for devices
that lead to pods only, as the author of a network chooses the address.
"""

from __future__ import annotations

from ipaddress import IPv4Address
from typing import Final

from cni.net import sysctls
from cni.net.links import get_link_at, read_links
from cni.net.netlink import NetlinkRequest, as_u32, attribute, attributes
from cni.net.node_uplinks import carries_node
from cni.net.rtnetlink import RTA_DST, RTA_GATEWAY, RTA_OIF, RTM_GETROUTE, RTMSG
from cni.net.workers import Worker
from planes.model.errors import PlanesError

_AF_INET: Final = 2
_TO_PODS: Final = frozenset({"bridge", "veth"})


def route_localnet_to(worker: Worker, address: IPv4Address) -> str:
    """Allow it on the device that the host routes an address through; return the device's name.

    Without a route nothing is done, as in the reference plugin, nor where the device leads out of
    the node, so that others on that network do not reach services of the node's localhost: the
    result is "" then.

    Raises:
        PlanesError: the sysctl cannot be written.
    """
    name = _device_towards(worker, address)
    if name:
        sysctls.write(f"ipv4/conf/{name}/route_localnet", "1")
    return name


def _device_towards(worker: Worker, address: IPv4Address) -> str:
    body = RTMSG.pack(_AF_INET, address.max_prefixlen, 0, 0, 0, 0, 0, 0, 0)
    body += attribute(RTA_DST, address.packed)
    ask = NetlinkRequest(RTM_GETROUTE, 0, body, f"find the route to {address}")
    try:
        (answers,) = worker.host.batch([ask])
        for message in answers:
            read = attributes(message.payload[RTMSG.size :])
            if RTA_OIF not in read or RTA_GATEWAY in read:
                continue
            (found,) = worker.host.batch([get_link_at(as_u32(read[RTA_OIF]))])
            for link in read_links(found):
                is_to_pods = link.kind in _TO_PODS and not carries_node(worker, link.index)
                return link.name if is_to_pods else ""
    except PlanesError:
        return ""
    return ""
