"""Scenarios of the types whose host end stays on the node: bridge and ptp."""

from __future__ import annotations

from typing import Any

from tests.interop.inventory.trial import V4, V6, JsonObject, Trial, host_local, static

_L2 = "0.3.0"
_ASKED = (("IgnoreUnknown", "true"), ("MAC", "c2:11:22:33:44:55"))
_MACS: JsonObject = {
    "args": {"cni": {"mac": "c2:11:22:33:44:56"}},
    "runtimeConfig": {"mac": "c2:11:22:33:44:66"},
}
_FILTERING = ("vlan-filtering",)
_OCCUPIED = (
    "host ip link add br-test address c2:11:22:00:00:01 type bridge",
    "host ip addr add 192.0.2.1/24 dev br-test",
    "host ip link set br-test up",
)


def _bridge(**more: Any) -> JsonObject:
    return {"type": "bridge", "bridge": "br-test", **more}


def _gateway(*ranges: JsonObject, **more: Any) -> JsonObject:
    return _bridge(isDefaultGateway=True, ipam=host_local(*ranges), **more)


BRIDGE = (
    Trial("l2", (_bridge(),), oldest=_L2, is_checked=False),
    Trial("v4", (_bridge(ipam=host_local(V4)),)),
    Trial("gateway", (_bridge(isGateway=True, ipam=host_local(V4)),)),
    Trial("default-gateway", (_gateway(V4),)),
    Trial("default-gateway-v6", (_gateway(V6),)),
    Trial("default-gateway-dual", (_gateway(V4, V6, mtu=1400),)),
    Trial(
        "given-default",
        (
            _bridge(
                isDefaultGateway=True,
                ipam=host_local(V4, routes=[{"dst": "0.0.0.0/0", "gw": "10.9.0.9"}]),
            ),
        ),
    ),
    Trial(
        "default-without-gateway",
        (_bridge(isDefaultGateway=True, ipam=host_local(V4, routes=[{"dst": "0.0.0.0/0"}])),),
    ),
    Trial("existing", (_gateway(V4),), prepare=("host ip link add br-test type bridge",)),
    Trial("occupied", (_gateway(V4),), prepare=_OCCUPIED, refused="br-test"),
    Trial("forced", (_gateway(V4, forceAddress=True),), prepare=_OCCUPIED),
    Trial(
        "not-a-bridge",
        (_gateway(V4),),
        prepare=("host ip link add br-test type veth peer name other",),
        refused="br-test",
    ),
    Trial("masquerade", (_gateway(V4, ipMasq=True),), has_rules=True),
    Trial(
        "masquerade-iptables",
        (_gateway(V4, V6, ipMasq=True, ipMasqBackend="iptables"),),
        has_rules=True,
    ),
    Trial(
        "masquerade-nftables",
        (_gateway(V4, V6, ipMasq=True, ipMasqBackend="nftables"),),
        has_rules=True,
        since="1.6.0",
    ),
    Trial("hairpin", (_bridge(hairpinMode=True, ipam=host_local(V4)),)),
    Trial("promiscuous", (_bridge(promiscMode=True, ipam=host_local(V4)),)),
    Trial(
        "hairpin-and-promiscuous",
        (_bridge(hairpinMode=True, promiscMode=True, ipam=host_local(V4)),),
        refused="hairpin",
    ),
    Trial("isolated", (_bridge(portIsolation=True, ipam=host_local(V4)),), since="1.6.0"),
    Trial(
        "no-interface",
        (_bridge(disableContainerInterface=True),),
        oldest=_L2,
        is_checked=False,
        since="1.6.0",
    ),
    Trial(
        "no-interface-with-ipam",
        (_bridge(disableContainerInterface=True, ipam=host_local(V4)),),
        refused="(?i)ipam",
        since="1.6.0",
    ),
    Trial("dad", (_gateway(V6, enabledad=True),)),
    Trial("spoof-check", (_bridge(macspoofchk=True, ipam=host_local(V4)),), has_rules=True),
    Trial(
        "dns",
        (
            _bridge(
                dns={"nameservers": ["10.9.0.53"], "search": ["a.example"]},
                ipam=static("10.9.0.7/24", dns={"nameservers": ["1.1.1.1"]}),
            ),
        ),
    ),
    Trial("mac-by-arguments", (_bridge(ipam=host_local(V4)),), _ASKED),
    Trial("mac-by-args", (_bridge(ipam=host_local(V4)),), _ASKED, {"args": _MACS["args"]}),
    Trial("mac-by-runtime", (_bridge(ipam=host_local(V4)),), _ASKED, _MACS),
    Trial("vlan-too-large", (_bridge(vlan=4095, ipam=host_local(V4)),), refused="(?i)vlan"),
    Trial("vlan-negative", (_bridge(vlan=-1, ipam=host_local(V4)),), refused="(?i)vlan"),
    Trial("vlan-l2", (_bridge(vlan=100),), kinds=_FILTERING, oldest=_L2, is_checked=False),
    Trial("vlan-gateway", (_gateway(V4, V6, vlan=100),), kinds=_FILTERING, is_checked=False),
    Trial(
        "vlan-gateway-default-too",
        (_gateway(V4, vlan=100, preserveDefaultVlan=True),),
        kinds=_FILTERING,
    ),
    Trial(
        "vlan-no-default",
        (_gateway(V4, vlan=100, preserveDefaultVlan=False),),
        kinds=_FILTERING,
        is_checked=False,
    ),
    Trial(
        "vlan-default-too",
        (_bridge(vlan=100, preserveDefaultVlan=True),),
        kinds=_FILTERING,
        oldest=_L2,
        is_checked=False,
    ),
    Trial(
        "trunk",
        (_bridge(vlanTrunk=[{"id": 101}, {"minID": 200, "maxID": 210}, {"id": 101}]),),
        kinds=_FILTERING,
        oldest=_L2,
        is_checked=False,
        since="1.3.0",
    ),
    Trial(
        "vlan-and-trunk",
        (_bridge(vlan=100, vlanTrunk=[{"id": 101}, {"minID": 99, "maxID": 100}]),),
        kinds=_FILTERING,
        oldest=_L2,
        is_checked=False,
        since="1.3.0",
    ),
    Trial(
        "trunk-of-none",
        (_bridge(vlanTrunk=[]),),
        kinds=_FILTERING,
        oldest=_L2,
        is_checked=False,
        since="1.3.0",
    ),
    *(
        Trial(
            f"trunk-{name}", (_bridge(vlanTrunk=[trunk]),), refused="(?i)vlan|id|ID", since="1.3.0"
        )
        for name, trunk in {
            "without-max": {"minID": 100},
            "without-min": {"maxID": 100},
            "too-large": {"id": 4095},
            "zero": {"id": 0},
            "negative": {"id": -1},
            "min-too-large": {"minID": 4095, "maxID": 4096},
            "reversed": {"minID": 200, "maxID": 100},
        }.items()
    ),
)

