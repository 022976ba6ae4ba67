"""A part of the system is away or restarts: no pod starts without its planes, and all goes on."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.cluster.apiserver import KubectlError
from tests.cluster.e2e.conftest import Spaces
from tests.cluster.lab.cluster import Cluster
from tests.cluster.netplane import DAEMON, SYSTEM, WEBHOOK, Netplane, Workspace
from tests.cluster.workloads import deployment, is_ready, lacked, pod

PLANES = ("net1", "net2")


@dataclass
class Churn:
    """What was seen while pods came and went."""

    started: set[str] = field(default_factory=set)
    lacking: set[str] = field(default_factory=set)


@contextmanager
def churn(space: Workspace, replicas: int = 8) -> Iterator[Churn]:
    """Delete pods of a Deployment over and over, so that new ones start all the time."""
    seen = Churn()
    stop = threading.Event()
    choose = random.Random(1)  # noqa: S311 - which pod goes first is no secret

    def go_on() -> None:
        while not stop.wait(0.3):
            pods = space.pods("app=churn")
            seen.lacking |= {one["metadata"]["name"] for one in pods if lacked(one)}
            ready = [one["metadata"]["name"] for one in pods if is_ready(one)]
            seen.started |= set(ready)
            if len(ready) > replicas // 2:
                gone = choose.sample(ready, 2)
                space.kubectl("delete", "pod", "--wait=false", "--ignore-not-found", *gone)

    space.apply(deployment("churn", replicas, needs=PLANES))
    space.kubectl("rollout", "status", "deployment/churn", "--timeout=90s")
    worker = threading.Thread(target=go_on)
    worker.start()
    try:
        yield seen
    finally:
        stop.set()
        worker.join()


@pytest.mark.timeout(300)
def test_no_pod_lacks_a_plane_while_the_daemons_are_replaced_under_churn(
    netplane: Netplane, space: Workspace
) -> None:
    with churn(space) as seen:
        before = len(seen.started)
        netplane.restart(DAEMON)
        netplane.restart(DAEMON)
    space.kubectl("rollout", "status", "deployment/churn", "--timeout=90s")
    assert seen.lacking == set()
    assert [one for one in space.pods() if lacked(one)] == []
    assert len(seen.started) - before >= 10


@pytest.mark.timeout(240)
def test_no_pod_lacks_a_plane_while_the_webhooks_are_replaced_under_churn(
    netplane: Netplane, space: Workspace
) -> None:
    with churn(space) as seen:
        netplane.restart(WEBHOOK)
    space.kubectl("rollout", "status", "deployment/churn", "--timeout=90s")
    assert seen.lacking == set()
    assert space.messages("PlaneRepaired") == []


@pytest.mark.timeout(300)
def test_without_a_webhook_the_node_attaches_what_is_missing(
    netplane: Netplane, spaces: Spaces
) -> None:
    space = spaces(business="enabled", storage="enabled")
    with netplane.webhook_away():
        space.apply(pod("one", needs=PLANES))
        space.wait_ready("one")
        assert sorted(space.networks("one")) == ["eth0", "net1", "net2"]
        space.cluster.wait_for("event", lambda: space.messages("PlaneRepaired", "one"))


@pytest.mark.timeout(300)
def test_without_a_webhook_a_required_plane_fails_closed(
    netplane: Netplane, spaces: Spaces
) -> None:
    space = spaces(business="required")
    refused = pytest.raises(KubectlError, match=f"{space.name} requires plane business")
    with netplane.webhook_away(), refused:
        space.apply(pod("one"))

    def is_applied() -> bool:
        space.apply(pod("one", needs=("net1",)))
        return True

    # The API server finds the webhook again by EndpointSlices, which another controller writes.
    space.cluster.wait_for("the webhook to be asked", is_applied)
    space.wait_ready("one")


def test_pods_run_on_and_new_ones_get_planes_after_the_api_server_was_away(
    netplane: Netplane, cluster: Cluster, space: Workspace
) -> None:
    space.apply(pod("before", needs=PLANES))
    space.wait_ready("before")
    networks = space.networks("before")
    cluster.server.stop_server()
    cluster.server.start_server()
    space.apply(pod("after", needs=PLANES))
    space.wait_ready("after")
    assert space.networks("before") == networks
    parts = [*netplane.pods("netplane-cni"), *netplane.pods("netplane-webhook")]
    assert restarts(parts) == 0
    netplane.wait_for_rollouts()


@pytest.mark.timeout(240)
def test_a_rebooted_node_gives_its_pods_their_planes_again(
    netplane: Netplane, cluster: Cluster, space: Workspace
) -> None:
    names = [f"one-{number}" for number in range(4)]
    space.apply(*(pod(name, node="node2", needs=PLANES) for name in names))
    space.wait_ready(*names)
    cluster.reboot(cluster.node("node2"))
    # The kubelet starts the sandboxes anew; each container counts that.
    cluster.wait_for("all restarted", lambda: restarts(space.pods()) >= len(names), seconds=120)
    space.wait_ready(*names, seconds=120)
    assert [one for one in space.pods() if lacked(one)] == []
    for name in names:
        assert "inet " in space.inside(name, "ip", "addr", "show", "net1")
    netplane.wait_for_rollouts()


@pytest.mark.timeout(300)
def test_the_whole_cluster_starts_cold_with_no_webhook(
    netplane: Netplane, cluster: Cluster, space: Workspace
) -> None:
    space.apply(deployment("front", 4, needs=PLANES))
    space.kubectl("rollout", "status", "deployment/front", "--timeout=60s")
    with netplane.webhook_away():
        cluster.power_off()
        cluster.power_on()
        netplane.rollout(DAEMON)
        cluster.wait_for("all pods restarted", lambda: restarts(space.pods()) >= 4, seconds=120)
        space.kubectl("rollout", "status", "deployment/front", "--timeout=120s")
        space.apply(pod("new", needs=PLANES))
        space.wait_ready("new")
        space.kubectl("delete", "pod", "new")
    assert [one for one in space.pods() if lacked(one)] == []


@pytest.mark.timeout(240)
def test_a_drained_node_is_empty_and_its_pods_have_their_planes_elsewhere(
    netplane: Netplane, cluster: Cluster, space: Workspace
) -> None:
    space.apply(deployment("front", 4, needs=PLANES))
    space.kubectl("rollout", "status", "deployment/front", "--timeout=60s")
    # --force: pods that other tests are still deleting have nobody who makes them anew.
    argv = ("drain", "node2", "--ignore-daemonsets", "--force", "--timeout=120s")
    try:
        cluster.kubectl(*argv, seconds=130)
        space.kubectl("rollout", "status", "deployment/front", "--timeout=60s")
        pods = space.pods()
        assert {one["spec"]["nodeName"] for one in pods} == {"node1"}
        assert [one for one in pods if lacked(one)] == []
        node2 = cluster.node("node2")
        # A sandbox that an earlier test's reboot ended is removed by the kubelet a minute later.
        cluster.wait_for(
            "an empty journal", lambda: not node2.run("ls", "/var/lib/netplane/journal"), seconds=90
        )
    finally:
        cluster.kubectl("uncordon", "node2")
    netplane.wait_for_rollouts()


def restarts(pods: list[dict[str, Any]]) -> int:
    """How often containers of the pods were started anew, all together."""
    return sum(
        status["restartCount"]
        for one in pods
        for status in one["status"].get("containerStatuses", [])
    )


def test_netplane_itself_did_not_restart_by_accident(netplane: Netplane) -> None:
    """Of all that happened before, only what was done on purpose ended a container."""
    argv = ("events", "-n", SYSTEM)
    kinds = {one["reason"] for one in netplane.cluster.server.get(*argv)["items"]}
    assert "BackOff" not in kinds
    assert "OOMKilling" not in kinds
