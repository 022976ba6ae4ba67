"""A cluster on its way from Multus to Netplane and back, and what was written down on the way."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from tests.cluster import accounts
from tests.cluster.lab.cluster import Cluster
from tests.cluster.lab.node import Node
from tests.cluster.legacy import INTERFACES, attached, networks
from tests.cluster.multus import CONF_DIR, Multus
from tests.cluster.netplane import STATUS, Netplane, Workspace

DISKS = ("/etc/cni", "/opt/cni", "/var/lib/cni", "/var/lib/netplane")
# What a running Multus or a later pod changes: a token, and the address that was last given out.
CHANGING = ("multus.kubeconfig", "last_reserved_ip")


@dataclass
class Scene:
    """The cluster, and what was written down on the way."""

    cluster: Cluster
    netplane: Netplane
    multus: Multus
    space: Workspace
    configs: dict[str, bytes] = field(default_factory=dict)
    disks: dict[str, dict[str, str]] = field(default_factory=dict)
    accounts: dict[str, accounts.Account] = field(default_factory=dict)
    statuses: dict[str, Any] = field(default_factory=dict)
    cleaned: list[str] = field(default_factory=list)

    def start(self, name: str) -> None:
        """Run a pod of that name, with two networks, on each node."""
        self.space.apply(*(attached(name, node) for node in self.cluster.nodes))
        self.space.wait_ready(*(f"{name}-{node.number}" for node in self.cluster.nodes))

    def delete(self, *names: str) -> None:
        """Delete the pods of these names on all nodes."""
        gone = [f"{name}-{node.number}" for name in names for node in self.cluster.nodes]
        self.space.kubectl("delete", "pod", *gone, "--wait")

    def status(self, pod: str) -> list[dict[str, Any]]:
        """Return the network-status of a pod."""
        text = self.space.get("pod", pod)["metadata"]["annotations"][STATUS]
        found: list[dict[str, Any]] = json.loads(text)
        return found

    def pings(self, name: str) -> bool:
        """Report whether the pods of a name reach each other over every interface."""
        there = self.space.networks(f"{name}-2")
        for interface in ("eth0", *INTERFACES):
            (address,) = there[interface]
            argv = ("ping", "-c1", "-w5", "-I", interface, address)
            if " 0% packet loss" not in self.space.inside(f"{name}-1", *argv):
                return False
        return True


def disk_of(node: Node) -> dict[str, str]:
    found = accounts.disk(node, DISKS)
    return {path: what for path, what in found.items() if not any(one in path for one in CHANGING)}


def configs_of(node: Node) -> list[str]:
    """Return the CNI configs of a node in the order in which a runtime looks at them."""
    names = sorted(path.name for path in node.disk(CONF_DIR).iterdir())
    return [name for name in names if name.endswith((".conf", ".conflist"))]


def begin(scene: Scene) -> None:
    scene.multus.load()
    scene.multus.install()
    scene.space.create({})
    for node in scene.cluster.nodes:
        scene.space.apply(*networks(node))
        scene.cluster.wait_for("Multus' config", scene.multus.config(node).exists)
    scene.start("stays")
    for node in scene.cluster.nodes:
        scene.configs[node.name] = scene.multus.config(node).read_bytes()
        scene.disks[node.name] = disk_of(node)
        scene.accounts[node.name] = accounts.of_pods(node)
    scene.start("old")
    for name in [one["metadata"]["name"] for one in scene.space.pods()]:
        scene.statuses[name] = scene.status(name)
