"""A plane's master is down on a node: its pods do not start there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.lab.cluster import Cluster
from tests.cluster.lab.node import Node
from tests.cluster.workloads import pod


@contextmanager
def interface_down(node: Node, interface: str) -> Iterator[None]:
    """Switch an interface of a node off, and on again at the end."""
    node.inside.ip("link", "set", interface, "down")
    try:
        yield
    finally:
        node.inside.ip("link", "set", interface, "up")


def test_a_pod_waits_until_the_master_of_its_plane_is_up_and_is_told_the_command(
    cluster: Cluster, spaces: Spaces
) -> None:
    space = spaces(business="enabled")
    node = cluster.nodes[0]
    with interface_down(node, "eth1"):
        space.apply(pod("one", node=node.name))
        cluster.wait_for("failure", lambda: space.messages("FailedCreatePodSandBox", "one"))
        (message, *_) = space.messages("FailedCreatePodSandBox", "one")
        assert "plane business" in message
        assert node.name in message
        assert "ip link set dev eth1 up" in message
        assert "eth0" not in space.networks("one")
    space.wait_ready("one")
    assert sorted(space.networks("one")) == ["eth0", "net1"]


def test_pods_of_another_node_start_meanwhile(cluster: Cluster, spaces: Spaces) -> None:
    space = spaces(business="enabled")
    with interface_down(cluster.nodes[0], "eth1"):
        space.apply(pod("two", node=cluster.nodes[1].name))
        space.wait_ready("two")
        assert sorted(space.networks("two")) == ["eth0", "net1"]
