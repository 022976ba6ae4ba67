"""Make the delegate's netconf of flannel's netconf and the node's lease."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_interface, ip_network
from typing import Any

from planes.model.errors import BadInput, JsonObject, NotFound
from planes.model.wire.netconf import NetConf

_KNOWN = frozenset(
    {
        "FLANNEL_NETWORK",
        "FLANNEL_IPV6_NETWORK",
        "FLANNEL_SUBNET",
        "FLANNEL_IPV6_SUBNET",
        "FLANNEL_MTU",
        "FLANNEL_IPMASQ",
    }
)


@dataclass(frozen=True, slots=True)
class FlannelConf:
    """A checked flannel netconf."""

    name: str
    cni_version: str
    subnet_file: str
    data_dir: str
    delegate: JsonObject
    ipam: JsonObject
    runtime_config: JsonObject | None


@dataclass(frozen=True, slots=True)
class Lease:
    """The subnets that flanneld assigned to this node, `10.244.1.0/24`: host bits are cleared."""

    networks: tuple[str, ...]
    ipv6_networks: tuple[str, ...]
    subnet: str
    ipv6_subnet: str
    mtu: int
    is_masqueraded: bool


def read_flannel_conf(conf: NetConf) -> FlannelConf:
    """Read and check a flannel netconf.

    Raises:
        BadInput: the delegate has keys that are generated, or a member has a wrong type.
    """
    fields = conf.fields()
    delegate = fields.child("delegate")
    if delegate is not None:
        for key in ("name", "ipam"):
            if delegate.has(key):
                raise BadInput(
                    f"cannot use delegate: it must not contain {key!r}",
                    remedy=f"move {key!r} out of delegate",
                )
        delegate.string("type")
    return FlannelConf(
        name=conf.name,
        cni_version=conf.cni_version,
        subnet_file=fields.string("subnetFile") or "/run/flannel/subnet.env",
        data_dir=fields.string("dataDir") or "/var/lib/cni/flannel",
        delegate=fields.object("delegate") or {},
        ipam=fields.object("ipam") or {},
        runtime_config=fields.object("runtimeConfig"),
    )


def parse_lease(text: str, path: str) -> Lease:
    """Read a lease: KEY=VALUE lines, unknown keys ignored.

    Raises:
        NotFound: keys that are needed are missing.
        BadInput: a value is wrong.
    """
    values: dict[str, str] = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if key in _KNOWN and equals:
            values[key] = value.strip().strip('"')
    _require(values, path)
    try:
        return Lease(
            networks=_networks(values.get("FLANNEL_NETWORK", "")),
            ipv6_networks=_networks(values.get("FLANNEL_IPV6_NETWORK", "")),
            subnet=_subnet(values.get("FLANNEL_SUBNET", "")),
            ipv6_subnet=_subnet(values.get("FLANNEL_IPV6_SUBNET", "")),
            mtu=int(values["FLANNEL_MTU"]),
            is_masqueraded=values["FLANNEL_IPMASQ"] == "true",
        )
    except ValueError as error:
        raise BadInput(
            f"cannot use {path}: {error}", remedy="see what flanneld of this node wrote there"
        ) from error


def _require(values: dict[str, str], path: str) -> None:
    missing = []
    if not values.get("FLANNEL_NETWORK") and not values.get("FLANNEL_IPV6_NETWORK"):
        missing += ["FLANNEL_NETWORK", "FLANNEL_IPV6_NETWORK"]
    if not values.get("FLANNEL_SUBNET") and not values.get("FLANNEL_IPV6_SUBNET"):
        missing += ["FLANNEL_SUBNET", "FLANNEL_IPV6_SUBNET"]
    missing += [key for key in ("FLANNEL_MTU", "FLANNEL_IPMASQ") if not values.get(key)]
    if missing:
        raise NotFound(
            f"cannot use {path}: it is missing {', '.join(missing)}",
            remedy="see whether flanneld runs on this node",
        )


def _networks(text: str) -> tuple[str, ...]:
    found = [str(ip_network(part.strip(), strict=False)) for part in text.split(",") if part]
    return tuple(dict.fromkeys(found))


def _subnet(text: str) -> str:
    return str(ip_interface(text).network) if text else ""


def delegate_conf(read: FlannelConf, lease: Lease) -> NetConf:
    """Return the delegate's netconf."""
    made: dict[str, Any] = dict(read.delegate)
    if read.runtime_config is not None:
        made["runtimeConfig"] = read.runtime_config
    made["name"] = read.name
    made.setdefault("type", "bridge")
    made.setdefault("ipMasq", not lease.is_masqueraded)
    made.setdefault("mtu", lease.mtu)
    if made["type"] == "bridge":
        made.setdefault("isGateway", True)
    if read.cni_version:
        made["cniVersion"] = read.cni_version
    made["ipam"] = _ipam(read.ipam, lease)
    return NetConf(made)


def _ipam(base: JsonObject, lease: Lease) -> JsonObject:
    made: dict[str, Any] = dict(base)
    made.setdefault("type", "host-local")
    made["ranges"] = [[{"subnet": one}] for one in (lease.subnet, lease.ipv6_subnet) if one]
    routes = made.get("routes")
    made["routes"] = [
        *(routes if isinstance(routes, list) else []),
        *({"dst": one} for one in (*lease.networks, *lease.ipv6_networks)),
    ]
    return made
