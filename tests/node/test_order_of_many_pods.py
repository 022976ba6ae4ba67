"""Two hundred pods with six networks each, natives and binaries mixed: all come out the same.

Whatever else the node does at that moment: interfaces have indexes in the order of the annotation,
network-status has that order, and the same default route is used.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.node.manifests import nad_object
from tests.support.node.netns import Namespace, why_no_reference
from tests.support.node.node import LiveNode

pytestmark = [pytest.mark.kernel, pytest.mark.timeout(420)]

JsonObject = dict[str, Any]
Sandboxes = Callable[[int], list[Namespace]]
PODS = 200
AT_ONCE = 32
NETWORKS = ("flat", "pair", "lan", "flat2", "pair2", "lan2")
EXECUTED = "ptp"
INTERFACES = ["eth0", *(f"net{number}" for number in range(1, 7))]


def networks(node: LiveNode) -> list[JsonObject]:
    """Two macvlans and two bridges carried out in the daemon, two pairs by their binary."""
    kinds: dict[str, JsonObject] = {
        "flat": {"type": "macvlan", "master": "eth1"},
        "pair": {"type": "ptp"},
        "lan": {"type": "bridge", "bridge": "br-lan"},
        "flat2": {"type": "macvlan", "master": "eth2"},
        "pair2": {"type": "ptp"},
        "lan2": {"type": "bridge", "bridge": "br-lan2"},
    }
    made = []
    for number, (name, kind) in enumerate(kinds.items()):
        ipam = {
            "type": "host-local",
            "ranges": [[{"subnet": f"10.3{number}.0.0/16"}]],
            "dataDir": str(node.home / "networks"),
            "routes": [{"dst": "0.0.0.0/0"}] if name in {"lan", "flat2", "pair2"} else [],
        }
        config = {"cniVersion": "1.0.0", "name": name, **kind, "ipam": ipam}
        made.append(nad_object(name, "plain", config))
    return made


def arguments(number: int) -> str:
    return (
        f"K8S_POD_NAMESPACE=plain;K8S_POD_NAME=many{number};K8S_POD_UID=uid-many{number}"
        ";IgnoreUnknown=1"
    )


def seen(node: LiveNode, number: int, sandbox: Namespace) -> JsonObject:
    """Return what a pod of the crowd must not differ in."""
    links = {link["ifindex"]: link["ifname"] for link in sandbox.ip_json("link")}
    default = sandbox.ip_json("route", "show", "default")
    return {
        "kernel": [links[index] for index in sorted(links) if links[index] != "lo"],
        "status": [
            one.get("interface", "eth0") for one in node.status_of(f"many{number}", "plain")
        ],
        "default": [(one["dev"], one.get("metric")) for one in default],
    }


def test_two_hundred_pods_come_out_the_same(own_node: LiveNode, sandboxes: Sandboxes) -> None:
    if reason := why_no_reference(EXECUTED):
        pytest.skip(reason)
    for plane in own_node.manifests.glob("plane-*"):  # their wires are not for other networks
        plane.unlink()
    own_node.put(*networks(own_node))
    for number in range(PODS):
        meta = {
            "name": f"many{number}",
            "namespace": "plain",
            "uid": f"uid-many{number}",
            "annotations": {"k8s.v1.cni.cncf.io/networks": ", ".join(NETWORKS)},
        }
        spec = {"containers": [{"name": "main", "image": "app"}]}
        own_node.pods.put({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec})
    own_node.options = ("--native", f"{EXECUTED}=false")
    own_node.start()
    made = sandboxes(PODS)

    def call(verb: str, number: int) -> str:
        """Return "" or the error."""
        done = own_node.call(
            verb,
            f"c{number}",
            made[number],
            CNI_ARGS=arguments(number),
            NETPLANE_WAIT_SECONDS="60",
        )
        return str(done.error) if done.status else ""

    with ThreadPoolExecutor(AT_ONCE) as pool:
        added = list(pool.map(lambda number: call("ADD", number), range(PODS)))
        assert set(added) == {""}
        found = list(pool.map(lambda number: seen(own_node, number, made[number]), range(PODS)))
        deleted = list(pool.map(lambda number: call("DEL", number), range(PODS)))
    assert set(deleted) == {""}
    kinds = {json.dumps(one) for one in found}
    assert len(kinds) == 1
    assert found[0]["kernel"] == INTERFACES
    assert found[0]["status"] == INTERFACES
    for bridge in ("br-lan", "br-lan2"):
        if bridge in own_node.host.ip("link"):
            own_node.host.ip("link", "del", bridge)
