"""Two hundred pods come and go on two nodes, and nothing of them is left."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.cluster import accounts
from tests.cluster.e2e.conftest import Spaces
from tests.cluster.lab.cluster import Cluster
from tests.cluster.netplane import Netplane, Workspace, address, status_of
from tests.cluster.workloads import deployment, lacked

PODS = 200
INTERFACES = ("eth0", "net1", "net2")


@pytest.mark.timeout(900)
def test_two_hundred_pods_come_and_go_and_leave_nothing(
    cluster: Cluster, netplane: Netplane, spaces: Spaces
) -> None:
    space = spaces(business="enabled", storage="enabled")
    cluster.wait_for("quiet nodes", lambda: quiet(cluster), seconds=90)
    before = {node.name: accounts.of_pods(node) for node in cluster.nodes}
    space.apply(deployment("many", PODS, needs=INTERFACES))
    space.kubectl("rollout", "status", "deployment/many", "--timeout=240s", seconds=250)
    check_running(cluster, space)
    check_addresses(netplane)
    space.kubectl("delete", "deployment", "many")
    cluster.wait_for("no pods", lambda: not space.pods(), seconds=180)
    left: list[str] = []

    def nothing_left() -> bool:
        left[:] = [
            f"{node.name}: {line}"
            for node in cluster.nodes
            for line in accounts.left(before[node.name], accounts.of_pods(node))
        ]
        return not left

    try:
        cluster.wait_for("nothing left of the pods", nothing_left, seconds=180)
    finally:
        assert left == []
    cluster.wait_for("planes count nothing", lambda: in_use(cluster) == {0}, seconds=60)
    space.delete(wait=True)
    assert cluster.server.get("events", "-n", space.name)["items"] == []


def check_running(cluster: Cluster, space: Workspace) -> None:
    """All run, on both nodes, each address once, each interface told of once."""
    pods = space.pods()
    assert len(pods) == PODS
    assert [one for one in pods if lacked(one)] == []
    assert len({one["spec"]["nodeName"] for one in pods}) == 2
    for interface in INTERFACES:
        found = [address(status_of(one), interface) for one in pods]
        assert [one for one, times in Counter(found).items() if times > 1] == []
    # Events go out behind the answers, a few a second of each node.
    cluster.wait_for("an event of each", lambda: events(space) == set(INTERFACES), seconds=180)


def check_addresses(netplane: Netplane) -> None:
    """Nothing is wrong with the addresses of two hundred pods."""
    checked = netplane.asks("ip", "check", "-o", "json")
    assert (checked.returncode, json.loads(checked.stdout)) == (0, [])


def events(space: Workspace) -> set[str]:
    """Return the interfaces that are told of for every pod, once each."""
    told = Counter(
        (one["involvedObject"]["name"], one["message"].split()[1])
        for one in space.get("events")["items"]
        if one["reason"] == "AddedInterface"
    )
    assert set(told.values()) <= {1}
    pods = Counter(interface for _, interface in told)
    return {interface for interface, count in pods.items() if count == PODS}


def in_use(cluster: Cluster) -> set[int]:
    planes = cluster.server.get("planes")["items"]
    return {one["status"].get("inUse", 0) for one in planes}


def quiet(cluster: Cluster) -> bool:
    """Report whether the pods of earlier tests are gone."""
    pods = cluster.server.get("pods", "-A")["items"]
    return all(one["metadata"]["namespace"] == "netplane-system" for one in pods)
