"""Render the NAD of a plane whose network is typed: a conflist that any CNI runtime can run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from planes.model.encode import dumps
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE, RESOURCE_NAME_ANNOTATION
from planes.model.objects import Nad
from planes.model.spec.plane_spec import IpamMode, Plane, TypedNetwork

_CNI_VERSION = "1.0.0"
_PERSISTENT = "allowPersistentIPs"
"""By it KubeVirt's IPAM controller sees for which networks it is to make IPAMClaims."""


def plane_nad(plane: Plane) -> Nad | None:
    """Return the NAD that backs a plane, None where an administrator wrote one (`nadRef`).

    The same plane always gives the same bytes, so that a controller can compare and repair them.
    """
    if plane.network is None:
        return None
    conflist: JsonObject = {
        "cniVersion": _CNI_VERSION,
        "name": plane.name,
        "plugins": [_main(plane, plane.network), *_chained(plane, plane.network)],
    }
    if plane.is_persistent:
        conflist[_PERSISTENT] = True
    resource = plane.network.resource_name
    annotations = {RESOURCE_NAME_ANNOTATION: resource} if resource else {}
    config = dumps(conflist, f"plane {plane.name}", sort_keys=False).decode()
    return Nad(NETPLANE_NAMESPACE, plane.name, config, annotations, plane=plane.name)


def _main(plane: Plane, network: TypedNetwork) -> JsonObject:
    plugin: JsonObject = {"type": network.type, **_KEYS[network.type](network)}
    if plane.mtu:
        plugin["mtu"] = plane.mtu
    plugin["capabilities"] = _capabilities(network)
    plugin["ipam"] = {"type": "plane", "plane": plane.name} if _has_addresses(plane) else {}
    return plugin


def _has_addresses(plane: Plane) -> bool:
    return plane.ipam_mode is IpamMode.PLANE


def _capabilities(network: TypedNetwork) -> Mapping[str, bool]:
    found = {"ips": True}
    if network.type != "ipvlan":
        found["mac"] = True
    if network.resource_name:
        found["deviceID"] = True
    return found


def _macvlan(network: TypedNetwork) -> JsonObject:
    return _without_empty(master=network.master, mode=network.mode)


def _bridge(network: TypedNetwork) -> JsonObject:
    return _without_empty(bridge=network.master, vlan=network.vlan)


def _vlan(network: TypedNetwork) -> JsonObject:
    return {"master": network.master, "vlanId": network.vlan}


def _sriov(network: TypedNetwork) -> JsonObject:
    return _without_empty(vlan=network.vlan)


def _host_device(network: TypedNetwork) -> JsonObject:
    return _without_empty(device=network.master)


_KEYS: Mapping[str, Callable[[TypedNetwork], JsonObject]] = {
    "macvlan": _macvlan,
    "ipvlan": _macvlan,
    "bridge": _bridge,
    "vlan": _vlan,
    "sriov": _sriov,
    "host-device": _host_device,
}


def _without_empty(**fields: object) -> JsonObject:
    return {key: value for key, value in fields.items() if value}


def _chained(plane: Plane, network: TypedNetwork) -> list[JsonObject]:
    found: list[JsonObject] = []
    if plane.sysctls:
        found.append({"type": "tuning", "sysctl": dict(sorted(plane.sysctls.items()))})
    if plane.bandwidth:
        found.append({"type": "bandwidth", **plane.bandwidth})
    return [*found, *network.plugins]
