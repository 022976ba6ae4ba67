"""What a user of planes does: label, annotate, ask for addresses, look."""

from __future__ import annotations

import json

import pytest

from tests.cluster.e2e.conftest import Spaces
from tests.cluster.lab.cluster import Cluster
from tests.cluster.netplane import (
    NETWORKS,
    STATIC_IPS,
    SYSTEM,
    WEBHOOK,
    Netplane,
    Workspace,
    address,
    example,
)
from tests.cluster.workloads import deployment, pod
from tests.support.planes import plane_object


def test_pods_of_a_labelled_namespace_get_its_planes(space: Workspace) -> None:
    space.apply(deployment("front", 2))
    space.kubectl("rollout", "status", "deployment/front", "--timeout=60s")
    for one in space.pods():
        networks = space.networks(one["metadata"]["name"])
        assert sorted(networks) == ["eth0", "net1", "net2"]
        assert address(networks, "net1").startswith("192.168.")
        assert address(networks, "net2").startswith("172.16.")


def test_pods_of_other_namespaces_get_the_default_network_alone(spaces: Spaces) -> None:
    space = spaces()
    space.apply(pod("one"))
    space.wait_ready("one")
    assert NETWORKS not in space.get("pod", "one")["metadata"].get("annotations", {})
    assert sorted(space.networks("one")) == ["eth0"]


def test_pods_reach_each_other_over_a_plane_across_nodes(space: Workspace) -> None:
    space.apply(pod("here", node="node1"), pod("there", node="node2"))
    space.wait_ready("here", "there")
    for interface in ("net1", "net2"):
        target = address(space.networks("there"), interface)
        said = space.inside("here", "ping", "-c1", "-w5", "-I", interface, target)
        assert " 0% packet loss" in said


def test_a_network_can_be_asked_for_in_both_syntaxes(cluster: Cluster, netplane: Netplane) -> None:
    legacy = Workspace(cluster, "legacy")
    try:
        netplane.command_line(f"kubectl apply -f {example('annotated')}")
        legacy.wait_ready("comma", "json")
        for name in ("comma", "json"):
            networks = legacy.networks(name)
            assert sorted(networks) == ["bak0", "eth0"]
            assert address(networks, "bak0").startswith("192.168.200.")
    finally:
        legacy.delete()


def test_each_replica_of_a_stateful_set_gets_the_address_of_its_ordinal(
    cluster: Cluster, netplane: Netplane
) -> None:
    shop = Workspace(cluster, "shop")
    try:
        shop.create({"business": "enabled", "storage": "required"})
        netplane.command_line(f"kubectl apply -f {example('database')}")
        shop.kubectl("rollout", "status", "statefulset/database", "--timeout=60s")
        found = [shop.networks(f"database-{ordinal}")["net1"] for ordinal in (0, 1)]
        assert found == [["192.168.100.10"], ["192.168.100.11"]]
        shop.kubectl("delete", "pod", "database-1", "--wait")
        shop.kubectl("rollout", "status", "statefulset/database", "--timeout=60s")
        assert shop.networks("database-1")["net1"] == ["192.168.100.11"]
    finally:
        shop.delete(wait=True)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("10.1.1.1", "10.1.1.1"),
        ("192.168.0.1", "192.168.0.1"),
    ],
)
def test_why_a_pod_is_refused_is_seen_on_its_deployment(
    space: Workspace, wanted: str, said: str
) -> None:
    wish = {STATIC_IPS: json.dumps({"business": [wanted]})}
    space.apply(deployment("bad", 1, annotations=wish))
    space.cluster.wait_for("refusal", lambda: space.messages("FailedCreate", "bad"))
    (message, *_) = space.messages("FailedCreate", "bad")
    assert "denied the request" in message
    assert said in message
    assert STATIC_IPS in message

    def is_shown() -> bool:
        described = space.kubectl("get", "deployment", "bad", "-o", "yaml")
        return "ReplicaFailure" in described and said in described

    space.cluster.wait_for("the Deployment's condition", is_shown)


def test_the_events_of_a_pod_name_each_interface_with_its_address(space: Workspace) -> None:
    space.apply(pod("one"))
    space.wait_ready("one")
    networks = space.networks("one")
    space.cluster.wait_for("three events", lambda: len(space.messages("AddedInterface")) == 3)
    described = space.kubectl("describe", "pod", "one")
    assert f"Add eth0 [{address(networks, 'eth0')}/24] from cbr0" in described
    net1 = f"Add net1 [{address(networks, 'net1')}/16] from netplane-system/business"
    assert net1 in described


def test_the_list_of_planes_tells_how_much_they_are_used(
    cluster: Cluster, space: Workspace
) -> None:
    cluster.wait_for("nothing in use", lambda: in_use(cluster, "storage") == 0, seconds=90)
    space.apply(deployment("front", 3))
    space.kubectl("rollout", "status", "deployment/front", "--timeout=60s")
    cluster.wait_for("three in use", lambda: in_use(cluster, "storage") == 3)
    table = cluster.kubectl("get", "planes").splitlines()
    assert table[0].split()[:4] == ["NAME", "TYPE", "NAD", "MASTER"]
    assert [line.split()[0] for line in table[1:]] == ["business", "storage"]


def in_use(cluster: Cluster, plane: str) -> int:
    status = cluster.server.get("plane", plane).get("status", {})
    return int(status.get("inUse", -1))


def test_a_plane_whose_every_pod_fails_says_so_with_node_and_reason(
    cluster: Cluster, spaces: Spaces
) -> None:
    """It stayed in force, and only the pods' own events said that nobody got it (issue 10, 7)."""
    network = {"type": "macvlan", "master": "eth99"}
    subnets = [{"cidr": "10.99.0.0/24", "gateway": "10.99.0.1"}]
    cluster.server.apply(plane_object("broken", network=network, subnets=subnets))
    try:
        space = spaces(broken="enabled")
        space.apply(pod("one", node="node1"))
        cluster.wait_for(
            "a plane that fails", lambda: available(cluster, "broken") == "False", seconds=100
        )
        (condition,) = conditions(cluster, "broken", "Available")
        assert condition["reason"] == "AttachingFails"
        assert "latest on node1: " in condition["message"]
        assert "eth99" in condition["message"]
        assert available(cluster, "business") != "False"
        space.kubectl("delete", "pod", "one", "--wait")
    finally:
        cluster.kubectl("delete", "plane", "broken", "--ignore-not-found")


def test_the_running_webhook_lists_what_is_wrong(netplane: Netplane) -> None:
    """As the document says; only programs of its own pod are told."""
    argv = ("-n", SYSTEM, "exec", WEBHOOK, "--", "python3", "-m", "webhook", "problems")
    assert netplane.cluster.kubectl(*argv).strip()


def available(cluster: Cluster, plane: str) -> str:
    """Return the status of a plane's condition Available, "" where there is none yet."""
    return "".join(one["status"] for one in conditions(cluster, plane, "Available"))


def conditions(cluster: Cluster, plane: str, kind: str) -> list[dict[str, str]]:
    status = cluster.server.get("plane", plane).get("status", {})
    return [one for one in status.get("conditions", ()) if one["type"] == kind]
