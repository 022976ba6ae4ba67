"""What the differential tests play through: netconfs of the reference plugins' own test suites.

A scenario is a netconf without name, version and data directory, and what goes with the call.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

JsonObject = dict[str, Any]

V4 = {"subnet": "10.9.0.0/24"}
V6 = {"subnet": "fd00:9::/64"}


@dataclass(frozen=True)
class Scenario:
    """One netconf, and what the call adds.

    Attributes:
        is_checked: False where the reference's CHECK fails right after its own ADD.
    """

    name: str
    conf: JsonObject
    cni_args: tuple[tuple[str, str], ...] = ()
    extra: JsonObject = field(default_factory=dict)
    is_checked: bool = True

    def netconf(self, version: str, data_dir: str) -> JsonObject:
        made = {"cniVersion": version, "name": "testnet", **self.conf, **self.extra}
        ipam = made.get("ipam")
        if ipam and ipam["type"] == "host-local":
            made["ipam"] = {**ipam, "dataDir": data_dir}
        return made


def host_local(*ranges: JsonObject, **more: Any) -> JsonObject:
    return {"type": "host-local", "ranges": [[one] for one in ranges], **more}


def static(*addresses: JsonObject, **more: Any) -> JsonObject:
    return {"type": "static", "addresses": list(addresses), **more}


def _macvlan(**more: Any) -> JsonObject:
    return {"type": "macvlan", "master": "eth1", **more}


def _bridge(**more: Any) -> JsonObject:
    return {"type": "bridge", "bridge": "br-test", **more}


MACVLAN = (
    Scenario("l2", _macvlan(), is_checked=False),
    Scenario("v4", _macvlan(ipam=host_local(V4))),
    Scenario("mtu", _macvlan(mtu=1400, ipam=host_local(V4))),
    Scenario("default-route", _macvlan(ipam=host_local(V4, routes=[{"dst": "0.0.0.0/0"}]))),
    Scenario(
        "routes",
        _macvlan(
            ipam=host_local(
                V4,
                routes=[{"dst": "10.1.0.0/16"}, {"dst": "10.2.0.0/16", "gw": "10.9.0.9"}],
            )
        ),
        is_checked=False,
    ),
    Scenario("dual", _macvlan(ipam=host_local(V4, V6, routes=[{"dst": "::/0"}]))),
    Scenario("private", _macvlan(mode="private", ipam=host_local(V4))),
    Scenario("vepa", _macvlan(mode="vepa", ipam=host_local(V4))),
    Scenario("passthru", _macvlan(mode="passthru"), is_checked=False),
    Scenario("conf-dns", _macvlan(dns={"nameservers": ["10.9.0.53"]}, ipam=host_local(V4))),
    Scenario(
        "static",
        _macvlan(
            ipam=static(
                {"address": "10.9.0.77/24", "gateway": "10.9.0.1"},
                {"address": "10.8.0.77/16"},
                routes=[{"dst": "0.0.0.0/0"}],
                dns={"nameservers": ["1.1.1.1"]},
            )
        ),
    ),
    Scenario(
        "asked-mac",
        _macvlan(ipam=host_local(V4)),
        (("IgnoreUnknown", "1"), ("MAC", "c2:11:22:33:44:55"), ("K8S_POD_NAME", "x")),
    ),
    Scenario(
        "runtime",
        _macvlan(ipam=host_local(V4), mac="c2:11:22:33:44:54"),
        (("IgnoreUnknown", "true"), ("MAC", "c2:11:22:33:44:55")),
        {"runtimeConfig": {"mac": "c2:11:22:33:44:66", "ips": ["10.9.0.44/24"]}},
    ),
)

BRIDGE = (
    Scenario("l2", _bridge(), is_checked=False),
    Scenario("v4", _bridge(ipam=host_local(V4))),
    Scenario("gateway", _bridge(isGateway=True, ipam=host_local(V4))),
    Scenario("default-gateway", _bridge(isDefaultGateway=True, ipam=host_local(V4))),
    Scenario(
        "default-gateway-dual",
        _bridge(isDefaultGateway=True, mtu=1400, ipam=host_local(V4, V6)),
    ),
    Scenario(
        "given-default",
        _bridge(
            isDefaultGateway=True,
            ipam=host_local(V4, routes=[{"dst": "0.0.0.0/0", "gw": "10.9.0.9"}]),
        ),
    ),
    Scenario("masquerade", _bridge(isGateway=True, ipMasq=True, ipam=host_local(V4))),
    Scenario("masquerade-dual", _bridge(isGateway=True, ipMasq=True, ipam=host_local(V4, V6))),
    Scenario("hairpin", _bridge(hairpinMode=True, ipam=host_local(V4))),
    Scenario("promiscuous", _bridge(promiscMode=True, ipam=host_local(V4))),
    Scenario("dad", _bridge(enabledad=True, isDefaultGateway=True, ipam=host_local(V6))),
    Scenario(
        "dns",
        _bridge(
            dns={"nameservers": ["10.9.0.53"], "search": ["a.example"]},
            ipam=static({"address": "10.9.0.7/24"}, dns={"nameservers": ["1.1.1.1"]}),
        ),
    ),
    Scenario(
        "asked-mac",
        _bridge(ipam=host_local(V4)),
        (("IgnoreUnknown", "true"), ("MAC", "c2:11:22:33:44:55")),
        {"args": {"cni": {"mac": "c2:11:22:33:44:56"}}},
    ),
    Scenario(
        "runtime-mac",
        _bridge(ipam=host_local(V4)),
        (("IgnoreUnknown", "true"), ("MAC", "c2:11:22:33:44:55")),
        {"runtimeConfig": {"mac": "c2:11:22:33:44:66"}, "args": {"cni": {"ips": ["10.9.0.9"]}}},
    ),
)

SPOOF_CHECKED = (
    Scenario("l2", _bridge(macspoofchk=True), is_checked=False),
    Scenario(
        "asked-mac",
        _bridge(macspoofchk=True, isGateway=True, ipam=host_local(V4)),
        (("IgnoreUnknown", "true"), ("MAC", "c2:11:22:33:44:55")),
    ),
)


def _ptp(**more: Any) -> JsonObject:
    return {"type": "ptp", **more}


_DNS = {"nameservers": ["1.1.1.1"], "search": ["b.example"]}

PTP = (
    Scenario("v4", _ptp(ipam=host_local(V4))),
    Scenario("mtu", _ptp(mtu=1400, ipam=host_local(V4, routes=[{"dst": "0.0.0.0/0"}]))),
    Scenario(
        "dual",
        _ptp(ipam=host_local(V4, V6, routes=[{"dst": "0.0.0.0/0"}, {"dst": "::/0"}])),
    ),
    Scenario("masquerade", _ptp(ipMasq=True, ipam=host_local(V4))),
    Scenario(
        "ipam-dns",
        _ptp(ipam=static({"address": "10.9.0.7/24", "gateway": "10.9.0.1"}, dns=_DNS)),
    ),
    Scenario(
        "dns",
        _ptp(
            dns={"nameservers": ["10.9.0.53"]},
            ipam=static({"address": "10.9.0.7/24", "gateway": "10.9.0.1"}, dns=_DNS),
        ),
    ),
    Scenario(
        "dns-of-none",
        _ptp(
            dns={"nameservers": []},
            ipam=static({"address": "10.9.0.7/24", "gateway": "10.9.0.1"}, dns=_DNS),
        ),
    ),
)

LOOPBACK = (
    Scenario("alone", {"type": "loopback"}),
    Scenario(
        "chained",
        {
            "type": "loopback",
            "prevResult": {
                "interfaces": [{"name": "eth0", "mac": "c2:11:22:33:44:55"}],
                "ips": [{"address": "10.9.0.7/24", "interface": 0}],
            },
        },
    ),
)
