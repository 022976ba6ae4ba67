"""Sysctls of the node that keep packets of planes from their pods."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from cni.net.host_survey import HostSurvey
from planes.cli.doctor.diagnosis import Diagnosis, error, hint, warning
from planes.cli.doctor.facts.networks import KnownNetwork, plugins_of
from planes.cli.doctor.facts.sysctls import NodeSysctls
from planes.cli.doctor.judging.bridges import DEFAULT_BRIDGE
from planes.model.lines import first_few

_ROUTED: Final = frozenset({"ptp", "flannel"})
_OF_PODS: Final = frozenset({"veth", "tun"})
_STRICT: Final = 1
_SILENT: Final = 8
"""Of arp_ignore; 1 to 3 answer for the addresses that matter here, 4 to 7 are not in use."""
_NEARLY: Final = 0.85
_FULL: Final = 0.97
_MOST_NAMED: Final = 4


def judge_sysctls(
    networks: Sequence[KnownNetwork],
    sysctls: NodeSysctls,
    survey: HostSurvey,
    *,
    has_attached: bool = True,
) -> Iterator[Diagnosis]:
    """Yield the settings that offend.

    Args:
        networks: those in force.
        sysctls: of the node.
        survey: of its links.
        has_attached: whether pods of this node are attached: ADD switches forwarding on.
    """
    yield from _reverse_paths(networks, sysctls)
    yield from _arp(networks, sysctls, survey)
    yield from _bridge_filter(networks, sysctls)
    if has_attached:
        yield from _forwarding(networks, sysctls)
    yield from _ipv6(networks, sysctls)
    yield from _conntrack(sysctls)


def _reverse_paths(networks: Iterable[KnownNetwork], sysctls: NodeSysctls) -> Iterator[Diagnosis]:
    planes = [
        n.plane.name
        for n in networks
        if n.plane is not None
        and 4 in n.plane.families
        and not any(key.endswith(".rp_filter") for key in n.plane.sysctls)
    ]
    names = ("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.default.rp_filter")
    values = {name: sysctls.number(name) or 0 for name in names}
    # The larger of `all` and an interface's own counts: 1 is strict, 2 loose.
    if planes and max(values.values()) == _STRICT:
        strict = [name for name, value in values.items() if value == _STRICT]
        yield warning(
            f"{' and '.join(strict)} = 1 (strict), and pods inherit it",
            f"a pod on {_named(planes, 'plane')} has several interfaces: what comes in by one and "
            "is answered by another is dropped without an error",
            "sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.default.rp_filter=2 "
            "(and in /etc/sysctl.d; new pods get it)",
        )


def _arp(
    networks: Iterable[KnownNetwork], sysctls: NodeSysctls, survey: HostSurvey
) -> Iterator[Diagnosis]:
    names = ("net.ipv4.conf.all.arp_ignore", "net.ipv4.conf.default.arp_ignore")
    values = {name: sysctls.number(name) or 0 for name in names}
    if any(n.plane is not None and 4 in n.plane.families for n in networks):
        for name, value in values.items():
            if value == _SILENT:
                yield error(
                    f"{name} = {value}, and pods inherit it",
                    "no ARP request is answered: nobody on the plane finds the pod",
                    f"sysctl -w {name}=1 (and in /etc/sysctl.d; new pods get it)",
                )
    if values[names[0]]:
        return
    homes: dict[str, list[str]] = {}
    for link in survey.links.values():
        if link.link.is_up and link.link.kind not in _OF_PODS:
            nets = {str(one.network) for one in link.addresses if _is_subnet(one)}
            for network in nets:
                homes.setdefault(network, []).append(link.name)
    for network, links in homes.items():
        if len(links) > 1:
            yield warning(
                f"{', '.join(sorted(links))} have addresses of {network}, and arp_ignore is 0",
                "each answers ARP for the addresses of the others: frames for one interface come "
                "in by another",
                "sysctl -w net.ipv4.conf.all.arp_ignore=1 net.ipv4.conf.all.arp_announce=2",
            )


def _is_subnet(address: object) -> bool:
    version = getattr(address, "version", 0)
    network = getattr(address, "network", None)
    return version == 4 and network is not None and network.prefixlen < 31


def _bridge_filter(networks: Iterable[KnownNetwork], sysctls: NodeSysctls) -> Iterator[Diagnosis]:
    bridged = [
        n
        for n in networks
        if any(p.type == "bridge" for p in n.conflist.plugins)
        and not any(p.type == "firewall" for p in n.conflist.plugins)
    ]
    planes = [n.title for n in bridged if not n.is_default and not _bridges(n) <= sysctls.accepted]
    call = sysctls.number("net.bridge.bridge-nf-call-iptables")
    if planes and call == 1 and sysctls.drops_forwarded:
        yield warning(
            "bridge-nf-call-iptables = 1, and the policy of iptables' FORWARD chain is DROP",
            f"frames between pods on {first_few(planes, _MOST_NAMED)} pass that chain, and are "
            "dropped unless a rule accepts them",
            "iptables -I FORWARD -m physdev --physdev-is-bridged -j ACCEPT, or chain the plugin "
            "firewall to the network",
        )
    if call == 0 and any(n.is_default for n in bridged):
        yield hint(
            "bridge-nf-call-iptables = 0, and the default network is a bridge",
            "a pod that reaches a Service whose pod is on the same node gets no answer",
            "sysctl -w net.bridge.bridge-nf-call-iptables=1 (and in /etc/sysctl.d)",
        )


def _bridges(network: KnownNetwork) -> frozenset[str]:
    plugins = (plugin for plugin in network.conflist.plugins if plugin.type == "bridge")
    return frozenset(str(plugin.fields().raw("bridge") or DEFAULT_BRIDGE) for plugin in plugins)


def _forwarding(networks: Iterable[KnownNetwork], sysctls: NodeSysctls) -> Iterator[Diagnosis]:
    routed = []
    for network, plugin in plugins_of(networks):
        fields = plugin.fields()
        is_gateway = plugin.type == "bridge" and any(
            fields.raw(key) for key in ("isGateway", "isDefaultGateway", "ipMasq")
        )
        if plugin.type in _ROUTED or is_gateway:
            routed.append(network.title)
    if routed and sysctls.number("net.ipv4.ip_forward") == 0:
        yield warning(
            "net.ipv4.ip_forward = 0",
            f"the node routes for the pods of {first_few(routed, _MOST_NAMED)}: they reach nobody "
            "outside of it; ADD had switched it on, and something switched it off",
            "sysctl -w net.ipv4.ip_forward=1; grep -rs ip_forward /etc/sysctl.conf /etc/sysctl.d",
        )


def _ipv6(networks: Iterable[KnownNetwork], sysctls: NodeSysctls) -> Iterator[Diagnosis]:
    planes = [n.plane.name for n in networks if n.plane is not None and 6 in n.plane.families]
    name = "net.ipv6.conf.all.disable_ipv6"
    if not planes:
        return
    if name not in sysctls.values:
        yield error(
            "the kernel runs without IPv6",
            f"no pod here gets an address of {_named(planes, 'plane')}",
            "remove ipv6.disable=1 from the kernel's command line and reboot",
        )
    elif sysctls.number(name) == 1:
        yield warning(
            f"{name} = 1",
            f"bridges and masters on this node get no IPv6 address for {_named(planes, 'plane')}",
            f"sysctl -w {name}=0 net.ipv6.conf.default.disable_ipv6=0 (and in /etc/sysctl.d)",
        )


def _conntrack(sysctls: NodeSysctls) -> Iterator[Diagnosis]:
    count = sysctls.number("net.netfilter.nf_conntrack_count")
    most = sysctls.number("net.netfilter.nf_conntrack_max")
    if count is None or not most or count < most * _NEARLY:
        return
    make = error if count >= most * _FULL else warning
    yield make(
        f"nf_conntrack has {count} of {most} entries",
        "once it is full new connections are dropped, of all pods and of the node",
        f"sysctl -w net.netfilter.nf_conntrack_max={most * 2}; conntrack -L shows whose they are",
    )


def _named(names: Sequence[str], kind: str) -> str:
    return f"{kind}{'s' if len(names) > 1 else ''} {first_few(names, _MOST_NAMED)}"
