"""CHECK: compare the prevResult with the kernel's state.

As strict as the reference plugins and no stricter: the gateway of a default route is not compared.
Routes are looked for in the main table, and those through the interface itself in every other one
too, since a later plugin of the chain may have moved them there (`vrf`, `sbr`).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_interface, ip_network

from cni.net.facts import Facts, RouteFact
from cni.net.links import Link
from cni.net.rtnetlink import RT_TABLE_LOCAL, RT_TABLE_MAIN
from cni.plugins.plugin import Call
from planes.model.errors import BadInput, Conflict, NotFound
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Interface, Result, Route


def previous_result(conf: NetConf) -> Result:
    """Return the prevResult, which CHECK needs.

    Raises:
        BadInput: it is missing, or no result.
    """
    previous = conf.prev_result()
    if previous is None:
        raise BadInput("cannot check the attachment: required prevResult missing")
    return previous


def sandbox_interface(call: Call, previous: Result) -> Interface:
    """Return the interface of this call in the prevResult.

    Raises:
        BadInput: it is not there.
    """
    for one in previous.interfaces:
        if one.name == call.ifname and one.sandbox == call.netns:
            return one
    raise BadInput(
        f"cannot check {call.ifname}: the prevResult has no such interface in {call.netns}"
    )


def check_interface(facts: Facts, call: Call, previous: Result, kind: str) -> Link:
    """Compare kind and MAC of the sandbox interface; return the link.

    Raises:
        NotFound: it is gone.
        Conflict: they differ.
    """
    expected = sandbox_interface(call, previous)
    link = facts.link(call.ifname)
    if link is None:
        raise NotFound(f"cannot find interface {call.ifname} in the sandbox")
    if link.kind != kind:
        raise Conflict(f"cannot confirm {call.ifname}: it is of kind {link.kind}, not {kind}")
    check_mac(link, expected)
    return link


def check_mac(link: Link, expected: Interface) -> None:
    """Compare the MAC, where the result has one.

    Raises:
        Conflict: they differ.
    """
    if expected.mac and expected.mac.lower() != link.mac:
        raise Conflict(f"cannot confirm {link.name}: its MAC is {link.mac}, not {expected.mac}")


def check_addresses(facts: Facts, link: Link, previous: Result) -> None:
    """Check that the link has every address of the result, and a route to its network.

    Raises:
        NotFound: one is gone.
    """
    present = {one.address for one in facts.addresses_of(link)}
    reached = {route.dst for route in _routes(facts, link)}
    for one in previous.ips:
        if one.interface is not None and previous.interfaces[one.interface].name != link.name:
            continue
        address = ip_interface(one.address)
        if address not in present:
            raise NotFound(f"cannot find address {one.address} on {link.name}")
        # The kernel makes no route to a network of one IPv4 address.
        is_alone = address.network.prefixlen == address.max_prefixlen
        if not is_alone and str(address.network) not in reached:
            raise NotFound(f"cannot find a route to {address.network}")


def check_routes(facts: Facts, link: Link, previous: Result) -> None:
    """Check that every route of the result is there.

    Raises:
        NotFound: one is gone.
    """
    present = _routes(facts, link)
    for route in previous.routes:
        if not _has_route(present, route):
            way = f" via {route.gw}" if route.gw else ""
            raise NotFound(f"cannot find the route to {route.dst}{way}")


def _routes(facts: Facts, link: Link) -> list[RouteFact]:
    """Return the routes of the main table, and those of other tables through a link.

    The main table does not count for a link in a VRF: its packets are not routed by it.
    """
    is_in_vrf = any(one.index == link.master and one.kind == "vrf" for one in facts.links)
    return [
        one
        for one in facts.routes
        if (one.table == RT_TABLE_MAIN and not is_in_vrf)
        or (one.device in {0, link.index} and one.table not in {RT_TABLE_MAIN, RT_TABLE_LOCAL})
    ]


def _has_route(present: Sequence[RouteFact], route: Route) -> bool:
    wanted = str(ip_network(route.dst, strict=False))
    return any(
        one.dst == wanted and (route.is_default or not route.gw or route.gw in one.gateways)
        for one in present
    )
