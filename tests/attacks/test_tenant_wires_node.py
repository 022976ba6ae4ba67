"""A tenant's NAD on a plane's wire that admission never saw: the node refuses it.

On a real node with the real daemon; and by hot-plug through Multus' `/delegate`, which a
controller may ask for any pod.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cni.call import CniRequest, parse_call
from cni.net.host_links import HostLink
from cni.net.topology import Topology
from cni.serving.multus_protocol import InterfaceAttributes
from planes.model.errors import Denied, PlanesError
from planes.model.names import DEFAULT_NETWORK_ANNOTATION, NETWORKS_ANNOTATION
from planes.model.objects import Nad, Namespace, Pod
from tests.cni.runtime_scene import bench
from tests.cni.scene import NOTHING, leftovers, set_up
from tests.support.cni.runtime import NETNS, Bench
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node
from tests.support.planes import make_plane
from tests.support.store import FakeStore

JsonObject = dict[str, Any]
GATEWAY = {"type": "static", "addresses": [{"address": "10.9.0.1/24"}]}
kernel = pytest.mark.kernel


def tenant(place: Place, conf: JsonObject, **annotations: str) -> None:
    """Write the scene, and beside it namespace evil with a NAD of its own and a pod."""
    set_up(place)
    place.manifest(
        "evil",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "evil"}},
        {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": "own", "namespace": "evil"},
            "spec": {"config": json.dumps({"cniVersion": "1.0.0", "name": "own", **conf})},
        },
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "pod", "namespace": "evil", "annotations": annotations},
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    )


def refused(place: Place, here: Node) -> str:
    place.start()
    with pytest.raises(CniError) as caught:
        place.call("ADD", here.sandbox.path, pod="evil/pod")
    assert leftovers(place, here) == NOTHING
    told: str = caught.value.msg
    return told


@kernel
@pytest.mark.parametrize("annotation", [NETWORKS_ANNOTATION, DEFAULT_NETWORK_ANNOTATION])
def test_tenant_takes_no_gateway_with_a_static_ipam_on_the_master(
    daemon: Place, here: Node, annotation: str
) -> None:
    """As a further interface, and as eth0."""
    conf = {"type": "macvlan", "master": "eth1", "ipam": GATEWAY}
    tenant(daemon, conf, **{annotation: "evil/own"})
    assert "namespace evil has not joined it" in refused(daemon, here)


@kernel
@pytest.mark.parametrize("master", ["enp1s0", "above", ""])
def test_tenant_finds_no_name_of_the_master_that_the_node_does_not_know(
    daemon: Place, here: Node, master: str
) -> None:
    """An alternative name, an interface on top of it, and none: the default route's."""
    host = here.host
    host.ip("link", "property", "add", "dev", "eth1", "altname", "enp1s0")
    host.ip("link", "add", "above", "link", "eth1", "type", "macvlan")
    host.ip("addr", "add", "10.250.0.2/24", "dev", "eth1")
    host.ip("route", "add", "default", "via", "10.250.0.1")
    conf = {"type": "macvlan", "master": master, "ipam": GATEWAY}
    tenant(daemon, conf, **{NETWORKS_ANNOTATION: "evil/own"})
    assert "namespace evil has not joined it" in refused(daemon, here)


@kernel
def test_tenant_gets_no_file_of_the_node_that_leads_to_a_wire(daemon: Place, here: Node) -> None:
    """A NAD without a configuration names a file of the node's CNI conf dir."""
    conf = {"cniVersion": "1.0.0", "name": "own", "type": "macvlan", "master": "eth1"}
    tenant(daemon, {}, **{NETWORKS_ANNOTATION: "evil/own"})
    nad = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "own", "namespace": "evil"},
        "spec": {},
    }
    daemon.manifest(
        "evil",
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "evil"}},
        nad,
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": "pod",
                "namespace": "evil",
                "annotations": {NETWORKS_ANNOTATION: "own"},
            },
            "spec": {"containers": [{"name": "c", "image": "i"}]},
        },
    )
    (daemon.directory / "net.d" / "50-own.conf").write_text(json.dumps(conf))
    assert "namespace evil has not joined it" in refused(daemon, here)


