"""The wires that a configuration may attach a pod to.

All plugins of a list count, and every spelling of their keys: a wire is listed where any plugin
might use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from planes.model.state.spellings import Spellings
from planes.model.state.wire import MAX_VLAN, Wire, WireKind, device_wire, link_wires
from planes.model.wire.netconf import ConfList

DEFAULT_BRIDGE: Final = "cni0"
_MACVTAP_RESOURCE: Final = "macvtap.network.kubevirt.io/"
_MAX_DEPTH: Final = 4  # delegates of delegates


def wires_of(conflist: ConfList, resource: str = "") -> frozenset[Wire]:
    """Return the wires of a network.

    Args:
        conflist: its configuration.
        resource: the device plugin's resource that its NAD is annotated with.
    """
    found: set[Wire] = set()
    for plugin in conflist.plugins:
        found.update(_wires(plugin.type, Spellings(plugin.raw), conflist.name))
    if resource:
        found.update(_of_resource(conflist, resource))
    return frozenset(found)


def _wires(type_: str, keys: Spellings, network: str) -> Iterator[Wire]:
    reader = _READERS.get(type_)
    if reader is not None:
        yield from reader(keys)
    elif type_ not in _WITHOUT_WIRE:
        yield Wire(WireKind.NETWORK, f"{type_}/{network}")
        yield from _unknown(keys)
    for runtime in keys.children("runtimeConfig"):
        yield from map(device_wire, runtime.texts("deviceID"))


def _on_master(keys: Spellings) -> Iterator[Wire]:
    is_whole = any(mode.lower() == "passthru" for mode in keys.texts("mode"))
    yield from _masters(keys, None if is_whole else 0)


def _ipvlan(keys: Spellings) -> Iterator[Wire]:
    """Yield its master; without one the plugin takes the interface that prevResult names."""
    yield from _on_master(keys)
    for previous in keys.children("prevResult"):
        for interface in previous.children("interfaces"):
            for name in interface.texts("name"):
                yield from link_wires(name)


def _macvtap(keys: Spellings) -> Iterator[Wire]:
    for master in keys.texts("master"):  # without one only its device plugin knows the parent
        yield from link_wires(master)


def _vlan(keys: Spellings) -> Iterator[Wire]:
    for vlan in _vlans(keys, "vlanId"):
        yield from _masters(keys, vlan)


def _masters(keys: Spellings, vlan: int | None) -> Iterator[Wire]:
    inside = keys.all("linkInContainer")
    if any(value is True for value in inside):
        yield Wire(WireKind.INNER, "", vlan)
    # Plugins before 1.3 do not know linkInContainer and take the host's link of that name.
    for master in keys.names("master") or ([] if _is_inner_only(inside) else [""]):
        yield from link_wires(master, vlan)


def _is_inner_only(values: list[Any]) -> bool:
    """Report whether all spellings of a switch are on: of several, a plugin reads any one."""
    return bool(values) and all(value is True for value in values)


def _bridge(keys: Spellings) -> Iterator[Wire]:
    names = [name or DEFAULT_BRIDGE for name in keys.names("bridge") or [""]]
    yield from _bridges(names, [None] if keys.all("vlanTrunk") else _vlans(keys, "vlan"))


def _tap(keys: Spellings) -> Iterator[Wire]:
    yield from _bridges(keys.texts("bridge"), [0])


def _ovs(keys: Spellings) -> Iterator[Wire]:
    yield from _bridges(keys.texts("bridge"), [None] if keys.all("trunk") else _vlans(keys, "vlan"))
    yield from _devices(keys)


def _bridges(names: list[str], vlans: list[int | None]) -> Iterator[Wire]:
    for name in names:
        for vlan in vlans:
            yield from link_wires(name, vlan, is_bridge=True)


def _sriov(keys: Spellings) -> Iterator[Wire]:
    for vlan in _vlans(keys, "vlan"):
        yield from (device_wire(device, vlan) for device in keys.texts("deviceID"))


def _devices(keys: Spellings) -> Iterator[Wire]:
    for device in keys.texts("device"):
        yield from link_wires(device, None)
    for mac in keys.texts("hwaddr"):
        yield Wire(WireKind.MAC, mac.strip().lower().replace("-", ":"), None)
    for path in keys.texts("kernelpath"):
        yield Wire(WireKind.PATH, path.rstrip("/"), None)
    for key in ("pciBusID", "deviceID"):
        yield from map(device_wire, keys.texts(key))


def _bond(keys: Spellings) -> Iterator[Wire]:
    inside = keys.all("linksInContainer")
    if any(value is True for value in inside):
        yield Wire(WireKind.INNER, "", 0)
    for link in () if _is_inner_only(inside) else keys.children("links"):
        for name in link.texts("name"):
            yield from link_wires(name, None)


def _flannel(keys: Spellings) -> Iterator[Wire]:
    yield from _delegates(keys, "bridge", "delegate")
    if not any(keys.objects("delegate")):
        yield from _bridges([DEFAULT_BRIDGE], [0])


def _unknown(keys: Spellings, depth: int = 0) -> Iterator[Wire]:
    """Yield the wires of an unknown plugin, as far as it uses the usual keys."""
    vlans = [*_vlans(keys, "vlan", []), *_vlans(keys, "vlanId", [])] or [0]
    yield from _bridges(keys.texts("bridge"), vlans)
    for master in keys.texts("master"):
        for vlan in vlans:
            yield from link_wires(master, vlan)
    yield from _devices(keys)
    yield from _bond(keys)
    yield from _delegates(keys, "", "delegate", depth)
    yield from _delegates(keys, "", "delegates", depth)
    yield from _delegates(keys, "", "plugins", depth)


def _delegates(keys: Spellings, default: str, key: str, depth: int = 0) -> Iterator[Wire]:
    if depth >= _MAX_DEPTH:
        return
    for inner in keys.children(key):
        for type_ in inner.texts("type") or [default]:
            reader = _READERS.get(type_)
            if reader is not None and reader is not _flannel:
                yield from reader(inner)
            elif type_ not in _WITHOUT_WIRE:
                yield from _unknown(inner, depth + 1)


def _vlans(keys: Spellings, key: str, default: list[int | None] | None = None) -> list[int | None]:
    """Return the VLANs of a key; None for a value that cannot be read."""
    found: list[int | None] = [
        value
        if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_VLAN
        else None
        for value in keys.all(key)
    ]
    return found or ([0] if default is None else default)


def _of_resource(conflist: ConfList, resource: str) -> Iterator[Wire]:
    """Yield the wires of a resource; beside a master it is for RDMA, and no wire."""
    for plugin in conflist.plugins:
        if plugin.type in _BY_VLAN:
            for vlan in _vlans(Spellings(plugin.raw), "vlan"):
                yield Wire(WireKind.RESOURCE, resource, vlan)
        elif plugin.type == "macvtap":
            yield Wire(WireKind.RESOURCE, resource)
        elif plugin.type in {"host-device", "bond"} or plugin.type not in (
            _WITHOUT_WIRE | _READERS.keys()
        ):
            yield Wire(WireKind.RESOURCE, resource, None)
    if resource.startswith(_MACVTAP_RESOURCE):
        yield from link_wires(resource.removeprefix(_MACVTAP_RESOURCE), 0)


_Reader = Callable[[Spellings], Iterator[Wire]]
_BY_VLAN: Final = frozenset({"sriov", "ib-sriov", "ib-sriov-cni", "ovs", "accelerated-bridge"})
_READERS: Final[Mapping[str, _Reader]] = {
    "macvlan": _on_master,
    "ipvlan": _ipvlan,
    "ipoib": _on_master,
    "ib-ipoib": _on_master,
    "macvtap": _macvtap,
    "vlan": _vlan,
    "bridge": _bridge,
    "cnv-bridge": _bridge,
    "tap": _tap,
    "cnv-tap": _tap,
    "ovs": _ovs,
    "accelerated-bridge": _ovs,
    "host-device": _devices,
    "sriov": _sriov,
    "ib-sriov": _sriov,
    "ib-sriov-cni": _sriov,
    "bond": _bond,
    "flannel": _flannel,
}
_WITHOUT_WIRE: Final = frozenset(
    {
        "bandwidth",
        "cnv-tuning",
        "dummy",
        "firewall",
        "loopback",
        "portmap",
        "ptp",
        "route-override",
        "sbr",
        "tuning",
        "vrf",
    }
)
"""Types that change an interface, or make one that reaches the node alone."""
