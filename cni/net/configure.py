"""Configure sysctls, addresses and routes of a new sandbox interface.

In the order of the reference plugins: IPv6 on; addresses while the link is down; link up (the
kernel then announces the addresses); duplicate address detection of IPv6; routes. Split so that the
wait needs no thread. The reference plugins wait only where IPv6 has a gateway, but a duplicate
address is as bad without one.
"""

from __future__ import annotations

from dataclasses import dataclass

from cni.net import sysctls
from cni.net.addresses import add_address, add_route, get_addresses, read_addresses
from cni.net.if_link import IFF_UP, OPERSTATE_UP
from cni.net.link_changes import announce_ipv4, set_flags
from cni.net.links import Link, get_link, read_links
from cni.net.netlink import NetlinkRequest
from cni.net.workers import OpenSandbox
from planes.model.errors import BadInput, Conflict, Unavailable
from planes.model.wire.result import Result

# With these the kernel announces a new address at link up (ARP and NDP).
ARP_NOTIFY = ("ipv4", "arp_notify", "1")
ANNOUNCE = (ARP_NOTIFY, ("ipv6", "ndisc_notify", "1"))


@dataclass(frozen=True, slots=True)
class Setup:
    """The configuration that one sandbox interface is to get.

    Attributes:
        result: addresses with the index of the interface, and routes.
        sysctls: (family, key, value) of the interface; those that the kernel lacks are skipped.
        is_up: False leaves an interface without addresses down.
    """

    ifname: str
    result: Result
    sysctls: tuple[tuple[str, str, str], ...] = ()
    is_up: bool = True

    def gateway(self, destination: str) -> str:
        """Return the first gateway of the destination's family, "" without."""
        is_v6 = ":" in destination
        for one in self.result.ips:
            if one.interface is not None and one.gateway and (":" in one.gateway) == is_v6:
                return one.gateway
        return ""


def bring_up(sandbox: OpenSandbox, setup: Setup, *, adds_routes: bool = True) -> tuple[Link, bool]:
    """Write sysctls and addresses, bring the link up, and add the routes unless they must wait.

    Args:
        sandbox: has the link.
        setup: its configuration.
        adds_routes: False leaves the routes, if there are any, to `add_routes`.

    Returns:
        The link, and whether the routes are left: its addresses must settle first, or the caller
        wants it.

    Raises:
        PlanesError: the kernel refuses, or an address belongs to another interface.
    """
    addresses = _addresses(setup)
    has_ipv6 = any(":" in address for address in addresses)
    written = [one for one in setup.sysctls if one != ARP_NOTIFY]
    if written or has_ipv6:
        with sandbox.inside():
            for family, key, value in written:
                sysctls.try_write(f"{family}/conf/{setup.ifname}/{key}", value)
            if has_ipv6:
                sysctls.enable_ipv6(setup.ifname)
    channel = sandbox.channel
    link = read_links(channel.batch([get_link(setup.ifname)])[0])[0]
    requests = [announce_ipv4(link)] if ARP_NOTIFY in setup.sysctls else []
    requests += [add_address(link.index, link.name, address) for address in addresses]
    if setup.is_up:
        requests.append(set_flags(link, IFF_UP))
    may_wait = has_ipv6 and setup.is_up
    if adds_routes and not may_wait:
        requests += _routes(setup, link)
    channel.batch(requests)
    if may_wait and not is_settled(sandbox, link):
        return link, True
    if may_wait and adds_routes:
        add_routes(sandbox, setup, link)
    return link, not adds_routes and bool(setup.result.routes)


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


def is_settled(sandbox: OpenSandbox, link: Link) -> bool:
    """Report whether duplicate address detection has ended for all IPv6 addresses of the link.

    Raises:
        Conflict: another host on the link has one of the addresses.
    """
    channel = sandbox.channel
    found = read_addresses(channel.dump(get_addresses(link.index, 6)), link.index)
    for one in found:
        if one.is_duplicate:
            raise Conflict(
                f"cannot use address {one.address} on {link.name}: somebody else on the link has it"
            )
    return not any(one.is_tentative for one in found)


def give_up_settling(sandbox: OpenSandbox, link: Link, seconds: float) -> None:
    """Raise where addresses are tentative at the end of the wait, unless the link has no carrier.

    Raises:
        Unavailable: the link is up and its addresses are still tentative.
    """
    now = read_links(sandbox.channel.batch([get_link(link.name)])[0])[0]
    if now.operstate == OPERSTATE_UP:
        raise Unavailable(
            f"cannot use the IPv6 addresses of {link.name}: still tentative after {seconds:g} s"
        )


def add_routes(sandbox: OpenSandbox, setup: Setup, link: Link) -> None:
    """Add the routes, through the first gateway of the family where a route names none.

    Raises:
        PlanesError: the kernel refuses one.
    """
    sandbox.channel.batch(_routes(setup, link))


def _routes(setup: Setup, link: Link) -> list[NetlinkRequest]:
    return [
        add_route(link.index, link.name, route, route.gw or setup.gateway(route.dst))
        for route in setup.result.routes
    ]
