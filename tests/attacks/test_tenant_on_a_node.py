"""A tenant's wishes on a real node: daemon, kernel, the reference portmap; nothing is left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.cni.scene import NOTHING, leftovers, pod_object, set_up
from tests.support.node.daemon import CniError, Place
from tests.support.node.netns import Node, namespace, why_no_kernel_tests, why_no_reference
from tests.support.planes import plane_object

JsonObject = dict[str, Any]

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(bool(why_no_kernel_tests()), reason=why_no_kernel_tests()),
]


def asking(name: str, element: JsonObject) -> JsonObject:
    return pod_object(name, json.dumps([element]))


def plane(place: Place) -> None:
    """Add a plane, in force beside the scene's, with a sysctl and an address kept for another."""
    place.manifest(
        "plane",
        plane_object(
            "guarded",
            network={"type": "macvlan", "master": "eth1", "mode": "bridge"},
            subnets=[{"cidr": "10.10.0.0/24", "gateway": "10.10.0.1"}],
            attachment="OnRequest",
            namespaceSelector={"matchLabels": {"kubernetes.io/metadata.name": "shop"}},
            sysctls={"net.ipv4.conf.IFNAME.arp_ignore": "2"},
            staticIPs={"reservations": [{"ip": "10.10.0.50", "namespace": "bank"}]},
            mac={"allowRequest": False},
        ),
    )


@contextmanager
def service(node: Node, port: int) -> Iterator[None]:
    """Let a process of the node listen on a port."""
    code = (
        "import socket, sys\n"
        f"s = socket.create_server(('', {port}))\n"
        "print('ready', flush=True); sys.stdin.read()"
    )
    command = ["ip", "netns", "exec", node.host.name, sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield
        finally:
            process.kill()


@pytest.mark.parametrize(
    "wishes",
    [
        {"cni-args": {"ips": ["10.10.0.50/24"]}},
        {"cni-args": {"mac": "02:00:00:00:00:66"}},
        {"cni-args": {"sysctl": {"net.ipv4.conf.IFNAME.arp_ignore": "0"}}},
        {"ips": ["10.10.0.50/24"]},
        {"mac": "02:00:00:00:00:66"},
    ],
    ids=["ips-in-args", "mac-in-args", "sysctl-in-args", "ips", "mac"],
)
def test_tenant_gets_no_wish_past_the_plane(daemon: Place, here: Node, wishes: JsonObject) -> None:
    set_up(daemon)
    plane(daemon)
    element = {"name": "guarded", "namespace": "netplane-system"}
    daemon.manifest("thief", asking("thief", {**element, **wishes}))
    daemon.start()
    with pytest.raises(CniError) as caught:
        daemon.call("ADD", here.sandbox.path, pod="shop/thief")
    assert caught.value.code == 110
    assert "not in force" not in str(caught.value)
    assert leftovers(daemon, here) == NOTHING


def test_tenant_of_a_lenient_plane_gets_an_address_of_its_own_and_the_planes_sysctls(
    daemon: Place, here: Node
) -> None:
    for plugin in ("tuning",):
        if reason := why_no_reference(plugin):
            pytest.skip(reason)
    set_up(daemon)
    plane(daemon)
    lenient = (daemon.directory / "manifests" / "plane.yaml").read_text()
    obj = json.loads(lenient)
    obj["spec"]["enforcement"] = {"pods": "Warn"}
    daemon.manifest("plane", obj)
    wishes = {
        "cni-args": {"ips": ["10.10.0.50/24"], "sysctl": {"net.ipv4.conf.IFNAME.arp_ignore": "0"}},
        "mac": "02:00:00:00:00:66",
    }
    element = {"name": "guarded", "namespace": "netplane-system"}
    daemon.manifest("thief", asking("thief", {**element, **wishes}))
    daemon.start()
    daemon.call("ADD", here.sandbox.path, pod="shop/thief")
    link = here.sandbox.ip_json("address", "show", "dev", "net1")[0]
    addresses = [one["local"] for one in link["addr_info"] if one["family"] == "inet"]
    assert addresses != ["10.10.0.50"]
    assert len(addresses) == 1
    assert link["address"] != "02:00:00:00:00:66"
    assert here.sandbox.sysctl("ipv4/conf/net1/arp_ignore") == "2"
    daemon.call("DEL", here.sandbox.path, pod="shop/thief")
    assert leftovers(daemon, here) == NOTHING


def mapping_nad() -> JsonObject:
    ipam = {"type": "host-local", "subnet": "172.17.0.0/16", "dataDir": ""}
    plugins: list[JsonObject] = [
        {"type": "bridge", "bridge": "br-map", "isGateway": True, "ipam": ipam},
        {"type": "portmap", "capabilities": {"portMappings": True}},
    ]
    return {"cniVersion": "1.0.0", "name": "mapped", "plugins": plugins}


def test_tenant_cannot_take_ports_of_the_node_or_of_another_pod(daemon: Place, here: Node) -> None:
    if reason := why_no_reference("portmap"):
        pytest.skip(reason)
    set_up(daemon)
    conf = mapping_nad()
    conf["plugins"][0]["ipam"]["dataDir"] = str(daemon.directory / "host-local")
    nad = {
        "apiVersion": "k8s.cni.cncf.io/v1",
        "kind": "NetworkAttachmentDefinition",
        "metadata": {"name": "mapped", "namespace": "shop"},
        "spec": {"config": json.dumps(conf)},
    }

    def maps(name: str, port: int) -> JsonObject:
        mapping = [{"hostPort": port, "containerPort": 80, "protocol": "TCP"}]
        return asking(name, {"name": "mapped", "portMappings": mapping})

    pods = [maps("kubelet", 10250), maps("web", 8080), maps("thief", 8080)]
    daemon.manifest("mapped", nad, *pods)
    daemon.start()
    with service(here, 10250), pytest.raises(CniError) as caught:
        daemon.call("ADD", here.sandbox.path, pod="shop/kubelet")
    assert "cannot map port 10250/tcp of the node: process python" in str(caught.value)
    daemon.call("ADD", here.sandbox.path, pod="shop/web")
    with namespace("other") as other:
        with pytest.raises(CniError) as caught:
            daemon.call("ADD", other.path, container="c2", pod="shop/thief")
        assert "8080/tcp of the node: pod shop/web has it" in str(caught.value)
        daemon.call("DEL", here.sandbox.path, pod="shop/web")
        daemon.call("ADD", other.path, container="c2", pod="shop/thief")
        daemon.call("DEL", other.path, container="c2", pod="shop/thief")
    left = leftovers(daemon, here)
    # portmap keeps its top-level chains, without rules of any pod
    assert not [rule for rule in left["rules"] if "CNI-DN-" in rule]
    assert {**left, "rules": []} == NOTHING
