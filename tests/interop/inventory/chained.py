"""Scenarios of loopback and of the chained types that change an interface."""

from __future__ import annotations

from typing import Any

from tests.interop.inventory.trial import V4, V6, JsonObject, Trial, host_local, static

_ASKED = (("IgnoreUnknown", "true"), ("MAC", "c2:11:22:33:44:55"))
_MACVLAN: JsonObject = {"type": "macvlan", "master": "eth1", "ipam": host_local(V4)}
_DUAL: JsonObject = {"type": "macvlan", "master": "eth1", "ipam": host_local(V4, V6)}
_PTP: JsonObject = {"type": "ptp", "ipam": host_local(V4, routes=[{"dst": "0.0.0.0/0"}])}


def _tuning(**more: Any) -> tuple[JsonObject, ...]:
    return (_MACVLAN, {"type": "tuning", **more})


_SYSCTLS = {"net.ipv4.conf.IFNAME.arp_filter": "1", "net.ipv4.conf.all.log_martians": "1"}
_ALL: JsonObject = {"mac": "c2:11:22:33:44:54", "promisc": True, "mtu": 1400, "allmulti": True}
_BY_ARGS: JsonObject = {"args": {"cni": {**_ALL, "txQLen": 500}}}

TUNING = (
    Trial("nothing", _tuning()),
    Trial("sysctl", _tuning(sysctl=_SYSCTLS)),
    Trial("sysctl-slashes", _tuning(sysctl={"net/ipv4/conf/IFNAME/arp_filter": "1"})),
    Trial(
        "sysctl-outside", _tuning(sysctl={"kernel.hostname": "x"}), refused="kernel.hostname|net"
    ),
    Trial(
        "sysctl-climbs",
        _tuning(sysctl={"net/ipv4/../../kernel/hostname": "x"}),
        refused="(?i)invalid|net",
    ),
    Trial("promisc", _tuning(promisc=True)),
    Trial("mtu", _tuning(mtu=1400)),
    Trial("txqlen", _tuning(txQLen=500)),
    Trial("allmulti", _tuning(allmulti=True)),
    Trial("all", _tuning(**_ALL, txQLen=500)),
    Trial("all-by-args", _tuning(), extra=_BY_ARGS),
    Trial("mac", _tuning(mac="c2:11:22:33:44:54")),
    Trial("mac-by-arguments", _tuning(mac="c2:11:22:33:44:54"), _ASKED),
    Trial(
        "mac-by-runtime",
        _tuning(mac="c2:11:22:33:44:54"),
        _ASKED,
        {"runtimeConfig": {"mac": "c2:11:22:33:44:66"}},
    ),
    Trial("mac-broken", _tuning(mac="c2:11"), refused="c2:11|MAC|mac"),
    Trial("unchained", ({"type": "tuning", "mtu": 1400},), refused="prevResult|chained|plugin"),
)


def _bandwidth(**more: Any) -> tuple[JsonObject, ...]:
    return (_PTP, {"type": "bandwidth", **more})


_IN = {"ingressRate": 1_000_000, "ingressBurst": 256_000}
_OUT = {"egressRate": 1_000_000, "egressBurst": 256_000}
BANDWIDTH = (
    Trial("both", _bandwidth(**_IN, **_OUT), oldest="0.3.0"),
    Trial("ingress", _bandwidth(**_IN), oldest="0.3.0"),
    Trial("egress", _bandwidth(**_OUT), oldest="0.3.0"),
    Trial("nothing", _bandwidth(), oldest="0.3.0"),
    Trial(
        "runtime",
        _bandwidth(),
        extra={"runtimeConfig": {"bandwidth": {**_IN, **_OUT}}},
        oldest="0.3.0",
    ),
    Trial(
        "conf-beats-runtime",
        _bandwidth(**_IN),
        extra={"runtimeConfig": {"bandwidth": {**_OUT, "ingressRate": 8000, "ingressBurst": 8000}}},
        oldest="0.3.0",
    ),
    Trial(
        "fast",
        _bandwidth(ingressRate=50_000_000_000, ingressBurst=2_000_000_000),
        oldest="0.3.0",
    ),
    Trial("rate-only", _bandwidth(ingressRate=1_000_000), oldest="0.3.0", refused="(?i)burst"),
    Trial("burst-only", _bandwidth(egressBurst=1_000_000), oldest="0.3.0", refused="(?i)rate"),
    Trial(
        "burst-too-large",
        _bandwidth(ingressRate=1_000_000, ingressBurst=8 * 2**32),
        oldest="0.3.0",
        refused="(?i)burst",
    ),
    Trial("no-veth", (_MACVLAN, {"type": "bandwidth", **_IN}), oldest="0.3.0", refused="veth|host"),
)


