"""Random netconfs of the native types, as hypothesis strategies; most are valid, some nearly so."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

JsonObject = dict[str, Any]
Netconfs = st.SearchStrategy[JsonObject]

_MACS = st.sampled_from(["c2:11:22:33:44:55", "C2:11:22:33:44:66", "c2-11-22-33-44-77"])
_MTUS = st.sampled_from([0, 68, 1279, 1280, 1400, 1500, 1501])
_ROUTES = st.lists(
    st.sampled_from(
        [
            {"dst": "0.0.0.0/0"},
            {"dst": "::/0"},
            {"dst": "10.1.0.0/16"},
            {"dst": "10.2.0.0/16", "gw": "10.9.0.9"},
            {"dst": "10.3.0.0/16", "gw": "10.7.7.7"},
            {"dst": "10.1.0.0/16", "priority": 50, "table": 100},
            {"dst": "fd00:1::/64", "gw": "fd00:9::9"},
            {"dst": "10.4.0.0/16", "scope": 253},
        ]
    ),
    max_size=3,
)
_DNS = st.fixed_dictionaries(
    {}, optional={"nameservers": st.just(["10.9.0.53"]), "search": st.just(["a.example"])}
)
_RANGES = st.sampled_from(
    [
        [[{"subnet": "10.9.0.0/24"}]],
        [[{"subnet": "fd00:9::/64"}]],
        [[{"subnet": "10.9.0.0/24"}], [{"subnet": "fd00:9::/64"}]],
        [[{"subnet": "10.9.0.0/30"}]],
        [[{"subnet": "10.9.0.0/24", "gateway": "10.9.0.254"}], [{"subnet": "10.8.0.0/24"}]],
    ]
)
_ADDRESSES = st.lists(
    st.sampled_from(
        [
            {"address": "10.9.0.7/24", "gateway": "10.9.0.1"},
            {"address": "10.8.0.7/32"},
            {"address": "fd00:9::7/64", "gateway": "fd00:9::1"},
            {"address": "10.9.0.7/24"},
        ]
    ),
    max_size=3,
)


def _ipam(directory: str) -> st.SearchStrategy[JsonObject]:
    local = {"type": st.just("host-local"), "dataDir": st.just(directory), "ranges": _RANGES}
    fixed = {"type": st.just("static"), "addresses": _ADDRESSES}
    return st.fixed_dictionaries(local, optional={"routes": _ROUTES}) | st.fixed_dictionaries(
        fixed, optional={"routes": _ROUTES, "dns": _DNS}
    )


def _with(kind: str, directory: str, **optional: st.SearchStrategy[Any]) -> Netconfs:
    head = {"type": st.just(kind)}
    common = {"ipam": _ipam(directory), "mtu": _MTUS, "dns": _DNS}
    return st.fixed_dictionaries(head, optional={**common, **optional})


_CARDS = st.sampled_from(["eth1", "eth1", "eth1", "eth7"])
_ON_OFF = st.booleans()
_RATES = st.sampled_from([0, 1, 8_000, 1_000_000, 50_000_000_000])
_BACKENDS = st.sampled_from(["iptables", "nftables"])
_PORTS = st.lists(
    st.fixed_dictionaries(
        {
            "hostPort": st.integers(8000, 8010),
            "containerPort": st.integers(80, 90),
            "protocol": st.sampled_from(["tcp", "udp", "sctp"]),
        },
        optional={"hostIP": st.sampled_from(["192.0.2.1", "2001:db8::1", "::"])},
    ),
    max_size=4,
)


def single(directory: str) -> dict[str, Netconfs]:
    """Return the netconfs of the types that make an interface, by type.

    Args:
        directory: where host-local keeps its files.
    """
    return {
        "macvlan": _with(
            "macvlan",
            directory,
            master=_CARDS,
            mode=st.sampled_from(["bridge", "private", "vepa", "passthru"]),
            mac=_MACS,
            bcqueuelen=st.sampled_from([0, 2000]),
        ),
        "ipvlan": _with(
            "ipvlan", directory, master=_CARDS, mode=st.sampled_from(["l2", "l3", "l3s"])
        ),
        "vlan": _with("vlan", directory, master=_CARDS, vlanId=st.integers(0, 4095)),
        "dummy": _with("dummy", directory),
        "bridge": _with(
            "bridge",
            directory,
            bridge=st.just("br-test"),
            isGateway=_ON_OFF,
            isDefaultGateway=_ON_OFF,
            ipMasq=_ON_OFF,
            ipMasqBackend=_BACKENDS,
            hairpinMode=_ON_OFF,
            promiscMode=_ON_OFF,
            enabledad=_ON_OFF,
            portIsolation=_ON_OFF,
            macspoofchk=_ON_OFF,
            forceAddress=_ON_OFF,
        ),
        "ptp": _with("ptp", directory, ipMasq=_ON_OFF, ipMasqBackend=_BACKENDS),
        "host-device": _with("host-device", directory, device=st.just("card")),
    }


def chained(directory: str) -> dict[str, Netconfs]:
    """Return the netconfs of the types that change another's interface, by type.

    Args:
        directory: where tuning keeps its files.
    """
    rates = dict.fromkeys(("ingressRate", "ingressBurst", "egressRate", "egressBurst"), _RATES)
    optional: dict[str, dict[str, st.SearchStrategy[Any]]] = {
        "tuning": {
            "dataDir": st.just(directory),
            "mac": _MACS,
            "mtu": st.integers(1280, 1500),
            "promisc": _ON_OFF,
            "allmulti": _ON_OFF,
            "txQLen": st.integers(0, 2000),
            "sysctl": st.sampled_from([{"net.ipv4.conf.IFNAME.arp_filter": "1"}, {}]),
        },
        "bandwidth": rates,
        "portmap": {
            "backend": _BACKENDS,
            "snat": _ON_OFF,
            "masqAll": _ON_OFF,
            "runtimeConfig": st.fixed_dictionaries({"portMappings": _PORTS}),
        },
        "sbr": {
            "table": st.integers(100, 105),
            "gateways": st.just(["10.9.0.99"]),
            "addSourceHints": _ON_OFF,
        },
        "vrf": {"vrfname": st.just("vrf-test"), "table": st.integers(1, 3)},
        "firewall": {
            "backend": st.just("iptables"),
            "ingressPolicy": st.sampled_from(["open", "same-bridge", "isolated"]),
        },
    }
    return {
        kind: st.fixed_dictionaries({"type": st.just(kind)}, optional=keys)
        for kind, keys in optional.items()
    }
