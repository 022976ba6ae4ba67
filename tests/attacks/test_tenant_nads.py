"""A tenant who may write NADs, where they are guarded: none of them reaches beyond the pod.

Each attack is a configuration that some plugin, as root on the node, would carry out. It is refused
when it is written, and, written while nobody looked, no pod gets it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from planes.model.decide.decision import decide
from planes.model.decide.nad_review import review_nad
from planes.model.errors import Finding
from planes.model.objects import Nad, Pod
from planes.model.spec.nad_policy import NadPolicy
from tests.support.model import make_catalog, make_namespace, pod_object

GUARDED = NadPolicy(is_guarded=True)
LOCAL = {"type": "host-local", "subnet": "10.9.0.0/24"}
BRIDGE = {"type": "bridge", "bridge": "br-own", "ipam": LOCAL}
VERSIONED = {"cniVersion": "1.0.0", "name": "own"}


def nad(config: str | Mapping[str, Any]) -> Nad:
    return Nad("shop", "own", config if isinstance(config, str) else orjson.dumps(config).decode())


def refused(config: str | Mapping[str, Any], policy: NadPolicy = GUARDED) -> tuple[Finding, ...]:
    """What refuses it at admission, after checking that the node refuses its pods as well."""
    written = nad(config)
    catalog = make_catalog(nads=[written], nad_policy=policy)
    errors = review_nad(written, make_catalog(nad_policy=policy)).errors
    decision = decide(Pod.from_object(pod_object(networks="own")), make_namespace(), catalog)
    assert decision.denied == bool(errors), "both gates say the same"
    return errors


def test_a_network_that_reaches_nothing_of_the_node_s_is_the_tenant_s_own() -> None:
    """So that what is refused below is refused for what it does."""
    tuning = {"type": "tuning", "sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}, "mtu": 1400}
    limits = {"type": "bandwidth", "ingressRate": 1000000, "ingressBurst": 1000000}
    chain = [BRIDGE, tuning, limits, {"type": "sbr"}, {"type": "portmap", "snat": True}]
    assert refused({**VERSIONED, **BRIDGE}) == ()
    assert refused({**VERSIONED, "plugins": chain}) == ()


PATHS = [
    {"ipam": {**LOCAL, "dataDir": "/etc"}},
    {"ipam": {**LOCAL, "resolvConf": "/dev/zero"}},
    {"ipam": {"type": "dhcp", "daemonSocketPath": "/run/containerd/containerd.sock"}},
    {"ipam": {"type": "whereabouts", "kubernetes": {"kubeconfig": "/etc/kubernetes/admin.conf"}}},
    {"ipam": {"type": "whereabouts", "log_file": "/etc/crontab"}},
    {"ipam": {"type": "whereabouts", "configuration_path": "/root"}},
    {"plugins": [BRIDGE, {"type": "tuning", "dataDir": "/etc/cron.d"}]},
    {"type": "sriov", "logFile": "/etc/crontab"},
    {"type": "flannel", "subnetFile": "/dev/zero", "dataDir": "/etc"},
]


@pytest.mark.parametrize("more", PATHS, ids=str)
def test_tenant_names_no_file_of_the_node(more: Mapping[str, Any]) -> None:
    assert refused({**VERSIONED, **({} if "plugins" in more else BRIDGE), **more})


PLACES = [
    {"type": "bridge"},  # cni0, where none is named
    {"type": "bridge", "bridge": "cni0"},
    {"type": "bridge", "bridge": "docker0"},
    {"type": "bridge", "bridge": None},
    {"type": "macvlan"},  # the interface of the node's default route
    {"type": "macvlan", "master": ""},
    {"type": "macvlan", "master": "eth0"},
    {"type": "macvlan", "master": "br-own", "mode": "passthru"},
    {"type": "macvlan", "master": "br-own", "mode": ["bridge"]},
    {"type": "macvlan", "master": "br-own", "bcqueuelen": 1 << 31},
    {"type": "macvlan", "master": "eth0", "linkInContainer": True},
    {"type": "ipvlan", "master": "br-own", "mode": "l3s"},
    {"type": "ipvlan", "master": "eth0"},
    {"type": "vlan", "master": "eth0", "vlanId": 100},
    {"type": "vlan", "vlanId": 100},
    {"type": "host-device", "device": "eth0"},
    {"type": "host-device", "capabilities": {"deviceID": True}},
    {"type": "sriov", "deviceID": "0000:3b:02.1", "trust": "on", "spoofchk": "off"},
    {"type": "tap", "bridge": "cni0"},
]


@pytest.mark.parametrize("plugin", PLACES, ids=str)
def test_tenant_stands_on_no_interface_of_the_node_that_is_not_listed(
    plugin: Mapping[str, Any],
) -> None:
    assert refused({**VERSIONED, **plugin})


def test_tenant_stands_on_what_the_administrator_lists_and_its_vlans_apart() -> None:
    policy = NadPolicy(is_guarded=True, interfaces=("eth1", "eth2.100", "br-*"))
    assert not refused({**VERSIONED, "type": "macvlan", "master": "eth1"}, policy)
    vlan = {**VERSIONED, "type": "vlan", "master": "eth2", "ipam": LOCAL}
    assert not refused({**vlan, "vlanId": 100}, policy)
    assert refused({**vlan, "vlanId": 101}, policy)
    assert refused({**vlan, "vlanId": 0}, policy)
    assert refused({**vlan, "vlanId": 4097}, policy)
    assert refused({**vlan, "vlanId": "100"}, policy)
    assert refused({**vlan, "master": "eth1", "vlanId": 100}, policy)
    assert refused({**VERSIONED, **BRIDGE, "vlanTrunk": [{"minID": 1, "maxID": 4094}]}, policy)


def test_tenant_stands_on_no_interface_that_is_listed_for_another() -> None:
    policy = NadPolicy(is_guarded=True, interfaces=("ops:br-ops*", "shop:br-shop*"))
    assert not refused({**VERSIONED, **BRIDGE, "bridge": "br-shop1"}, policy)
    assert refused({**VERSIONED, **BRIDGE, "bridge": "br-ops1"}, policy)
    assert refused({**VERSIONED, **BRIDGE}, policy)


RULES = [
    {"isGateway": True},
    {"isDefaultGateway": True},
    {"isGateway": "true"},
    {"isGateway": 1},
    {"isgateway": True},
    {"ipMasq": True},
    {"forceAddress": True},
    {"promiscMode": True},
    {"plugins": [BRIDGE, {"type": "firewall"}]},
    {"plugins": [BRIDGE, {"type": "portmap", "conditionsV4": ["-j", "ACCEPT"]}]},
    {"plugins": [BRIDGE, {"type": "portmap", "masqAll": True}]},
    {"plugins": [BRIDGE, {"type": "portmap", "markMasqBit": 14}]},
    {"plugins": [BRIDGE, {"type": "portmap", "externalSetMarkChain": "KUBE-MARK-MASQ"}]},
    {"plugins": [BRIDGE, {"type": "portmap", "capabilities": {"portMappings": True}}]},
    {"plugins": [BRIDGE, {"type": "portmap", "Capabilities": {"PORTMAPPINGS": True}}]},
    {"plugins": [BRIDGE, {"type": "tuning", "sysctl": {"net.ipv4.ip_forward": "1"}}]},
    {"plugins": [BRIDGE, {"type": "tuning", "sysctl": {"net.ipv4.conf.eth0.proxy_arp": "1"}}]},
    {"plugins": [BRIDGE, {"type": "tuning", "sysctl": {"net/../kernel/core_pattern": "|/x"}}]},
    {"plugins": [BRIDGE, {"type": "tuning", "sysctl": ["net.ipv4.ip_forward"]}]},
    {"plugins": [BRIDGE, {"type": "tuning", "promisc": True}]},
    {"plugins": [BRIDGE, {"type": "tuning", "allmulti": True}]},
    {"plugins": [BRIDGE, {"type": "bandwidth", "ingressRate": 1, "ingressBurst": 1 << 35}]},
    {"plugins": [{"type": "ptp", "ipam": {"type": "static"}}]},
]


@pytest.mark.parametrize("more", RULES, ids=str)
def test_tenant_gives_the_node_no_address_rule_or_queue(more: Mapping[str, Any]) -> None:
    assert refused({**VERSIONED, **({} if "plugins" in more else BRIDGE), **more})


PROGRAMS = [
    {"type": "sh"},
    {"type": ".."},
    {"type": "../../../bin/sh"},
    {"type": "/bin/sh"},
    {"type": "bridge "},
    {"type": "Bridge"},
    {"type": "multus", "delegates": [{"type": "host-device", "device": "eth0"}]},
    {"type": "flannel", "delegate": {"type": "host-device", "device": "eth0"}},
    {"type": "netplane"},
    {**BRIDGE, "ipam": {"type": "evil"}},
    {**BRIDGE, "ipam": {"type": "../sh"}},
    {**BRIDGE, "ipam": {"type": "static", "TYPE": "evil"}},
    {**BRIDGE, "delegate": {"type": "evil"}},
    {"plugins": [BRIDGE, {"type": "tuning", "ipam": {"type": "evil"}}]},
    {"plugins": [BRIDGE, {"type": "evil"}]},
    {**BRIDGE, "plugins": [{"type": "evil"}]},
]


@pytest.mark.parametrize("config", PROGRAMS, ids=str)
def test_tenant_has_no_binary_run_that_is_not_named(config: Mapping[str, Any]) -> None:
    assert refused({**VERSIONED, **config})


SPELLINGS = [
    {"ipam": {**LOCAL, "DataDir": "/etc"}},
    {"ipam": {**LOCAL, "DATADIR": "/etc"}},
    {"ipam": {**LOCAL, "re\u017folvConf": "/etc/shadow"}},  # Go folds the long s, too
    {"IPAM": {**LOCAL, "dataDir": "/etc"}},
    {"ipam": {**LOCAL}, "Ipam": {"dataDir": "/etc"}},
    {"bridge": "br-own", "BRIDGE": "cni0"},
    {"bridge": "cni0", "Bridge": "br-own"},
    {"\u212aey": 1},
]


@pytest.mark.parametrize("more", SPELLINGS, ids=ascii)
def test_tenant_spells_no_key_past_the_judge(more: Mapping[str, Any]) -> None:
    plain = {key: value for key, value in BRIDGE.items() if key not in more}
    assert refused({**VERSIONED, **plain, **more})


TWICE = [
    '{"cniVersion":"1.0.0","name":"own","type":"bridge","bridge":"cni0","bridge":"br-own"}',
    '{"cniVersion":"1.0.0","name":"own","type":"bridge","bridge":"br-own","ipam":{"dataDir":"/etc"},'
    '"ipam":{"type":"host-local","subnet":"10.9.0.0/24"}}',
    '{"cniVersion":"1.0.0","name":"own","type":"evil","type":"bridge","bridge":"br-own"}',
    '{"cniVersion":"1.0.0","name":"own","bridge":"br-own","type":"bridge","isGateway":true,'
    '"isGateway":false}',
]


@pytest.mark.parametrize("text", TWICE)
def test_tenant_writes_no_key_twice(text: str) -> None:
    """Readers differ in which one they take, and Go merges objects."""
    assert refused(text)


RUNTIME_S = [
    {"runtimeConfig": {"portMappings": [{"hostPort": 10250, "containerPort": 1}]}},
    {"args": {"cni": {"sysctl": {"net.ipv4.ip_forward": "1"}}}},
    {"Args": {"cni": {"promisc": True}}},
    {"prevResult": {"cniVersion": "1.0.0", "ips": [{"address": "10.0.0.1/32"}]}},
    {"cni.dev/valid-attachments": []},
    {"capabilities": {"cgroupPath": True}},
    {"capabilities": {"infinibandGUID": True}},
]


@pytest.mark.parametrize("more", RUNTIME_S, ids=str)
def test_tenant_writes_nothing_that_is_the_runtime_s_to_fill(more: Mapping[str, Any]) -> None:
    chain = [BRIDGE, {"type": "portmap", **more}]
    assert refused({**VERSIONED, "plugins": chain})
    assert refused({**VERSIONED, **BRIDGE, **more})


def test_tenant_leaves_no_config_to_a_file_of_the_node() -> None:
    for text in ("", " \n"):
        assert refused(text)


def pod_on(element: Mapping[str, Any], policy: NadPolicy, own: Mapping[str, Any]) -> Any:
    pod = pod_object(networks=orjson.dumps([{"name": "own", **element}]).decode())
    catalog = make_catalog(nads=[nad({**VERSIONED, **own})], nad_policy=policy)
    return decide(Pod.from_object(pod), make_namespace(), catalog)


@pytest.mark.parametrize(
    "args",
    [
        {"sysctl": {"net.ipv4.ip_forward": "1"}},
        {"SYSCTL": {"net.ipv4.conf.all.proxy_arp": "1"}},
        {"promisc": True},
        {"allmulti": True},
        {"txQLen": 1 << 30},
    ],
    ids=str,
)
def test_tenant_has_a_pod_ask_for_nothing_that_the_nad_may_not_say(args: dict[str, Any]) -> None:
    """`cni-args` become `args.cni`, and tuning takes them for its own keys."""
    chain = {"plugins": [BRIDGE, {"type": "tuning"}]}
    assert pod_on({"cni-args": args}, GUARDED, chain).denied
    assert not pod_on({"cni-args": args}, NadPolicy(), chain).denied
    harmless = {"sysctl": {"net.ipv4.conf.IFNAME.arp_filter": "1"}, "mac": "02:00:00:00:00:01"}
    assert not pod_on({"cni-args": harmless}, GUARDED, chain).denied


def test_tenant_maps_ports_of_the_node_from_the_listed_span_alone() -> None:
    ports = NadPolicy(is_guarded=True, host_ports=((30000, 30099),))
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    chain = {"plugins": [BRIDGE, portmap]}
    assert refused({**VERSIONED, **chain})
    assert not refused({**VERSIONED, **chain}, ports)

    def mapping(port: Any) -> dict[str, Any]:
        return {"portMappings": [{"hostPort": port, "containerPort": 80, "protocol": "tcp"}]}

    assert not pod_on(mapping(30007), ports, chain).denied
    for port in (10250, 22, 30100):
        assert pod_on(mapping(port), ports, chain).denied
    shadowed = mapping(30007)
    shadowed["portMappings"][0]["HOSTPORT"] = 10250
    assert pod_on(shadowed, ports, chain).denied


def test_tenant_fills_no_queue_of_the_node_with_a_burst() -> None:
    chain = {"plugins": [BRIDGE, {"type": "bandwidth", "capabilities": {"bandwidth": True}}]}
    limits = {"ingressRate": 1000, "ingressBurst": 1 << 35}
    assert pod_on({"bandwidth": limits}, GUARDED, chain).denied
    assert not pod_on({"bandwidth": {**limits, "ingressBurst": 1 << 20}}, GUARDED, chain).denied
