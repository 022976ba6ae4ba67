"""A pod's hostPort: the node's portmap runs with the node's programs, and takes its rules away."""

from __future__ import annotations

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.lab.cluster import Cluster
from tests.cluster.workloads import pod

PORT = 30801


def test_traffic_to_the_port_of_the_node_reaches_the_pod_and_its_rules_go_with_it(
    cluster: Cluster, spaces: Spaces
) -> None:
    """The image's PATH has no /usr/sbin, where the node has iptables: every such pod hung."""
    space = spaces(business="enabled")
    served = pod("served", node="node2")
    main = served["spec"]["containers"][0]
    main["command"] = ["sh", "-c", "echo it is me >/index.html; exec httpd -f -p 8080 -h /"]
    main["ports"] = [{"containerPort": 8080, "hostPort": PORT, "protocol": "TCP"}]
    space.apply(served)
    space.wait_ready("served")

    url = f"http://{cluster.node('node2').address}:{PORT}/index.html"
    # Ready is told when the container's process runs; the server in it listens a moment later.
    retry = ("--retry", "10", "--retry-connrefused", "--retry-delay", "1")
    assert "it is me" in cluster.node("node1").run("curl", "-s", "-m", "10", *retry, url)
    assert mappings(cluster, PORT)
    assert sorted(space.networks("served")) == ["eth0", "net1"]

    space.kubectl("delete", "pod", "served", "--wait")
    cluster.wait_for("no rule of the pod", lambda: not mappings(cluster, PORT))


def mappings(cluster: Cluster, port: int) -> list[str]:
    """Return the rules of node2 that speak of a port, in either packet filter."""
    node = cluster.node("node2")
    listed = node.run("iptables-save", "-t", "nat").splitlines()
    listed += node.run("nft", "list", "ruleset").splitlines()
    return [line for line in listed if str(port) in line]
