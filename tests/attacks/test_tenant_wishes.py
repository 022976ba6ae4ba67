"""A tenant asks a plane it joined for what the plane does not permit, by every spelling there is.

The tenant writes pods in namespace shop. Each attack is tried at admission (`decide`) and on the
node, where admission may have been down.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planes.model.decide.decision import Decision, decide
from planes.model.errors import Denied
from planes.model.objects import Nad, Namespace, Pod
from planes.model.spec.plane import parse_plane
from planes.model.spec.plane_spec import Plane
from planes.model.state.catalog import Catalog
from tests.attacks.wishes import ALL_CAPABILITIES, seen_by_plugins
from tests.cni.runtime_scene import bench
from tests.support.cni.runtime import NOTHING, Bench
from tests.support.planes import make_plane, plane_object
from tests.support.store import FakeStore

JsonObject = dict[str, Any]

SHOP = Namespace("shop", {"plane.netplane.io/business": "enabled"})
RESERVED = {"reservations": [{"ip": "10.9.0.50", "namespace": "bank"}]}
NETWORKS = "k8s.v1.cni.cncf.io/networks"
DEFAULT_NETWORK = "v1.multus-cni.io/default-network"


def business(**spec: Any) -> Plane:
    """Return a plane whose last plugin declares every capability: what is passed, it shows."""
    network = {
        "type": "macvlan",
        "master": "eth1",
        "plugins": [{"type": "meta", "capabilities": ALL_CAPABILITIES}],
    }
    return make_plane("business", **{"network": network, **spec})


def element(**wishes: Any) -> JsonObject:
    return {"name": "business", "namespace": "netplane-system", **wishes}


def tenant_pod(*elements: JsonObject, **annotations: str) -> Pod:
    return Pod("shop", "web", uid="u1", annotations={NETWORKS: json.dumps(elements), **annotations})


def admission(plane: Plane, pod: Pod) -> Decision:
    return decide(pod, SHOP, Catalog.build([plane]))


async def node(root: Path, plane: Plane, pod: Pod) -> Bench:
    store = FakeStore(planes=[plane], namespaces=[SHOP], pods=[pod])
    return await bench(root, store)


ATTACKS = {
    "an address reserved for another namespace": ({"ips": ["10.9.0.50/24"]}, RESERVED, "ips"),
    "an address where none may be chosen": ({"ips": ["10.9.0.9/24"]}, {"allow": "Never"}, "ips"),
    "a mac": ({"mac": "02:00:00:00:00:66"}, {}, "mac"),
    "the plane's sysctls, reversed": (
        {"sysctl": {"net.ipv4.conf.IFNAME.rp_filter": "0"}},
        {},
        "sysctl",
    ),
    "another mtu": ({"mtu": 9000}, {}, "mtu"),
    "promiscuous mode": ({"promisc": True}, {}, "promisc"),
    "an argument that nobody listed": ({"K8S_NET": "x"}, {}, "K8S_NET"),
}


@pytest.mark.parametrize("attack", ATTACKS)
async def test_tenant_cni_args_get_nothing_from_a_plane(tmp_path: Path, attack: str) -> None:
    args, static, key = ATTACKS[attack]
    plane = business(staticIPs=static, mac={"allowRequest": False})
    pod = tenant_pod(element(**{"cni-args": args}))
    decision = admission(plane, pod)
    assert decision.status == 403
    assert decision.errors[0].path.endswith(f"[0].cni-args.{key}")
    made = await node(tmp_path, plane, pod)
    with pytest.raises(Denied, match=f"cannot pass {key} to the plugin"):
        await made.call("ADD")
    assert made.leftovers() == NOTHING


@pytest.mark.parametrize(
    ("wish", "words"),
    [
        ({"deviceID": "0000:66:00.6"}, "cannot choose a device"),
        ({"infiniband-guid": "02:00:00:00:00:00:66:66"}, "cannot choose an InfiniBand GUID"),
        ({"portMappings": [{"hostPort": 10250, "containerPort": 1}]}, "cannot open ports"),
        ({"bandwidth": {"ingressRate": 1 << 40, "ingressBurst": 1}}, "cannot choose the bandwidth"),
        ({"mac": "02:00:00:00:00:66"}, "cannot choose the MAC"),
        ({"default-route": ["10.9.0.66"]}, "no gateway of plane business"),
        ({"ipam-claim-reference": "theirs"}, "cannot keep addresses by a claim"),
        ({"pci-bus-id": "0000:66:00.6"}, "nobody knows what it means"),
    ],
    ids=lambda one: next(iter(one)) if isinstance(one, dict) else "",
)
async def test_tenant_wishes_beyond_a_planes_settings_are_refused_by_webhook_and_node(
    tmp_path: Path, wish: JsonObject, words: str
) -> None:
    plane = business(mac={"allowRequest": False})
    pod = tenant_pod(element(**wish))
    decision = admission(plane, pod)
    assert decision.status == 403
    assert words in decision.message
    made = await node(tmp_path, plane, pod)
    with pytest.raises(Denied, match=words):
        await made.call("ADD")
    assert made.leftovers() == NOTHING


@pytest.mark.parametrize("mode", ["Warn", "Audit"])
async def test_tenant_wishes_that_a_lenient_plane_only_reports_are_left_out(
    tmp_path: Path, mode: str
) -> None:
    """The pod starts, as the plane says, and gets what it would have got without asking."""
    plane = business(enforcement={"pods": mode}, staticIPs=RESERVED, mac={"allowRequest": False})
    pod = tenant_pod(
        element(
            ips=["10.9.0.50/24"],
            mac="02:00:00:00:00:66",
            deviceID="0000:66:00.6",
            portMappings=[{"hostPort": 10250, "containerPort": 1}],
            **{
                "cni-args": {"sysctl": {"net.ipv4.ip_forward": "1"}},
                "default-route": ["10.9.0.66"],
            },
        )
    )
    made = await node(tmp_path, plane, pod)
    await made.call("ADD")
    seen = seen_by_plugins(made, "net1")
    for token in ("10.9.0.50", "02:00:00:00:00:66", "0000:66:00.6", "10250", "ip_forward"):
        assert token not in seen
    assert [str(ip) for ip in made.store.addresses.held["business"]] == ["10.9.0.2"]
    assert made.kernel.default_routes == []


async def test_tenant_arguments_of_the_runtime_do_not_reach_a_plane(tmp_path: Path) -> None:
    """hostPort, bandwidth annotations and dnsConfig are for the default network."""
    made = await node(tmp_path, business(), tenant_pod())
    await made.call(
        "ADD",
        args={"IP": "10.9.0.50/24", "MAC": "02:00:00:00:00:66", "EXTRA": "evil"},
        conf={
            "args": {"cni": {"ips": ["10.9.0.50/24"], "word": "evil"}},
            "runtimeConfig": {
                "ips": ["10.9.0.50/24"],
                "ipRanges": [[{"subnet": "10.66.0.0/24"}]],
                "portMappings": [{"hostPort": 10250, "containerPort": 1}],
                "bandwidth": {"ingressRate": 66666},
                "io.kubernetes.cri.pod-annotations": {"word": "evil"},
                "cgroupPath": "/kubepods/pod1",
            },
        },
    )
    seen = seen_by_plugins(made, "net1")
    for token in ("10.9.0.50", "02:00:00:00:00:66", "evil", "10.66", "10250", "66666"):
        assert token not in seen
    assert "/kubepods/pod1" in seen


async def test_tenant_wishes_on_a_plane_in_place_of_the_default_network_are_judged(
    tmp_path: Path,
) -> None:
    plane = business(attachment="OnRequest", staticIPs=RESERVED)
    for wish in ({"ips": ["10.9.0.50/24"]}, {"cni-args": {"ips": ["10.9.0.50/24"]}}):
        pod = tenant_pod(**{DEFAULT_NETWORK: json.dumps([element(**wish)])})
        decision = admission(plane, pod)
        assert decision.status == 403
        assert DEFAULT_NETWORK in decision.errors[0].path
    pod = tenant_pod(**{DEFAULT_NETWORK: json.dumps([element()])})
    made = await node(tmp_path, plane, pod)
    ports = [{"hostPort": 10250, "containerPort": 1}]
    await made.call(
        "ADD", args={"IP": "10.9.0.50/24"}, conf={"runtimeConfig": {"portMappings": ports}}
    )
    seen = seen_by_plugins(made, "eth0")
    assert "10.9.0.50" not in seen
    assert "10250" not in seen
    assert [str(ip) for ip in made.store.addresses.held["business"]] == ["10.9.0.2"]
    await made.call("DEL")
    assert made.leftovers() == NOTHING


async def test_tenant_default_network_counts_towards_the_quota_of_its_plane(tmp_path: Path) -> None:
    plane = business(attachment="OnRequest", quota={"attachmentsPerNamespace": 1})
    pod = tenant_pod(element(), **{DEFAULT_NETWORK: json.dumps([element()])})
    assert "of 1 attachments" in admission(plane, pod).message


async def test_tenant_nad_with_plane_ipam_gets_no_address_of_the_plane(tmp_path: Path) -> None:
    """Nor as the default network: an address goes to whom policy decided it for."""
    plane = business(attachment="OnRequest")
    ipam = {"type": "plane", "plane": "business"}
    nad = Nad("shop", "own", json.dumps({"cniVersion": "1.0.0", "type": "macvlan", "ipam": ipam}))
    for asked in ({NETWORKS: "own"}, {DEFAULT_NETWORK: "shop/own"}):
        pod = Pod("shop", "web", uid="u1", annotations=asked)
        store = FakeStore(planes=[plane], namespaces=[SHOP], nads=[nad], pods=[pod])
        made = await bench(tmp_path, store)
        with pytest.raises(Denied, match="is not the plane's"):
            await made.call("ADD")
        assert made.leftovers()["addresses"] == {}


async def test_wishes_on_networks_that_are_no_planes_stay_as_with_multus(tmp_path: Path) -> None:
    config = {"cniVersion": "1.0.0", "type": "two", "capabilities": ALL_CAPABILITIES}
    nad = Nad("shop", "own", json.dumps(config))
    wishes = {
        "mac": "02:00:00:00:00:66",
        "deviceID": "0000:66:00.6",
        "infiniband-guid": "02:00:00:00:00:00:66:66",
        "portMappings": [{"hostPort": 8080, "containerPort": 80}],
        "bandwidth": {"ingressRate": 1000, "ingressBurst": 2000},
        "cni-args": {"sysctl": {"a": "b"}, "promisc": True},
    }
    pod = Pod("shop", "web", annotations={NETWORKS: json.dumps([{"name": "own", **wishes}])})
    store = FakeStore(namespaces=[Namespace("shop")], nads=[nad], pods=[pod])
    made = await bench(tmp_path, store)
    await made.call("ADD")
    conf = made.exec.one("ADD two net1").conf
    assert conf["args"]["cni"] == wishes["cni-args"]
    assert conf["runtimeConfig"] == {
        "mac": wishes["mac"],
        "deviceID": wishes["deviceID"],
        "infinibandGUID": wishes["infiniband-guid"],
        "portMappings": wishes["portMappings"],
        "bandwidth": wishes["bandwidth"],
    }


def test_the_planes_own_default_route_is_no_wish() -> None:
    plane = parse_plane(plane_object("business", defaultRoute=True))
    decision = admission(plane, tenant_pod())
    assert not decision.denied
    assert decision.attachments[0].default_route == ("10.9.0.1",)
