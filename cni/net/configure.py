"""Addresses, sysctls and routes of a new sandbox interface, in the reference plugins' order.

IPv6 on, addresses while the link is down, link up (the kernel then announces the addresses), wait
for duplicate address detection where IPv6 has a gateway, routes. Split so that the wait needs no
thread.
"""

from __future__ import annotations

from dataclasses import dataclass

from cni.net import sysctls
from cni.net.addresses import add_address, add_route, get_addresses, read_addresses
from cni.net.links import IFF_UP, OPERSTATE_UP, Link, get_link, read_links, set_flags
from cni.net.netlink import Request
from cni.net.workers import Sandbox
from planes.model.errors import BadInput, Conflict, Unavailable
from planes.model.wire.result import Result

# The kernel tells people about a new address at link up, where these are on (ARP and NDP).
ANNOUNCE = (("ipv4", "arp_notify", "1"), ("ipv6", "ndisc_notify", "1"))


@dataclass(frozen=True, slots=True)
class Setup:
    """How one sandbox interface shall be when it is ready.

    Attributes:
        result: addresses that name the interface by index, and routes.
        sysctls: (family, key, value) of the interface; what the kernel has not is left out.
        is_up: False leaves an interface without addresses down.
    """

    ifname: str
    result: Result
    sysctls: tuple[tuple[str, str, str], ...] = ()
    is_up: bool = True

    @property
    def has_ipv6(self) -> bool:
        """True where an IPv6 address is to be added."""
        return any(":" in one.address for one in self.result.ips if one.interface is not None)

    def gateway(self, destination: str) -> str:
        """The first gateway of the destination's family, "" without."""
        is_v6 = ":" in destination
        for one in self.result.ips:
            if one.interface is not None and one.gateway and (":" in one.gateway) == is_v6:
                return one.gateway
        return ""


def bring_up(sandbox: Sandbox, setup: Setup) -> tuple[Link, bool]:
    """Write sysctls and addresses, bring the link up, add the routes unless they have to wait.

    Returns:
        The link, and whether addresses must settle before the routes can be added.

    Raises:
        PlanesError: the kernel refuses, or an address belongs to another interface.
    """
    addresses = _addresses(setup)
    with sandbox.inside():
        for family, key, value in setup.sysctls:
            sysctls.try_write(f"{family}/conf/{setup.ifname}/{key}", value)
        if setup.has_ipv6:
            sysctls.enable_ipv6(setup.ifname)
    channel = sandbox.channel
    link = read_links(channel.batch([get_link(setup.ifname)])[0])[0]
    requests = [add_address(link.index, link.name, address) for address in addresses]
    if setup.is_up:
        requests.append(set_flags(link, IFF_UP))
    may_wait = bool(setup.gateway("::"))
    channel.batch(requests if may_wait else requests + _routes(setup, link))
    must_wait = may_wait and not is_settled(sandbox, link)
    if may_wait and not must_wait:
        add_routes(sandbox, setup, link)
    return link, must_wait


def _addresses(setup: Setup) -> list[str]:
    interfaces = setup.result.interfaces
    found = []
    for one in setup.result.ips:
        if one.interface is None:
            continue
        if not 0 <= one.interface < len(interfaces) or (
            interfaces[one.interface].name != setup.ifname
        ):
            raise BadInput(
                f"cannot add address {one.address} to {setup.ifname}: its interface index"
                f" {one.interface} is not that of {setup.ifname}"
            )
        found.append(one.address)
    return found


def is_settled(sandbox: Sandbox, link: Link) -> bool:
    """Say whether duplicate address detection is through for all IPv6 addresses of the link.

    Raises:
        Conflict: somebody else on the link has an address of ours.
    """
    channel = sandbox.channel
    found = read_addresses(channel.dump(get_addresses(link.index, 6)), link.index)
    for one in found:
        if one.is_duplicate:
            raise Conflict(
                f"cannot use address {one.address} on {link.name}: somebody else on the link has it"
            )
    return not any(one.is_tentative for one in found)


def give_up_settling(sandbox: Sandbox, link: Link, seconds: float) -> None:
    """Decide after the time is over: a link without carrier may have addresses unproven.

    Raises:
        Unavailable: the link is up and its addresses are still tentative.
    """
    now = read_links(sandbox.channel.batch([get_link(link.name)])[0])[0]
    if now.operstate == OPERSTATE_UP:
        raise Unavailable(
            f"cannot use the IPv6 addresses of {link.name}: still tentative after {seconds:g} s"
        )


def add_routes(sandbox: Sandbox, setup: Setup, link: Link) -> None:
    """Add the routes, through the first gateway of the family where a route names none.

    Raises:
        PlanesError: the kernel refuses one.
    """
    sandbox.channel.batch(_routes(setup, link))


def _routes(setup: Setup, link: Link) -> list[Request]:
    return [
        add_route(link.index, link.name, route, route.gw or setup.gateway(route.dst))
        for route in setup.result.routes
    ]
