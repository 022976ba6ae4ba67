"""Warnings about a NAD by its configuration: it works, but not as intended, or on no node.

Values that plugins refuse are found by `nad_values`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

from planes.model.addresses import IPNetwork, parse_network
from planes.model.errors import BadInput, Finding
from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad
from planes.model.state.kubelet_devices import no_device
from planes.model.state.nad_facts import NadFacts
from planes.model.state.nad_keys import plain
from planes.model.state.nad_values import refused_values

_SHARED_SEGMENT = frozenset({"macvlan", "ipvlan", "vlan", "sriov", "host-device"})
"""Types that put pods of all nodes on one L2 segment."""
_MOST_FINDINGS = 8
"""Warnings about one NAD; each is kept in memory."""
_MOST_SPANS = 8
"""Ranges that a warning repeats."""
_WINNER = {
    4: "of several the network that is last in the pod's list wins, eth0 counts as first",
    6: "of several the network that is first in the pod's list wins, before all of them eth0",
}
"""Networks are attached in the order of the list; the kernel adds an IPv4 route before its equals,
an IPv6 route after them."""
_KNOWN_KEYS = {
    "sriov": frozenset(
        {
            "deviceid",
            "vlan",
            "vlanqos",
            "vlanproto",
            "mac",
            "spoofchk",
            "trust",
            "link_state",
            "min_tx_rate",
            "max_tx_rate",
            "loglevel",
            "logfile",
        }
    ),
}
_GENERAL_KEYS = frozenset(
    {
        "args",
        "capabilities",
        "cniversion",
        "dns",
        "ipam",
        "name",
        "prevresult",
        "runtimeconfig",
        "type",
    }
)


def lint_nad(nad: Nad, facts: NadFacts) -> tuple[Finding, ...]:
    """List warnings about a hand-written NAD; none for one that cannot be read."""
    if facts.fault or not facts.is_known or nad.plane is not None:
        return ()
    found = (finding for check in _CHECKS for finding in check(nad, facts))
    return tuple(islice(found, _MOST_FINDINGS))


def _path(nad: Nad, field: str) -> str:
    return f"NAD {nad.ref} {field}"


def _shared_range(nad: Nad, facts: NadFacts) -> Iterator[Finding]:
    if facts.ipam_type == "host-local" and facts.type in _SHARED_SEGMENT and facts.ranges:
        spans = ", ".join(str(entry.span) for entry in facts.ranges[:_MOST_SPANS])
        yield Finding(
            _path(nad, "ipam"),
            f"every node hands out {spans} by itself, on one L2 segment: addresses will be "
            "given out twice",
            "define a plane with ipam.mode Plane, which gives out each address once",
        )


def _default_route(nad: Nad, facts: NadFacts) -> Iterator[Finding]:
    for route in facts.routes:
        network = _network(route.get("dst"))
        if network is not None and network.prefixlen == 0:
            yield Finding(
                _path(nad, "ipam.routes"),
                f"its default route {network} competes with those of eth0 and of the pod's other "
                f"networks: {_WINNER[network.version]}",
                "remove the route; ask with default-route in the pod's annotation, or set "
                "defaultRoute on a plane",
            )


def _own_prefix(nad: Nad, facts: NadFacts) -> Iterator[Finding]:
    subnets = {entry.subnet for entry in facts.ranges}
    for route in facts.routes:
        network = _network(route.get("dst"))
        gateway = route.get("gw")
        if network is None or not isinstance(gateway, str) or network.prefixlen == 0:
            continue
        if network in subnets or _holds(network, gateway):
            yield Finding(
                _path(nad, "ipam.routes"),
                f"the route to {network} through {gateway} collides with the connected route: the "
                "gateway is inside it",
                "remove the route, the interface reaches its own segment without it",
            )


def _holds(network: IPNetwork, gateway: str) -> bool:
    inside = _network(f"{gateway}/{network.max_prefixlen}")
    return (
        inside is not None
        and inside.version == network.version
        and (inside.network_address in network)
    )


def _fixed_device(nad: Nad, facts: NadFacts) -> Iterator[Finding]:
    if RESOURCE_NAME_ANNOTATION in nad.annotations:
        return
    if facts.type == "sriov" and facts.main.get("deviceID"):
        yield Finding(
            _path(nad, "deviceID"),
            "every pod of this NAD claims the same virtual function: the second one fails",
            f"leave it out, and name a device plugin's resource: annotation "
            f"{RESOURCE_NAME_ANNOTATION}",
        )
    if facts.type == "host-device":
        device = facts.main.get("device") or "its device"
        yield Finding(
            _path(nad, "device"),
            f"{device} moves into the pod: one pod per node at most, and the node loses it",
            "never name the node's own uplink; use macvlan or sriov for several pods",
        )


def _no_device(nad: Nad, facts: NadFacts) -> Iterator[Finding]:
    if facts.lacks_device:
        message, remedy = no_device(nad.ref, facts.lacks_device)
        yield Finding(_path(nad, "type"), f"pods of it are refused: {message}", remedy)


def _unknown_keys(nad: Nad, facts: NadFacts) -> Iterator[Finding]:
    known = _KNOWN_KEYS.get(facts.type)
    for key in facts.main if known is not None else ():
        if key.lower() not in _GENERAL_KEYS and known is not None and key.lower() not in known:
            yield Finding(
                _path(nad, plain(key)),
                f"the {facts.type} plugin does not know this key and ignores it",
                "remove it",
            )


def _network(value: object) -> IPNetwork | None:
    try:
        return parse_network(value) if isinstance(value, str) else None
    except BadInput:
        return None


_CHECKS: tuple[Callable[[Nad, NadFacts], Iterator[Finding]], ...] = (
    refused_values,
    _shared_range,
    _default_route,
    _own_prefix,
    _fixed_device,
    _no_device,
    _unknown_keys,
)
