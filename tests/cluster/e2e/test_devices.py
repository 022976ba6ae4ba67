"""Networks with a resource on a real kubelet: the device it allocates becomes the interface."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.lab.cluster import Cluster
from tests.cluster.lab.device_plugin import device_plugin, information
from tests.cluster.lab.enclosure import RunError
from tests.cluster.lab.node import Node
from tests.cluster.workloads import pod

RESOURCE = "lab.example.com/cards"
CARDS = ("card1", "card2", "card3")
NAD = {
    "apiVersion": "k8s.cni.cncf.io/v1",
    "kind": "NetworkAttachmentDefinition",
    "metadata": {
        "name": "cards",
        "namespace": "netplane-system",
        "annotations": {"k8s.v1.cni.cncf.io/resourceName": RESOURCE},
    },
    "spec": {
        "config": json.dumps(
            {
                "cniVersion": "1.0.0",
                "name": "cards",
                "type": "lab-card",
                "capabilities": {"CNIDeviceInfoFile": True},
            }
        )
    },
}
PLUGIN = r"""#!/bin/sh
# Moves the interface that deviceID names into the sandbox, and back.
device=$(sed -n 's/.*"deviceID":"\([^"]*\)".*/\1/p')
space=${CNI_NETNS##*/}
case $CNI_COMMAND in
ADD)
  [ -n "$device" ] || { echo '{"cniVersion":"1.0.0","code":999,"msg":"no deviceID"}'; exit 1; }
  ip link set dev "$device" netns "$space" name "$CNI_IFNAME" || exit 1
  ip -n "$space" link set dev "$CNI_IFNAME" up || exit 1
  link='{"name":"'"$CNI_IFNAME"'","sandbox":"'"$CNI_NETNS"'"}'
  echo '{"cniVersion":"1.0.0","interfaces":['"$link"'],"ips":[]}'
  ;;
DEL)
  [ -z "$space" ] || ip -n "$space" link set dev "$CNI_IFNAME" netns 1 name "$device" || true
  ;;
esac
"""


@contextmanager
def nad(cluster: Cluster) -> Iterator[None]:
    """Have the NAD, and delete it at the end."""
    cluster.server.apply(NAD)
    try:
        yield
    finally:
        cluster.kubectl("-n", "netplane-system", "delete", "net-attach-def", "cards")


@contextmanager
def cards(node: Node) -> Iterator[None]:
    """Make the interfaces that the plugin hands out, and remove them at the end."""
    for card in CARDS:
        node.inside.ip("link", "add", card, "type", "veth", "peer", "name", f"{card}-cable")
    path = node.disk("/opt/cni/bin/lab-card")
    path.write_text(PLUGIN)
    path.chmod(0o755)
    try:
        yield
    finally:
        path.unlink()
        for card in CARDS:
            with suppress(RunError):
                node.inside.ip("link", "del", f"{card}-cable")


def test_each_network_of_a_resource_gets_a_device_that_the_kubelet_allocated(
    cluster: Cluster, spaces: Spaces
) -> None:
    # Admission adds the requests for devices, and is called in namespaces with a plane.
    node, space = cluster.nodes[0], spaces(business="enabled")
    with cards(node), device_plugin(node, RESOURCE, CARDS) as info, nad(cluster):
        cluster.wait_for("devices of the node", lambda: _capacity(cluster, node) == str(len(CARDS)))
        networks = {"k8s.v1.cni.cncf.io/networks": "netplane-system/cards,netplane-system/cards"}
        space.apply(pod("one", node=node.name, annotations=networks))
        space.wait_ready("one")
        made = space.get("pod", "one")
        assert made["spec"]["containers"][0]["resources"]["limits"] == {RESOURCE: "2"}
        status = json.loads(made["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"])
        told = {one["interface"]: one.get("device-info") for one in status}
        taken = [told[ifname]["pci"]["pci-address"] for ifname in ("net1", "net2")]
        assert len(set(taken)) == 2
        assert set(taken) <= set(CARDS)
        assert [told[each] for each in ("net1", "net2")] == [information(card) for card in taken]
        assert {"net1", "net2"} <= set(space.inside("one", "ls", "/sys/class/net").split())
        left = node.inside.ip("-o", "link")
        assert [f" {card}@" in left for card in CARDS] == [card not in taken for card in CARDS]
        assert len(list((info / "cni").iterdir())) == 2
        space.kubectl("delete", "pod", "one")
        cluster.wait_for("no device information", lambda: not list((info / "cni").iterdir()))
        back = node.inside.ip("-o", "link")
        assert all(f" {card}@" in back for card in CARDS)


def _capacity(cluster: Cluster, node: Node) -> str:
    found = cluster.server.get("node", node.name)["status"].get("allocatable", {})
    return str(found.get(RESOURCE, ""))
