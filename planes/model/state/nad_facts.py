"""Facts of a NAD's configuration, for checks and warnings: addresses, capabilities, wires.

Reading never fails: a configuration that cannot be run has a `fault` instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from planes.model.addresses import (
    AddressRange,
    IPAddress,
    IPNetwork,
    parse_address,
    parse_interface,
    parse_network,
    range_of,
)
from planes.model.bounds import MAX_WIRES
from planes.model.errors import BadInput, JsonObject, PlanesError
from planes.model.names import RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad
from planes.model.state.kubelet_devices import lacking_device
from planes.model.state.spellings import Spellings
from planes.model.state.supplies import HOST_LOCAL, Supply, supplies_of
from planes.model.state.wire import Wire
from planes.model.state.wires import wires_of
from planes.model.wire.netconf import ConfList, NetConf, parse_conflist

STATIC_IPAMS = frozenset({"static", "host-local", "plane"})
"""IPAM plugins that hand out an address they are asked for, by capability or CNI_ARGS."""
_OF_NODE = frozenset({"bridge", "cnv-bridge", "ptp"})
"""Types that make a network on the node by themselves."""
IGNORING_IPAMS = frozenset({"dhcp", "whereabouts"})
"""IPAM plugins that ignore a requested address."""
DEFAULT_IPVLAN_MODE = "l2"


@dataclass(frozen=True, slots=True)
class NadRange:
    """One range of an IPAM: addresses `span` of `subnet`."""

    subnet: IPNetwork
    span: AddressRange
    gateway: IPAddress | None = None


@dataclass(frozen=True, slots=True)
class NadFacts:
    """The facts; `is_known` is False for an empty configuration, which is a file on the node.

    Attributes:
        network: the network's name in CNI.
        main: the first plugin's configuration, as `type`, `ipam`, `ranges` and `routes` are of it.
        vrfs: the configurations of the plugins of type `vrf`.
        wires: the wires that any of the plugins may attach a pod to.
        supplies: the IPAMs of all plugins.
        chooses_mac: the configuration itself names a MAC.
        ipvlan_modes: the modes that any of the plugins may give to an ipvlan, and so to all of its
            master.
        lacks_device: the type that needs a device while neither the NAD's resource nor the
            configuration says which; "" where there is none.
    """

    is_known: bool = True
    fault: str = ""
    remedy: str = ""
    network: str = ""
    type: str = ""
    main: JsonObject = field(default_factory=dict)
    vrfs: tuple[JsonObject, ...] = ()
    capabilities: frozenset[str] = frozenset()
    ipam: JsonObject = field(default_factory=dict)
    ipam_type: str = ""
    ranges: tuple[NadRange, ...] = ()
    routes: tuple[JsonObject, ...] = ()
    wires: frozenset[Wire] = frozenset()
    supplies: tuple[Supply, ...] = ()
    chooses_mac: bool = False
    ipvlan_modes: frozenset[str] = frozenset()
    lacks_device: str = ""

    @property
    def pool(self) -> str:
        """The name by which host-local finds the files with its addresses, "" without any."""
        has_files = any(supply.ipam_type == HOST_LOCAL for supply in self.supplies)
        return self.network if has_files else ""

    @property
    def is_of_node(self) -> bool:
        """Whether it is a bridge on each node, with addresses that each node hands out by itself.

        Only the node knows whether the bridge has an uplink; with one, its nodes would hand out the
        same addresses anyway.
        """
        is_local = all(supply.ipam_type == HOST_LOCAL for supply in self.supplies)
        return self.type in _OF_NODE and bool(self.supplies) and is_local

    def range_of(self, address: IPAddress) -> NadRange | None:
        """Return the range whose subnet an address lies in, one that holds it first."""
        same = [
            entry
            for entry in self.ranges
            if entry.subnet.version == address.version and address in entry.subnet
        ]
        return next((entry for entry in same if address in entry.span), next(iter(same), None))


def nad_facts(nad: Nad) -> NadFacts:
    """Read a NAD's configuration."""
    if nad.fault:
        return NadFacts(fault=nad.fault, remedy=nad.remedy)
    if not nad.config.strip():
        return NadFacts(is_known=False, network=nad.name)
    try:
        conflist = parse_conflist(nad.config, default_name=nad.name, what=f"the NAD {nad.ref}")
    except PlanesError as error:
        return NadFacts(fault=error.message, remedy=error.remedy)
    return network_facts(conflist, nad.annotations.get(RESOURCE_NAME_ANNOTATION, ""))


