"""Several subnets on one bridge: networks that name the same bridge, often by leaving it out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import ip_network
from typing import Any, Final

from planes.cli.doctor.diagnosis import Diagnosis, warning
from planes.cli.doctor.facts.networks import KnownNetwork, plugins_of
from planes.model.lines import first_few
from planes.model.wire.netconf import NetConf

DEFAULT_BRIDGE: Final = "cni0"
_MOST_NAMED: Final = 6
_MOST_RANGES: Final = 64


def judge_bridges(networks: Iterable[KnownNetwork]) -> Iterator[Diagnosis]:
    """Yield bridges that networks of different subnets share on one VLAN."""
    found: dict[tuple[str, int], dict[KnownNetwork, frozenset[str]]] = {}
    for network, plugin in plugins_of(networks):
        if plugin.type == "bridge":
            fields = plugin.fields()
            bridge, vlan = fields.raw("bridge") or DEFAULT_BRIDGE, fields.raw("vlan") or 0
            if isinstance(bridge, str) and isinstance(vlan, int):
                users = found.setdefault((bridge, vlan), {})
                users[network] = _subnets(network, plugin)
    for (bridge, vlan), users in found.items():
        known = {network: subnets for network, subnets in users.items() if subnets}
        if len(set(known.values())) < 2:
            continue
        named = sorted(f"{n.title} ({', '.join(sorted(subnets))})" for n, subnets in known.items())
        where = f"bridge {bridge}" + (f", VLAN {vlan}," if vlan else "")
        count = len(frozenset[str]().union(*known.values()))
        yield warning(
            f"{where} has {count} subnets: {first_few(named, _MOST_NAMED)}",
            "they are one segment: broadcasts of each reach the pods of all, and the bridge gets "
            'a gateway address of each; a network without "bridge" uses cni0',
            f"{next(iter(known)).edit} (a bridge or vlan of its own)",
        )


def _subnets(network: KnownNetwork, plugin: NetConf) -> frozenset[str]:
    if network.plane is not None and network.plane.subnets:
        return frozenset(str(subnet.cidr) for subnet in network.plane.subnets)
    ipam = plugin.ipam
    texts: list[Any] = [ipam.get("subnet")]
    ranges = ipam.get("ranges")
    for group in ranges[:_MOST_RANGES] if isinstance(ranges, list) else ():
        members = group[:_MOST_RANGES] if isinstance(group, list) else ()
        texts += [one.get("subnet") for one in members if isinstance(one, dict)]
    found = set()
    for text in texts:
        try:
            found.add(str(ip_network(text, strict=False)) if isinstance(text, str) else "")
        except ValueError:
            continue
    return frozenset(found - {""})
