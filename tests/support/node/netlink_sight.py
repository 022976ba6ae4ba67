"""Links, addresses, neighbours, routes and rules of a namespace, by requests of pyroute2.

`ip` shows the same. In the second kernel of `make vm` its three programs for a look take half a
second, the requests a twentieth of that; and the product's own encoder is not what looks at it.
Invariant: what a clock, a counter or a number of chance says is left out; interfaces have names.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pyroute2 import IPRoute

from tests.support.node.inside import inside

_FRAMING = frozenset({"attrs", "header", "event", "__align", "__pad", "change", "res1", "res2"})
_LEFT_OUT = frozenset(
    """
    IFLA_STATS IFLA_STATS64 IFLA_NUM_TX_QUEUES IFLA_NUM_RX_QUEUES IFLA_GSO_MAX_SEGS
    IFLA_GSO_MAX_SIZE IFLA_GRO_MAX_SIZE IFLA_TSO_MAX_SIZE IFLA_TSO_MAX_SEGS IFLA_AF_SPEC IFLA_MAP
    IFLA_CARRIER_CHANGES IFLA_CARRIER_UP_COUNT IFLA_CARRIER_DOWN_COUNT IFLA_LINK_NETNSID
    IFLA_NEW_IFINDEX IFA_CACHEINFO RTA_CACHEINFO RTA_PREF NDA_CACHEINFO NDA_PROBES UNKNOWN
    """.split()  # noqa: SIM905 - one name a line is three times as long
)
_BRIDGE_STATE = re.compile(
    r"TIMER|BRIDGE_ID|ROOT_ID|TOPOLOGY_CHANGE|BRPORT_(ID|NO)$|MULTICAST|_MCAST_.*_CNT$"
)
_INTERFACES = frozenset({"IFLA_MASTER", "IFLA_LINK", "RTA_OIF", "RTA_IIF", "oif", "ifindex"})
_PERMANENT = 0x80  # NUD_PERMANENT, linux/neighbour.h
_SETTLING = ~(0x40 | 0x02)  # without IFA_F_TENTATIVE and IFA_F_NODAD, linux/if_addr.h
_FAMILIES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}

Named = Mapping[int, str]
Object = dict[str, Any]


def objects(path: str) -> list[tuple[str, Object]]:
    """Return the objects of the namespace at a path, each with what it is."""
    return inside(path, lambda: list(_objects()))


def port_vlans(path: str) -> list[tuple[str, Object]]:
    """Return the VLANs of bridges and their ports, in a kernel that has such."""

    def look() -> Iterator[tuple[str, Object]]:
        with IPRoute() as kernel:
            for port in kernel.get_vlans():
                for vlan in port.get("IFLA_AF_SPEC").get_attrs("IFLA_BRIDGE_VLAN_INFO"):
                    yield f"vlan of {port.get('IFLA_IFNAME')}", _plain(vlan, {})

    return inside(path, lambda: list(look()))


def has_queues(path: str) -> bool:
    """Report whether an interface of a namespace has a queueing discipline other than none."""

    def look() -> bool:
        with IPRoute() as kernel:
            return any(one.get("TCA_KIND") != "noqueue" for one in kernel.get_qdiscs())

    return inside(path, look)


def _objects() -> Iterator[tuple[str, Object]]:
    with IPRoute() as kernel:
        links = list(kernel.get_links())
        names = {one["index"]: str(one.get("IFLA_IFNAME")) for one in links}
        for link in links:
            yield "link", _link(link, names)
        for one in kernel.get_addr():
            yield f"address of {names.get(one['index'])}", _address(one, names)
        for one in kernel.get_neighbours():
            if one["state"] & _PERMANENT:
                yield "neighbour", _plain(one, names)
        for family, name in _FAMILIES.items():
            for route in kernel.get_routes(family=family):
                yield f"{name} route", _plain(route, names)
            for rule in kernel.get_rules(family=family):
                yield f"{name} rule", _plain(rule, names)


def _link(link: Any, names: Named) -> Object:
    is_elsewhere = link.get("IFLA_LINK_NETNSID") is not None
    kept: Object = _plain(link, names, lambda name: bool(_BRIDGE_STATE.search(name)))
    del kept["index"]
    if is_elsewhere:
        kept["IFLA_LINK"] = "in another namespace"
    # The library of the reference sends no length, or 0, by accident: a veth has no queue.
    kind = kept.get("IFLA_LINKINFO", {}).get("IFLA_INFO_KIND")
    if kind == "veth" and kept.get("IFLA_TXQLEN") in {0, 1000}:
        del kept["IFLA_TXQLEN"]
    return kept


def _address(address: Any, names: Named) -> Object:
    kept: Object = _plain(address, names)
    del kept["index"]
    for flags in ("flags", "IFA_FLAGS"):
        if flags in kept:
            kept[flags] &= _SETTLING
    return kept


def _plain(message: Any, names: Named, is_left_out: Callable[[str], bool] = lambda _: False) -> Any:
    """Return a message as values of JSON: its fields and, by name, its attributes."""
    if isinstance(message, (list, tuple)):
        return [_plain(one, names, is_left_out) for one in message]
    if isinstance(message, bytes):
        return message.hex()
    if not isinstance(message, dict):
        return message
    fields = [(key, value) for key, value in message.items() if key not in _FRAMING]
    kept: Object = {}
    for name, value in [*fields, *message.get("attrs", ())]:
        if name in _LEFT_OUT or name.endswith("_PAD") or is_left_out(name):
            continue
        shown = _plain(value, names, is_left_out)
        if name in _INTERFACES:
            shown = names.get(value, value)
        kept[name] = [kept[name], shown] if name in kept else shown
    return kept
