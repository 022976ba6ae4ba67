"""Parts of the kernel, and programs, that the networks in force need."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

from planes.cli.doctor.diagnosis import CannotCheck, Diagnosis, error
from planes.cli.doctor.facts.kernel import FeatureState, KernelBuild, KernelFeature
from planes.cli.doctor.facts.networks import KnownNetwork, plugins_of
from planes.model.lines import first_few
from planes.model.wire.netconf import NetConf

VETH: Final = KernelFeature("CONFIG_VETH", "veth")
BRIDGE: Final = KernelFeature("CONFIG_BRIDGE", "bridge")
VLAN_FILTERING: Final = KernelFeature("CONFIG_BRIDGE_VLAN_FILTERING")
_ALWAYS: Final[Mapping[str, tuple[KernelFeature, ...]]] = {
    "macvlan": (KernelFeature("CONFIG_MACVLAN", "macvlan"),),
    "macvtap": (KernelFeature("CONFIG_MACVTAP", "macvtap"),),
    "ipvlan": (KernelFeature("CONFIG_IPVLAN", "ipvlan"),),
    "vlan": (KernelFeature("CONFIG_VLAN_8021Q", "8021q"),),
    "vrf": (KernelFeature("CONFIG_NET_VRF", "vrf"),),
    "dummy": (KernelFeature("CONFIG_DUMMY", "dummy"),),
    "bridge": (BRIDGE, VETH),
    "ptp": (VETH,),
    "sbr": (KernelFeature("CONFIG_IP_MULTIPLE_TABLES"),),
    "bandwidth": (
        KernelFeature("CONFIG_NET_SCH_TBF", "sch_tbf"),
        KernelFeature("CONFIG_NET_SCH_INGRESS", "sch_ingress"),
        KernelFeature("CONFIG_NET_ACT_MIRRED", "act_mirred"),
        KernelFeature("CONFIG_IFB", "ifb"),
    ),
}
_WITH_VLANS: Final = ("vlan", "vlanTrunk")
_FILTERING: Final = frozenset({"portmap", "firewall"})
_TABLES: Final = KernelFeature("CONFIG_NF_TABLES", "nf_tables")
_TOOLS: Final[Mapping[str, tuple[KernelFeature, ...]]] = {
    "nft": (_TABLES,),
    "iptables": (_TABLES, KernelFeature("CONFIG_IP_NF_IPTABLES", "ip_tables")),
}
"""By program: the parts of the kernel of which it needs one."""
_MOST_NAMED: Final = 4


def judge_kernel(
    networks: Iterable[KnownNetwork], build: KernelBuild, tools: Collection[str]
) -> Iterator[Diagnosis]:
    """Yield what networks need and the node lacks.

    Args:
        networks: those in force.
        build: the running kernel.
        tools: the programs of `nft` and `iptables` that the node has.

    Raises:
        CannotCheck: of some part of the kernel it is not known whether it is there.
    """
    users: dict[KernelFeature, list[str]] = {}
    rules: list[str] = []
    for network, plugin in plugins_of(networks):
        for feature in needed(plugin):
            users.setdefault(feature, []).append(f"{network.title} ({plugin.type})")
        if _has_rules(plugin):
            rules.append(network.title)
    unknown = []
    for feature, titles in users.items():
        state = build.state_of(feature)
        if state is FeatureState.ABSENT:
            yield _absent(feature, titles, build)
        elif state is FeatureState.UNKNOWN:
            unknown.append(feature.option)
    if rules:
        yield from _rules(rules, build, tools)
    if unknown:
        raise CannotCheck(
            f"the kernel {build.release} shows neither its configuration nor its modules: "
            f"{', '.join(sorted(unknown))}"
        )


def needed(plugin: NetConf) -> tuple[KernelFeature, ...]:
    """Return the parts of the kernel that a plugin needs."""
    found = _ALWAYS.get(plugin.type, ())
    fields = plugin.fields()
    if plugin.type == "bridge" and any(fields.raw(key) for key in _WITH_VLANS):
        return (*found, VLAN_FILTERING)
    return found


def _has_rules(plugin: NetConf) -> bool:
    fields = plugin.fields()
    return plugin.type in _FILTERING or bool(fields.raw("ipMasq") or fields.raw("macspoofchk"))


def _rules(titles: list[str], build: KernelBuild, tools: Collection[str]) -> Iterator[Diagnosis]:
    why = "published ports, masquerading and filters of these networks fail at ADD"
    there = [tool for tool in _TOOLS if tool in tools]
    if not there:
        what = f"neither nft nor iptables is installed, and rules are needed by {_named(titles)}"
        yield error(what, why, "apt-get install nftables (or iptables)")
    elif all(
        build.state_of(feature) is FeatureState.ABSENT for tool in there for feature in _TOOLS[tool]
    ):
        yield error(
            f"the kernel {build.release} lacks what {' and '.join(there)} need, and rules are "
            f"needed by {_named(titles)}",
            why,
            "boot a kernel with CONFIG_NF_TABLES, or install its module nf_tables",
        )


def _absent(feature: KernelFeature, titles: list[str], build: KernelBuild) -> Diagnosis:
    what = f"the kernel {build.release} lacks {feature.option}, needed by {_named(titles)}"
    why = "no pod here gets these networks: operation not supported"
    if build.options is not None and build.options.get(feature.option) == "m":
        mend = f"install the kernel's module {feature.module} (linux-modules-extra-{build.release})"
        return error(what, why, mend)
    return error(what, why, f"boot a kernel with {feature.option}, or use another type of network")


def _named(titles: list[str]) -> str:
    return first_few(list(dict.fromkeys(titles)), _MOST_NAMED)