_GATEWAY: JsonObject = {
    "type": "macvlan",
    "master": "eth1",
    "ipam": static("10.9.0.7/24 10.9.0.1", "fd00:9::7/64 fd00:9::1"),
}


def _sbr(
    *more_confs: JsonObject, before: JsonObject = _GATEWAY, **more: Any
) -> tuple[JsonObject, ...]:
    return (before, *more_confs, {"type": "sbr", **more})


SBR = (
    Trial("dual", _sbr(), oldest="0.3.0", is_repeatable=False),
    Trial("v4", _sbr(before=_MACVLAN), oldest="0.3.0", is_repeatable=False),
    Trial(
        "default-route",
        _sbr(before={**_MACVLAN, "ipam": host_local(V4, routes=[{"dst": "0.0.0.0/0"}])}),
        oldest="0.3.0",
        is_repeatable=False,
    ),
    Trial(
        "several-addresses",
        _sbr(before={**_MACVLAN, "ipam": static("10.9.0.7/24 10.9.0.1", "10.8.0.7/24 10.8.0.1")}),
        oldest="0.3.0",
        is_repeatable=False,
    ),
    Trial("table", _sbr(table=500), oldest="0.3.0", is_repeatable=False),
    Trial(
        "gateways",
        _sbr(gateways=["10.9.0.99", "fd00:9::99"]),
        oldest="0.3.0",
        is_repeatable=False,
        since="1.10.0",
    ),
    Trial(
        "two-gateways-of-a-family",
        _sbr(gateways=["10.9.0.99", "10.9.0.98"]),
        oldest="0.3.0",
        refused="gateways|gateway",
        since="1.10.0",
    ),
    Trial(
        "source-hints",
        _sbr(addSourceHints=True),
        oldest="0.3.0",
        is_repeatable=False,
        since="1.10.0",
    ),
    Trial(
        "occupied-table",
        _sbr(),
        prepare=("pod ip rule add from 10.7.0.1 lookup 100",),
        oldest="0.3.0",
        is_repeatable=False,
    ),
)


def _vrf(**more: Any) -> tuple[JsonObject, ...]:
    return (_DUAL, {"type": "vrf", "vrfname": "vrf-test", **more})


_ROUTES = [
    {"dst": "10.1.0.0/16", "gw": "10.9.0.9"},
    {"dst": "10.2.0.0/16"},
    {"dst": "0.0.0.0/0"},
    {"dst": "::/0"},
]
_VRF = ("vrf",)
_VRFS = ("pod ip link add vrf-one type vrf table 1", "pod ip link set vrf-one up")
VRF = (
    Trial("new", _vrf(), kinds=_VRF, oldest="0.3.1"),
    Trial("table", _vrf(table=1001), kinds=_VRF, oldest="0.3.1"),
    Trial("beside-another", _vrf(), kinds=_VRF, oldest="0.3.1", prepare=_VRFS),
    Trial("existing", _vrf(vrfname="vrf-one"), kinds=_VRF, oldest="0.3.1", prepare=_VRFS),
    Trial(
        "routes",
        (
            {**_DUAL, "ipam": host_local(V4, V6, routes=_ROUTES)},
            {"type": "vrf", "vrfname": "vrf-test", "table": 1001},
        ),
        kinds=_VRF,
        oldest="0.3.1",
        is_checked=False,
    ),
    Trial(
        "other-table",
        _vrf(vrfname="vrf-one", table=7),
        kinds=_VRF,
        oldest="0.3.1",
        prepare=_VRFS,
        refused="vrf-one|table",
    ),
    Trial("no-name", _vrf(vrfname=""), oldest="0.3.1", refused="(?i)vrf|name"),
)


# Before 1.0.0 the reference forgets `ips[].version`, which these versions require.
LOOPBACK = (Trial("up", ({"type": "loopback"},), oldest="1.0.0"),)