def request(conf: JsonObject) -> CniRequest:
    environment = {
        "CNI_COMMAND": "ADD",
        "CNI_CONTAINERID": "c1",
        "CNI_NETNS": NETNS,
        "CNI_IFNAME": "net9",
        "CNI_PATH": "/opt/cni/bin",
        "CNI_ARGS": "IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=web",
    }
    return parse_call(environment, json.dumps({"cniVersion": "1.0.0", **conf}).encode())


async def hotplug_bench(path: Path, *, joined: bool, networks: str = "") -> Bench:
    """Return a node where pod shop/web runs, beside a plane on eth1 that is called enp1s0 too."""
    plane = make_plane(
        "business", network={"type": "macvlan", "master": "eth1"}, attachment="OnRequest"
    )
    own = Nad("shop", "own", '{"cniVersion":"1.0.0","type":"one","name":"o","master":"eth5"}')
    store = FakeStore(
        planes=[plane],
        nads=[own],
        namespaces=[Namespace("shop", {plane.label: "enabled"} if joined else {})],
        pods=[Pod("shop", "web", uid="u1", annotations={NETWORKS_ANNOTATION: networks})],
    )
    made = await bench(path, store)
    links = (HostLink(2, ("eth1", "enp1s0")), HostLink(3, ("up",), kind="vlan", parent=2, vlan=7))
    made.kernel.host = Topology(links)
    return made


ON_ETH1 = {"name": "extra", "type": "two", "master": "eth1", "ip": "10.3.0.5/24"}
NO_WISH = InterfaceAttributes((), "", {})


@pytest.mark.parametrize("master", ["eth1", "enp1s0"])
async def test_tenant_is_not_hot_plugged_onto_a_wire_it_has_not_joined(
    tmp_path: Path, master: str
) -> None:
    made = await hotplug_bench(tmp_path, joined=False)
    with pytest.raises(Denied, match="cannot use network extra: it is on interface"):
        await made.hotplug.delegate(request({**ON_ETH1, "master": master}), NO_WISH)
    assert made.exec.calls == []


async def test_tenant_that_joined_is_hot_plugged(tmp_path: Path) -> None:
    made = await hotplug_bench(tmp_path, joined=True)
    await made.hotplug.delegate(request(ON_ETH1), NO_WISH)
    assert made.exec.names() == ["ADD two net9"]


@pytest.mark.parametrize(
    "wishes",
    [
        InterfaceAttributes(("10.9.0.1/24",), "", {}),
        InterfaceAttributes((), "", {"any": "thing"}),
    ],
)
async def test_tenant_that_joined_is_hot_plugged_by_the_planes_rules(
    tmp_path: Path, wishes: InterfaceAttributes
) -> None:
    made = await hotplug_bench(tmp_path, joined=True)
    with pytest.raises(PlanesError):
        await made.hotplug.delegate(request({**ON_ETH1, "ipam": {"type": "static"}}), wishes)
    assert made.exec.calls == []


async def test_tenant_is_not_hot_plugged_with_the_planes_addresses_of_its_own(
    tmp_path: Path,
) -> None:
    made = await hotplug_bench(tmp_path, joined=True)
    ipam = {"type": "host-local", "subnet": "10.9.0.0/24"}
    with pytest.raises(Denied, match="addresses would be given out twice"):
        await made.hotplug.delegate(request({**ON_ETH1, "ipam": ipam}), NO_WISH)
    with pytest.raises(Denied, match="that nobody judged"):
        await made.hotplug.delegate(request({**ON_ETH1, "ip": "10.9.0.1/24"}), NO_WISH)


async def test_tenant_is_hot_plugged_off_the_wires_as_ever(tmp_path: Path) -> None:
    made = await hotplug_bench(tmp_path, joined=False)
    await made.hotplug.delegate(request({**ON_ETH1, "master": "eth9"}), NO_WISH)
    assert made.exec.names() == ["ADD two net9"]
