"""A tenant tries to get onto a plane by Multus' `/delegate`, for controllers that hot-plug.

The controller is honest and does what a pod's annotation says: the configuration of the NAD named
there and the element's wishes come here, whoever the pod is.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cni.call import CniRequest, parse_call
from cni.serving.multus_protocol import InterfaceAttributes
from planes.model.errors import BadInput, Conflict, Denied, PlanesError
from planes.model.objects import Nad, NadRef, Namespace, Pod
from planes.model.spec.plane_spec import Plane
from tests.attacks.wishes import ALL_CAPABILITIES, seen_by_plugins
from tests.cni.runtime_scene import bench
from tests.support.cni.runtime import NETNS, Bench
from tests.support.planes import make_plane
from tests.support.store import FakeStore

JsonObject = dict[str, Any]

RESERVED = {"reservations": [{"ip": "10.9.0.50", "namespace": "bank"}]}
NOTHING = InterfaceAttributes()


def business(**spec: Any) -> Plane:
    network = {
        "type": "macvlan",
        "master": "eth1",
        "plugins": [{"type": "meta", "capabilities": ALL_CAPABILITIES}],
    }
    return make_plane("business", **{"network": network, "attachment": "OnRequest", **spec})


async def node(root: Path, plane: Plane, networks: str = "", *, joined: bool = True) -> Bench:
    """Return a node on which pod shop/web runs."""
    labels = {"plane.netplane.io/business": "enabled"} if joined else {}
    asked = {"k8s.v1.cni.cncf.io/networks": networks} if networks else {}
    pod = Pod("shop", "web", uid="u1", annotations=asked)
    store = FakeStore(planes=[plane], namespaces=[Namespace("shop", labels)], pods=[pod])
    return await bench(root, store)


def config_of(made: Bench, plane: str = "business") -> JsonObject:
    """Return the configuration of a plane's NAD, as a controller reads it."""
    nad = made.store.catalog.nads[NadRef("netplane-system", plane)]
    config: JsonObject = json.loads(nad.config)
    return config


def request(config: JsonObject, *, pod: str = "web", verb: str = "ADD") -> CniRequest:
    return parse_call(
        {
            "CNI_COMMAND": verb,
            "CNI_CONTAINERID": "c1",
            "CNI_NETNS": NETNS,
            "CNI_IFNAME": "net9",
            "CNI_PATH": "/opt/cni/bin",
            "CNI_ARGS": f"IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME={pod};IP=10.9.0.60",
        },
        json.dumps(config).encode(),
    )


async def test_a_plane_that_was_joined_is_hot_plugged(tmp_path: Path) -> None:
    made = await node(tmp_path, business(staticIPs={"allow": "Any"}))
    asked = InterfaceAttributes(("10.9.0.7/24",), "02:00:00:00:00:33")
    answer = json.loads(await made.hotplug.delegate(request(config_of(made)), asked))
    assert [ip["address"] for ip in answer["ips"]] == ["10.9.0.7/24"]
    seen = made.exec.one("ADD meta net9").conf["runtimeConfig"]
    assert seen == {"ips": ["10.9.0.7/24"], "mac": "02:00:00:00:00:33"}
    before = made.store.addresses.held["business"]
    assert [str(ip) for ip in before] == ["10.9.0.7"]
    await made.hotplug.delegate(request(config_of(made), verb="DEL"), NOTHING)
    assert made.store.addresses.held["business"] == {}


async def test_tenant_of_a_namespace_that_joined_nothing_gets_no_plane(tmp_path: Path) -> None:
    made = await node(tmp_path, business(), joined=False)
    with pytest.raises(Denied, match="namespace shop has not joined it"):
        await made.hotplug.delegate(request(config_of(made)), NOTHING)
    assert made.exec.calls == []
    assert len(made.journal) == 0


async def test_tenant_pod_that_nobody_knows_gets_no_plane(tmp_path: Path) -> None:
    made = await node(tmp_path, business())
    with pytest.raises(Denied, match="there is no such pod"):
        await made.hotplug.delegate(request(config_of(made), pod="ghost"), NOTHING)
    assert made.exec.calls == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (InterfaceAttributes(("10.9.0.50/24",)), "reserves it for bank"),
        (InterfaceAttributes(("10.9.0.1/24",)), "the gateway"),
        (InterfaceAttributes((), "02:00:00:00:00:66"), "cannot choose the MAC"),
        (InterfaceAttributes((), "", {"ips": ["10.9.0.50/24"]}), "cannot pass ips"),
        (InterfaceAttributes((), "", {"sysctl": {"net.ipv4.ip_forward": "1"}}), "cannot pass sys"),
    ],
    ids=["reserved", "gateway", "mac", "ips in cni-args", "sysctl"],
)
async def test_tenant_wishes_are_judged_at_delegate(
    tmp_path: Path, asked: InterfaceAttributes, words: str
) -> None:
    plane = business(staticIPs={"allow": "Any", **RESERVED}, mac={"allowRequest": False})
    made = await node(tmp_path, plane)
    with pytest.raises(PlanesError, match=words):
        await made.hotplug.delegate(request(config_of(made)), asked)
    assert made.exec.calls == []
    assert len(made.journal) == 0


