"""Scenarios of the types that make one interface on a master: macvlan, ipvlan, vlan; and dummy."""

from __future__ import annotations

from typing import Any

from tests.interop.inventory.trial import V4, V6, JsonObject, Trial, host_local, static

_ASKED = (("IgnoreUnknown", "1"), ("MAC", "c2:11:22:33:44:55"), ("K8S_POD_NAME", "x"))
_CARD_IN_POD = (
    "host ip link add inner type veth peer name outer netns FAR",
    "host ip link set inner netns POD",
    "pod ip link set inner up",
    "far ip link set outer up",
)
_DEFAULT = ("host ip addr add 192.0.2.1/24 dev eth1", "host ip route add default via 192.0.2.9")
_L2 = "0.3.0"
"""A result without addresses has no form before it."""


def _macvlan(**more: Any) -> JsonObject:
    return {"type": "macvlan", "master": "eth1", **more}


def _ipvlan(**more: Any) -> JsonObject:
    return {"type": "ipvlan", "master": "eth1", **more}


def _vlan(**more: Any) -> JsonObject:
    return {"type": "vlan", "master": "eth1", "vlanId": 1234, **more}


_ROUTES = [{"dst": "10.1.0.0/16"}, {"dst": "10.2.0.0/16", "gw": "10.9.0.9"}]
_RUNTIME: JsonObject = {"runtimeConfig": {"mac": "c2:11:22:33:44:66", "ips": ["10.9.0.44/24"]}}

MACVLAN = (
    Trial("l2", (_macvlan(),), oldest=_L2),
    Trial("v4", (_macvlan(ipam=host_local(V4)),)),
    Trial("mtu", (_macvlan(mtu=1400, ipam=host_local(V4)),)),
    Trial("mtu-too-large", (_macvlan(mtu=9000, ipam=host_local(V4)),), refused="MTU|mtu"),
    Trial("mtu-negative", (_macvlan(mtu=-1, ipam=host_local(V4)),), refused="MTU|mtu"),
    Trial("dual", (_macvlan(ipam=host_local(V4, V6, routes=[{"dst": "::/0"}])),)),
    Trial("routes", (_macvlan(ipam=host_local(V4, routes=_ROUTES)),), is_checked=False),
    Trial("private", (_macvlan(mode="private", ipam=host_local(V4)),)),
    Trial("vepa", (_macvlan(mode="vepa", ipam=host_local(V4)),)),
    Trial("passthru", (_macvlan(mode="passthru"),), oldest=_L2),
    Trial("unknown-mode", (_macvlan(mode="both"),), refused="mode"),
    Trial("queue", (_macvlan(bcqueuelen=2000, ipam=host_local(V4)),), since="1.5.0"),
    Trial("conf-dns", (_macvlan(dns={"nameservers": ["10.9.0.53"]}, ipam=host_local(V4)),)),
    Trial("ipam-dns", (_macvlan(ipam=static("10.9.0.7/24", dns={"domain": "a.example"})),)),
    Trial("no-master", ({"type": "macvlan", "ipam": host_local(V4)},), prepare=_DEFAULT),
    Trial("lost-master", (_macvlan(master="eth7"),), refused="eth7|Link not found"),
    Trial("conf-mac", (_macvlan(mac="c2:11:22:33:44:54"),), oldest=_L2),
    Trial("asked-mac", (_macvlan(),), cni_args=_ASKED, oldest=_L2),
    Trial("runtime", (_macvlan(ipam=host_local(V4)),), _ASKED, _RUNTIME),
    Trial(
        "container-l2",
        (_macvlan(master="inner", linkInContainer=True),),
        prepare=_CARD_IN_POD,
        oldest=_L2,
        since="1.2.0",
    ),
    Trial(
        "container-v4",
        (_macvlan(master="inner", linkInContainer=True, ipam=host_local(V4)),),
        prepare=_CARD_IN_POD,
        since="1.2.0",
    ),
)

