"""Values in a NAD that its plugin refuses, so that every pod of it fails on its node.

Checked are plugins whose documents define the values: the first one, which makes the interface, and
a `vrf` behind it. Names are matched as by Go. Texts name keys, never values.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from typing import Any, Final

from planes.model.addresses import IPAddress, IPNetwork, parse_address, parse_interface
from planes.model.decode import kind_of
from planes.model.errors import BadInput, Finding
from planes.model.objects import Nad
from planes.model.state.nad_facts import NadFacts
from planes.model.state.spellings import Spellings
from planes.model.wire.link_values import (
    LINK_MODES,
    why_no_link_name,
    why_no_mode,
    why_no_number,
)

_NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "bridge": ("mtu", "vlan"),
    "ipvlan": ("mtu",),
    "macvlan": ("mtu", "bcqueuelen"),
    "ptp": ("mtu",),
    "tap": ("mtu",),
    "vlan": ("mtu", "vlanId"),
}
_ON_MASTER: Final = frozenset({"ipvlan", "macvlan", "vlan"})
_INSIDE: Final = ("linkInContainer",)
_SWITCHES: Final[Mapping[str, tuple[str, ...]]] = {
    "bridge": (
        *("isGateway", "isDefaultGateway", "forceAddress", "ipMasq", "hairpinMode", "promiscMode"),
        *("macspoofchk", "enabledad", "disableContainerInterface", "portIsolation"),
    ),
    "ipvlan": _INSIDE,
    "macvlan": _INSIDE,
    "ptp": ("ipMasq",),
    "tap": ("multiQueue", "promiscMode"),
    "vlan": _INSIDE,
}
_SPARED: Final = 2  # addresses of a subnet at least that host-local does not give out

Wrong = tuple[str, str, str]
"""A key's path, what is wrong with its value, and the remedy."""


def refused_values(nad: Nad, facts: NadFacts) -> Iterator[Finding]:
    """Yield a warning for each value that the first plugin of a NAD, or its IPAM, refuses."""
    keys = Spellings(facts.main)
    for check in (_numbers, _switches, _modes, _masters, _addresses):
        for path, message, remedy in check(facts.type, keys):
            yield _finding(nad, path, message, remedy)
    if facts.type == "vrf" and not keys.all("prevResult"):
        what = "a vrf changes the interface of a plugin before it"
        yield _finding(nad, *_wrong("type", what, "put it behind one in plugins"))
    for conf in facts.vrfs:
        yield from (_finding(nad, *wrong) for wrong in _vrf(Spellings(conf)))
    for ipam in keys.children("ipam"):
        kinds = ipam.texts("type")
        if "host-local" in kinds:
            yield from (_finding(nad, *wrong) for wrong in _host_local(ipam))
        if "static" in kinds:
            yield from (_finding(nad, *wrong) for wrong in _static(ipam))
        if "host-local" in kinds or "static" in kinds:
            yield from (_finding(nad, *wrong) for wrong in _routes(ipam))


def _finding(nad: Nad, path: str, message: str, remedy: str) -> Finding:
    return Finding(f"NAD {nad.ref} {path}", message, remedy)


def _wrong(path: str, what: str, remedy: str) -> Wrong:
    return path, f"{what}: every pod of this NAD fails on its node", remedy


def _numbers(kind: str, keys: Spellings) -> Iterator[Wrong]:
    for name in _NUMBERS.get(kind, ()):
        for value in keys.all(name):
            if wrong := why_no_number(name, value):
                yield _wrong(name, *wrong)


def _switches(kind: str, keys: Spellings) -> Iterator[Wrong]:
    for name in _SWITCHES.get(kind, ()):
        for value in keys.all(name):
            if not isinstance(value, bool):
                remedy = "write true or false, without quotes"
                yield _wrong(name, f"it must be true or false, not {kind_of(value)}", remedy)


def _modes(kind: str, keys: Spellings) -> Iterator[Wrong]:
    for value in keys.all("mode") if kind in LINK_MODES else ():
        if wrong := why_no_mode(kind, value):
            yield _wrong("mode", *wrong)


def _masters(kind: str, keys: Spellings) -> Iterator[Wrong]:
    if kind not in _ON_MASTER:
        return
    for value in keys.all("master"):
        if not isinstance(value, str):
            what = f"it must be a text, not {kind_of(value)}"
            yield _wrong("master", what, "write the name of an interface")
    if kind == "vlan" and all(value == "" for value in keys.all("master")):
        what = "a vlan needs the interface that its VLAN is on"
        yield _wrong("master", what, "name an interface of the nodes")