async def test_tenant_configuration_under_a_planes_name_is_not_what_runs(tmp_path: Path) -> None:
    """Else a changed copy of the NAD would be the plane with another policy."""
    made = await node(tmp_path, business())
    config = config_of(made)
    config["plugins"][0]["ipam"] = {"type": "static", "addresses": [{"address": "10.9.0.1/24"}]}
    config["plugins"].append({"type": "meta", "sysctl": {"evil": "1"}})
    await made.hotplug.delegate(request(config), NOTHING)
    seen = seen_by_plugins(made, "net9")
    assert "evil" not in seen
    assert "10.9.0.60" not in seen
    assert [str(ip) for ip in made.store.addresses.held["business"]] == ["10.9.0.2"]


@pytest.mark.parametrize("name", ["own", "business"])
async def test_tenant_nad_that_takes_a_planes_addresses_is_judged_as_the_plane(
    tmp_path: Path, name: str
) -> None:
    made = await node(tmp_path, business(), joined=False)
    ipam = {"type": "plane", "plane": "business"}
    config = {"cniVersion": "1.0.0", "name": name, "type": "two", "ipam": ipam}
    with pytest.raises(Denied, match="has not joined"):
        await made.hotplug.delegate(request(config), NOTHING)
    assert made.exec.calls == []


async def test_tenant_cannot_pass_a_quota_by_delegate(tmp_path: Path) -> None:
    networks = json.dumps([{"name": "business", "namespace": "netplane-system"}])
    plane = business(quota={"attachmentsPerNamespace": 1})
    made = await node(tmp_path, plane, networks)
    with pytest.raises(Denied, match="of 1 attachments"):
        await made.hotplug.delegate(request(config_of(made)), NOTHING)


async def test_the_element_that_a_controller_acts_on_counts_once(tmp_path: Path) -> None:
    wish = {"name": "business", "namespace": "netplane-system", "interface": "net9"}
    plane = business(quota={"attachmentsPerNamespace": 1})
    made = await node(tmp_path, plane, json.dumps([wish]))
    await made.hotplug.delegate(request(config_of(made)), NOTHING)
    assert len(made.journal) == 1


async def test_tenant_gets_no_wish_that_a_lenient_plane_reports(tmp_path: Path) -> None:
    plane = business(enforcement={"pods": "Warn"}, staticIPs=RESERVED)
    made = await node(tmp_path, plane)
    asked = InterfaceAttributes(("10.9.0.50/24",), "", {"word": "evil"})
    await made.hotplug.delegate(request(config_of(made)), asked)
    seen = seen_by_plugins(made, "net9")
    assert "evil" not in seen
    assert "10.9.0.50" not in seen


async def test_tenant_address_that_another_pod_asks_for_is_refused(tmp_path: Path) -> None:
    made = await node(tmp_path, business(staticIPs={"allow": "Any"}))
    wish = {"name": "business", "namespace": "netplane-system", "ips": ["10.9.0.7/24"]}
    rival = Pod("shop", "db", annotations={"k8s.v1.cni.cncf.io/networks": json.dumps([wish])})
    made.store.put_pod(rival)
    with pytest.raises(Conflict, match="pod shop/db asks for it already"):
        await made.hotplug.delegate(request(config_of(made)), InterfaceAttributes(("10.9.0.7/24",)))


async def test_the_nad_of_an_administrator_is_known_by_its_network_name(tmp_path: Path) -> None:
    """A plane with `nadRef` has whatever name the NAD's configuration gives."""
    ref = {"namespace": "infra", "name": "stored"}
    plane = make_plane("storage", network={"nadRef": ref}, attachment="OnRequest")
    config = {"cniVersion": "1.0.0", "name": "san", "type": "two", "ip": "10.9.0.5/24"}
    nad = Nad("infra", "stored", json.dumps(config))
    pod = Pod("shop", "web", uid="u1")
    store = FakeStore(planes=[plane], nads=[nad], namespaces=[Namespace("shop")], pods=[pod])
    made = await bench(tmp_path, store)
    with pytest.raises(Denied, match="has not joined"):
        await made.hotplug.delegate(request(config), NOTHING)
    await made.hotplug.delegate(request({**config, "name": "other"}), NOTHING)
    assert made.exec.names() == ["ADD two net9"]


async def test_tenant_mac_that_holds_more_arguments_is_refused(tmp_path: Path) -> None:
    """CNI_ARGS are one text, split at `;`: a plugin would believe another pod's name."""
    made = await node(tmp_path, business())
    config = {"cniVersion": "1.0.0", "name": "own", "type": "two"}
    for asked in (
        InterfaceAttributes((), "02:00:00:00:00:66;K8S_POD_NAMESPACE=bank"),
        InterfaceAttributes(("10.1.0.5/24;K8S_POD_NAMESPACE=bank",)),
    ):
        with pytest.raises(BadInput, match="interfaceAttributes"):
            await made.hotplug.delegate(request(config), asked)
    assert made.exec.calls == []


async def test_a_pod_on_the_hosts_network_is_not_hot_plugged(tmp_path: Path) -> None:
    made = await node(tmp_path, business())
    pod = made.store.pod("shop", "web")
    assert pod is not None
    made.store.put_pod(replace(pod, host_network=True))
    with pytest.raises(PlanesError, match="runs in the host's network"):
        await made.hotplug.delegate(request(config_of(made)), NOTHING)