_PREVIOUS: JsonObject = {
    "cniVersion": "1.0.0",
    "interfaces": [{"name": "eth1"}],
    "ips": [{"address": "10.9.0.7/24", "gateway": "10.9.0.1", "interface": 0}],
    "routes": [{"dst": "0.0.0.0/0"}],
}
_IPVLAN = ("ipvlan",)
IPVLAN = (
    Trial("v4", (_ipvlan(ipam=host_local(V4)),), kinds=_IPVLAN),
    Trial("dual", (_ipvlan(ipam=host_local(V4, V6, routes=[{"dst": "::/0"}])),), kinds=_IPVLAN),
    Trial("l2", (_ipvlan(mode="l2", ipam=host_local(V4)),), kinds=_IPVLAN),
    Trial("l3", (_ipvlan(mode="l3", ipam=host_local(V4)),), kinds=_IPVLAN),
    Trial("l3s", (_ipvlan(mode="l3s", ipam=host_local(V4)),), kinds=_IPVLAN),
    Trial("mtu", (_ipvlan(mtu=1400, ipam=host_local(V4)),), kinds=_IPVLAN),
    Trial(
        "routes",
        (_ipvlan(ipam=static("10.9.0.7/24 10.9.0.1", routes=[{"dst": "0.0.0.0/0"}])),),
        kinds=_IPVLAN,
    ),
    Trial("dns", (_ipvlan(dns={"search": ["a"]}, ipam=host_local(V4)),), kinds=_IPVLAN),
    Trial(
        "no-master",
        ({"type": "ipvlan", "ipam": host_local(V4)},),
        prepare=_DEFAULT,
        kinds=_IPVLAN,
        is_checked=False,  # the reference looks for a master of no name
    ),
    Trial("unknown-mode", (_ipvlan(mode="l4", ipam=host_local(V4)),), refused="mode"),
    Trial(
        "lost-master", (_ipvlan(master="eth7", ipam=host_local(V4)),), refused="eth7|Link not found"
    ),
    Trial("no-ipam", (_ipvlan(),), kinds=_IPVLAN, refused="(?i)ipam|no plugin name"),
    Trial(
        "chained",
        ({"type": "ipvlan", "prevResult": _PREVIOUS},),
        kinds=_IPVLAN,
        oldest="1.0.0",
        is_checked=False,  # the reference looks for eth1 in the sandbox
    ),
    Trial(
        "container",
        (_ipvlan(master="inner", linkInContainer=True, ipam=host_local(V4)),),
        prepare=_CARD_IN_POD,
        kinds=_IPVLAN,
        since="1.2.0",
    ),
)

_VLAN = ("vlan",)
VLAN = (
    Trial("v4", (_vlan(ipam=host_local(V4)),), kinds=_VLAN),
    Trial("dual", (_vlan(ipam=host_local(V4, V6, routes=[{"dst": "0.0.0.0/0"}])),), kinds=_VLAN),
    Trial("mtu", (_vlan(mtu=1400, ipam=host_local(V4)),), kinds=_VLAN),
    Trial("id-4094", (_vlan(vlanId=4094, ipam=host_local(V4)),), kinds=_VLAN),
    Trial(
        "id-0-static",
        (_vlan(vlanId=0, dns={"search": ["a"]}, ipam=static("10.9.0.7/24", dns={"domain": "b"})),),
        kinds=_VLAN,
    ),
    Trial("dns", (_vlan(dns={"search": ["a"]}, ipam=host_local(V4)),), kinds=_VLAN),
    Trial("l2", (_vlan(),), kinds=_VLAN, oldest=_L2, since="1.10.0"),
    Trial("mtu-too-large", (_vlan(mtu=9000, ipam=host_local(V4)),), refused="MTU|mtu"),
    Trial("mtu-negative", (_vlan(mtu=-1, ipam=host_local(V4)),), refused="MTU|mtu"),
    Trial("id-too-large", (_vlan(vlanId=4095, ipam=host_local(V4)),), refused="(?i)vlan"),
    Trial(
        "lost-master", (_vlan(master="eth7", ipam=host_local(V4)),), refused="eth7|Link not found"
    ),
    Trial("no-master", ({"type": "vlan", "vlanId": 5, "ipam": host_local(V4)},), refused="master"),
    Trial(
        "container",
        (_vlan(master="inner", linkInContainer=True, ipam=host_local(V4)),),
        prepare=_CARD_IN_POD,
        kinds=_VLAN,
        since="1.2.0",
    ),
)

_DUMMY = ("dummy",)
DUMMY = (
    Trial(
        "v4",
        ({"type": "dummy", "ipam": host_local(V4, routes=[{"dst": "10.1.0.0/16"}])},),
        kinds=_DUMMY,
        since="1.2.0",
    ),
    Trial("dual", ({"type": "dummy", "ipam": host_local(V4, V6)},), kinds=_DUMMY, since="1.2.0"),
    Trial(
        "static",
        ({"type": "dummy", "ipam": static("10.9.0.7/24", "fd00:9::7/64", dns={"domain": "a"})},),
        kinds=_DUMMY,
        since="1.2.0",
    ),
    Trial("no-ipam", ({"type": "dummy"},), kinds=_DUMMY, refused="(?i)ipam", since="1.2.0"),
)

TAP = (
    Trial("v4", ({"type": "tap", "ipam": host_local(V4)},), since="1.2.0"),
    Trial("l2", ({"type": "tap", "mtu": 1400},), oldest=_L2, since="1.2.0"),
)