def _addresses(kind: str, keys: Spellings) -> Iterator[Wrong]:
    """Yield the lack of an IPAM type, which ipvlan needs unless a previous plugin gives addresses.

    A `prevResult` in the configuration itself is the previous plugin's.
    """
    given = bool(keys.all("prevResult"))
    kinds = [kind_ for ipam in keys.children("ipam") for kind_ in ipam.texts("type")]
    if kind == "ipvlan" and not kinds and not given:
        yield _wrong("ipam", "an ipvlan needs addresses", "give it an ipam, or use macvlan")


def _vrf(keys: Spellings) -> Iterator[Wrong]:
    names = keys.all("vrfname")
    if not names:
        yield _wrong("vrfname", "it is missing", "name the VRF that the interface joins")
    for value in names:
        if wrong := why_no_link_name(value):
            yield _wrong("vrfname", *wrong)
    for value in keys.all("table"):
        if wrong := why_no_number("table", value):
            yield _wrong("table", *wrong)


def _host_local(ipam: Spellings) -> Iterator[Wrong]:
    if ipam.texts("subnet"):
        yield from _range(ipam, "ipam")
    for value in ipam.all("subnet"):
        if not isinstance(value, str):
            yield _wrong("ipam.subnet", f"it must be a text, not {kind_of(value)}", _CIDR)
    for sets in ipam.all("ranges"):
        if not isinstance(sets, list) or not all(isinstance(one, list) for one in sets):
            yield _wrong("ipam.ranges", "it must be a list of lists", 'write [[{"subnet": …}]]')
            continue
        for index, one in enumerate(sets):
            for place, entry in enumerate(one):
                if isinstance(entry, dict):
                    yield from _range(Spellings(entry), f"ipam.ranges[{index}][{place}]")


_CIDR: Final = "write a subnet like 10.22.100.0/24"
_ADDRESS: Final = "write an address like 10.22.100.36"


def _range(entry: Spellings, path: str) -> Iterator[Wrong]:
    subnet = _subnet(entry)
    if subnet is None:
        yield _wrong(f"{path}.subnet", "it is no subnet", _CIDR)
        return
    if subnet.max_prefixlen - subnet.prefixlen < _SPARED:
        yield _wrong(f"{path}.subnet", "it is too small to give addresses out of", _CIDR)
    found: dict[str, IPAddress] = {}
    for name in ("rangeStart", "rangeEnd", "gateway"):
        for value in entry.all(name):
            address = _address(value)
            if address is None and value != "":
                yield _wrong(f"{path}.{name}", "it is no IP address", _ADDRESS)
            elif address is not None and address in subnet:
                found[name] = address
            elif address is not None and name == "gateway":
                message = "it is not in the subnet, so the interface does not reach it"
                yield f"{path}.gateway", message, "write one of the subnet"
            elif address is not None:
                what = "it is not in the subnet"
                yield _wrong(f"{path}.{name}", what, "write one of the subnet")
    first, last = found.get("rangeStart"), found.get("rangeEnd")
    if first is not None and last is not None and int(first) > int(last):
        yield _wrong(f"{path}.rangeEnd", "it is before rangeStart", "exchange the two")


def _subnet(entry: Spellings) -> IPNetwork | None:
    try:
        return ip_network(entry.texts("subnet")[-1])
    except (ValueError, IndexError):
        return None


def _static(ipam: Spellings) -> Iterator[Wrong]:
    for index, entry in enumerate(ipam.children("addresses")):
        path = f"ipam.addresses[{index}]"
        for value in entry.all("address"):
            if not isinstance(value, str) or not _is_interface(value):
                what = "it is no address with prefix length"
                yield _wrong(f"{path}.address", what, "write one like 10.22.100.36/24")
        for value in entry.all("gateway"):
            if value != "" and _address(value) is None:
                yield _wrong(f"{path}.gateway", "it is no IP address", _ADDRESS)


def _routes(ipam: Spellings) -> Iterator[Wrong]:
    for index, entry in enumerate(ipam.children("routes")):
        path = f"ipam.routes[{index}]"
        for value in entry.all("dst"):
            if not isinstance(value, str) or not _is_interface(value):
                yield _wrong(f"{path}.dst", "it is no subnet", _CIDR)
        for value in entry.all("gw"):
            if value != "" and _address(value) is None:
                yield _wrong(f"{path}.gw", "it is no IP address", _ADDRESS)


def _address(value: Any) -> IPAddress | None:
    try:
        return parse_address(value) if isinstance(value, str) and value else None
    except BadInput:
        return None


def _is_interface(text: str) -> bool:
    try:
        parse_interface(text)
    except BadInput:
        return False
    return "/" in text
