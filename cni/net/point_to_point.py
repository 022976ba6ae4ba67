"""A veth pair as a line between a sandbox and its host, routed without a bridge.

Ethernet has no point-to-point interfaces. So the sandbox sends everything, its own network too,
through the gateway, which is the host's end; the host has one route for each address. Routes are
those of the reference plugin.
"""

from __future__ import annotations

import errno
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cni.net import sysctls
from cni.net.addresses import add_address, add_route, delete_network_route
from cni.net.links import Link, get_link, read_links
from cni.net.netlink import NLM_F_EXCL, NetlinkRequest
from cni.net.new_links import Placement, new_veth
from cni.net.placement import place, random_name
from cni.net.rtnetlink import RT_SCOPE_HOST, RT_SCOPE_LINK
from cni.net.workers import OpenSandbox, Worker
from planes.model.addresses import IPAddress, IPInterface
from planes.model.wire.result import Route


@dataclass(frozen=True, slots=True)
class RoutedAddress:
    """An address of the sandbox, and the gateway at the host's end."""

    address: IPInterface
    gateway: IPAddress

    @property
    def own(self) -> str:
        """Return the address alone, as a network."""
        return f"{self.address.ip}/{self.address.max_prefixlen}"

    @property
    def far(self) -> str:
        """Return the gateway alone, as a network."""
        return f"{self.gateway}/{self.gateway.max_prefixlen}"


def add_pair(worker: Worker, sandbox: OpenSandbox, ifname: str, mtu: int) -> str:
    """Create a pair with one end in the sandbox; return the name of the host's end, which is up.

    Raises:
        Conflict: the sandbox has an interface of that name.
        PlanesError: the kernel refuses.
    """
    host_name = random_name()
    to = Placement(ifname, sandbox.fd, mtu=mtu)
    place(worker.host, sandbox, to, lambda at: new_veth(at, host_name=host_name))
    sysctls.try_write(f"ipv6/conf/{host_name}/accept_ra", "0")
    return host_name


def route_through_gateways(
    sandbox: OpenSandbox, link: Link, routed: Sequence[RoutedAddress]
) -> None:
    """Replace the kernel's routes to the networks of the sandbox by ones through the gateways.

    Raises:
        PlanesError: the kernel refuses.
    """
    sandbox.channel.batch([request for one in routed for request in _inner_routes(link, one)])


def _inner_routes(link: Link, one: RoutedAddress) -> list[NetlinkRequest]:
    source, network = str(one.address.ip), str(one.address.network)
    to_gateway = Route(one.far, scope=RT_SCOPE_LINK)
    through = Route(network)
    return [
        delete_network_route(link.index, link.name, network),
        _only(add_route(link.index, link.name, to_gateway, "", source=source)),
        _only(add_route(link.index, link.name, through, str(one.gateway), source=source)),
    ]


def _only(request: NetlinkRequest) -> NetlinkRequest:
    return replace(request, flags=request.flags | NLM_F_EXCL)


def set_up_host_end(worker: Worker, host_name: str, routed: Sequence[RoutedAddress]) -> Link:
    """Put the gateways on the host's end, and add routes to the addresses; return the link.

    Raises:
        NotFound: the link is gone.
        PlanesError: the kernel refuses.
    """
    link = read_links(worker.host.batch([get_link(host_name)])[0])[0]
    requests = []
    for one in routed:
        requests.append(add_address(link.index, host_name, one.far))
        route = add_route(link.index, host_name, Route(one.own, scope=RT_SCOPE_HOST), "")
        requests.append(replace(_only(route), tolerate=frozenset({errno.EEXIST})))
    worker.host.batch(requests)
    return link