_DUAL = host_local(V4, V6, routes=[{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])


def _ptp(**more: Any) -> JsonObject:
    return {"type": "ptp", **more}


PTP = (
    Trial("v4", (_ptp(ipam=host_local(V4)),)),
    Trial("dual-routes", (_ptp(mtu=1400, ipam=_DUAL),)),
    Trial("default", (_ptp(ipam=host_local(V4, routes=[{"dst": "0.0.0.0/0"}])),)),
    Trial(
        "masquerade-iptables",
        (_ptp(ipMasq=True, ipMasqBackend="iptables", ipam=host_local(V4, V6)),),
        has_rules=True,
    ),
    Trial(
        "masquerade-nftables",
        (_ptp(ipMasq=True, ipMasqBackend="nftables", ipam=host_local(V4, V6)),),
        has_rules=True,
        since="1.6.0",
    ),
    Trial("ipam-dns", (_ptp(ipam=static("10.9.0.7/24 10.9.0.1", dns={"domain": "a.b"})),)),
    Trial(
        "dns",
        (_ptp(dns={"search": ["c"]}, ipam=static("10.9.0.7/24 10.9.0.1", dns={"domain": "a.b"})),),
    ),
    Trial(
        "no-nameservers",
        (
            _ptp(
                dns={"nameservers": []},
                ipam=static("10.9.0.7/24 10.9.0.1", dns={"nameservers": ["1.1.1.1"]}),
            ),
        ),
    ),
    Trial("no-ipam", (_ptp(),), refused="(?i)ipam|plugin"),
)
