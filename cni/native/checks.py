"""CHECK: what the prevResult says against what the kernel has.

As strict as the reference plugins, and no stricter: routes are looked for in the main table, and
of a default route the gateway is not compared.
"""

from __future__ import annotations

from ipaddress import ip_interface, ip_network

from cni.net.facts import Facts
from cni.net.links import Link
from cni.plugin import Call
from planes.model.errors import BadInput, Conflict, NotFound
from planes.model.wire.netconf import NetConf
from planes.model.wire.result import Interface, Result, Route

_MAIN_TABLE = 254


def previous_result(conf: NetConf) -> Result:
    """Give the prevResult, which CHECK cannot do without.

    Raises:
        BadInput: it is missing, or no result.
    """
    previous = conf.prev_result()
    if previous is None:
        raise BadInput("cannot check the attachment: required prevResult missing")
    return previous


def sandbox_interface(call: Call, previous: Result) -> Interface:
    """Find the interface of this call in the prevResult.

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
    """Compare kind and MAC of the sandbox interface; gives the link.

    Raises:
        NotFound: it is gone.
        Conflict: it is another.
    """
    told = sandbox_interface(call, previous)
    link = facts.link(call.ifname)
    if link is None:
        raise NotFound(f"cannot find interface {call.ifname} in the sandbox")
    if link.kind != kind:
        raise Conflict(f"cannot confirm {call.ifname}: it is of kind {link.kind}, not {kind}")
    check_mac(link, told)
    return link


def check_mac(link: Link, told: Interface) -> None:
    """Compare the MAC, where the result has one.

    Raises:
        Conflict: they differ.
    """
    if told.mac and told.mac.lower() != link.mac:
        raise Conflict(f"cannot confirm {link.name}: its MAC is {link.mac}, not {told.mac}")


def check_addresses(facts: Facts, link: Link, previous: Result) -> None:
    """Find every address of the result on the link, and a route to its network.

    Raises:
        NotFound: one is gone.
    """
    present = {one.address for one in facts.addresses_of(link)}
    main = {route.dst for route in facts.routes if route.table == _MAIN_TABLE}
    for one in previous.ips:
        if one.interface is not None and previous.interfaces[one.interface].name != link.name:
            continue
        address = ip_interface(one.address)
        if address not in present:
            raise NotFound(f"cannot find address {one.address} on {link.name}")
        if str(address.network) not in main:
            raise NotFound(f"cannot find a route to {address.network}")


def check_routes(facts: Facts, previous: Result) -> None:
    """Find every route of the result in the main table.

    Raises:
        NotFound: one is gone.
    """
    for route in previous.routes:
        if not _has_route(facts, route):
            way = f" via {route.gw}" if route.gw else ""
            raise NotFound(f"cannot find the route to {route.dst}{way}")


def _has_route(facts: Facts, route: Route) -> bool:
    wanted = str(ip_network(route.dst, strict=False))
    return any(
        one.dst == wanted and (route.is_default or not route.gw or route.gw in one.gateways)
        for one in facts.routes
        if one.table == _MAIN_TABLE
    )