def network_facts(conflist: ConfList, resource: str = "") -> NadFacts:
    """Return the facts of a configuration.

    Args:
        conflist: the configuration, wherever it was found.
        resource: the device plugin's resource that its NAD is annotated with.
    """
    wires = wires_of(conflist, resource)
    if len(wires) > MAX_WIRES:
        return NadFacts(
            fault=f"its plugins lead to {len(wires)} interfaces and devices of the node",
            remedy=f"write a NAD for each network: at most {MAX_WIRES} are possible",
        )
    main = conflist.plugins[0]
    ipam = main.fields().raw("ipam")
    ipam = ipam if isinstance(ipam, dict) else {}
    ipam_type = ipam.get("type")
    routes = ipam.get("routes")
    return NadFacts(
        network=conflist.name,
        type=main.type,
        main=main.raw,
        vrfs=tuple(plugin.raw for plugin in conflist.plugins if plugin.type == "vrf"),
        capabilities=conflist.capabilities(),
        ipam=ipam,
        ipam_type=ipam_type if isinstance(ipam_type, str) else "",
        ranges=tuple(_ranges(ipam)),
        routes=tuple(route for route in _objects(routes)),
        wires=wires,
        supplies=supplies_of(conflist),
        chooses_mac=any(map(_chooses_mac, conflist.plugins)),
        ipvlan_modes=frozenset(mode for one in conflist.plugins for mode in _ipvlan_modes(one)),
        lacks_device=lacking_device(conflist, resource),
    )


def _chooses_mac(plugin: NetConf) -> bool:
    """Report whether a plugin's configuration names a MAC, in any key that plugins read."""
    keys = Spellings(plugin.raw)
    places = [keys, *keys.children("runtimeConfig")]
    for args in keys.children("args"):
        places += args.children("cni")
    return any(place.texts("mac") for place in places)


def _ipvlan_modes(plugin: NetConf) -> Iterator[str]:
    keys = Spellings(plugin.raw)
    delegates = [one for one in keys.children("delegate") if "ipvlan" in one.texts("type")]
    for each in [keys] if plugin.type == "ipvlan" else delegates:
        yield from (mode or DEFAULT_IPVLAN_MODE for mode in each.names("mode") or [""])


def _objects(value: Any) -> Iterator[JsonObject]:
    if isinstance(value, list):
        yield from (entry for entry in value if isinstance(entry, dict))


def _ranges(ipam: JsonObject) -> Iterator[NadRange]:
    """Read the addresses and ranges of `static` and `host-local`; skip the unreadable."""
    for entry in _objects(ipam.get("addresses")):
        yield from _static(entry)
    if ipam.get("type") != "host-local":
        return
    yield from _range(ipam)
    sets = ipam.get("ranges")
    for each in sets if isinstance(sets, list) else ():
        for entry in _objects(each):
            yield from _range(entry)


def _static(entry: JsonObject) -> Iterator[NadRange]:
    try:
        written = parse_interface(str(entry.get("address", "")))
    except BadInput:
        return
    span = AddressRange(written.ip, written.ip)
    yield NadRange(written.network, span, _address(entry.get("gateway")))


def _range(entry: JsonObject) -> Iterator[NadRange]:
    try:
        subnet = parse_network(str(entry.get("subnet", "")))
    except BadInput:
        return
    whole = range_of(subnet)
    if subnet.prefixlen < subnet.max_prefixlen - 1:
        # host-local starts after the network address and ends before IPv4's broadcast address
        whole = AddressRange(
            whole.nth(1), whole.nth(whole.size - (2 if subnet.version == 4 else 1))
        )
    first = _address(entry.get("rangeStart")) or whole.first
    last = _address(entry.get("rangeEnd")) or whole.last
    if first.version != last.version or int(first) > int(last):
        return
    gateway = _address(entry.get("gateway")) or range_of(subnet).nth(
        min(1, subnet.num_addresses - 1)
    )
    yield NadRange(subnet, AddressRange(first, last), gateway)


def _address(value: Any) -> IPAddress | None:
    try:
        return parse_address(value) if isinstance(value, str) and value else None
    except BadInput:
        return None
