"""A node from outside: what the API server shows of it, judged."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest

from planes.cli.doctor.api_access import ServerDate
from planes.cli.doctor.checkup import CheckResult, examine
from planes.cli.doctor.facts.cluster_node import ClusterNode, read_cluster_node
from planes.cli.doctor.outside import outside_checks
from planes.kube.api import KubeApi
from planes.kube.resources import DAEMON_SETS, EVENTS, LEASES, NODES, PODS, Resource
from planes.model.errors import Denied, Unavailable
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION
from planes.model.state.plane_health import Health, encode_report
from tests.cli.doctor.test_api_server import Reviewing
from tests.support.kube.nodes import node_object

T = TypeVar("T")
NOW = datetime(2027, 1, 15, 8, tzinfo=UTC).timestamp()
IMAGE = "netplane:0.1.0"


def rfc(ago: float) -> str:
    return datetime.fromtimestamp(NOW - ago, UTC).isoformat().replace("+00:00", "Z")


def daemon_pod(**more: Any) -> dict[str, Any]:
    """Return the daemon's pod on n1: ready, without a report."""
    facts = {"ready": "True", "restarts": 0, "image": IMAGE, "state": {"running": {}}, **more}
    return {
        "metadata": {
            "name": "netplane-cni-x",
            "namespace": NETPLANE_NAMESPACE,
            "labels": {"app.kubernetes.io/name": "netplane-cni"},
            "annotations": more.get("annotations", {}),
        },
        "spec": {"nodeName": "n1", "containers": [{"name": "cni", "image": facts["image"]}]},
        "status": {
            "phase": "Running",
            "conditions": [{"type": "Ready", "status": facts["ready"]}],
            "containerStatuses": [
                {"name": "cni", "restartCount": facts["restarts"], "state": facts["state"]}
            ],
        },
    }


class Cluster:
    """A cluster with a node n1 that is healthy, until a test changes something.

    Attributes:
        kube: its API server.
        is_daemon: as `ApiSource` has it.
    """

    def __init__(self) -> None:
        self.is_daemon = False
        self.kube = Reviewing()
        self.kube.put_object(NODES, node_object("n1"))
        self.renew(5)
        spec = {"template": {"spec": {"containers": [{"name": "cni", "image": IMAGE}]}}}
        meta = {"name": "netplane-cni", "namespace": NETPLANE_NAMESPACE}
        self.kube.put_object(DAEMON_SETS, {"metadata": meta, "spec": spec})
        self.kube.put_object(PODS, daemon_pod())

    def renew(self, ago: float) -> None:
        meta = {"name": "n1", "namespace": "kube-node-lease"}
        self.kube.put_object(LEASES, {"metadata": meta, "spec": {"renewTime": rfc(ago)}})

    def event(self, kind: str, name: str, namespace: str, message: str, ago: float) -> None:
        self.kube.put_object(
            EVENTS,
            {
                "metadata": {"name": f"{name}.{ago}", "namespace": namespace},
                "involvedObject": {"kind": kind, "name": name},
                "type": "Warning",
                "reason": "Failed",
                "message": message,
                "count": 3,
                "lastTimestamp": rfc(ago),
            },
        )

    def ask(self, work: Callable[[KubeApi, ServerDate], Awaitable[T]]) -> T:
        import asyncio  # noqa: PLC0415

        async def run() -> T:
            date = datetime.fromtimestamp(NOW, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
            return await work(self.kube, lambda: date)

        return asyncio.run(run())

    def examined(self) -> dict[str, CheckResult]:
        return {one.name: one for one in examine(outside_checks(self, "n1", lambda: NOW))}

    def found(self) -> list[tuple[str, str, str]]:
        """Return check, severity and text of all that is found, without API and clock."""
        return [
            (result.name, one.severity.value, one.what)
            for name, result in self.examined().items()
            if name not in {"api", "clock", "certificates"}
            for one in result.found
        ]


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def test_nothing_is_wrong_with_a_healthy_node(cluster: Cluster) -> None:
    report = encode_report("n1", {"business": Health(attached_at=int(NOW) - 60)})
    cluster.kube.put_object(PODS, daemon_pod(annotations={PLANE_HEALTH_ANNOTATION: report}))
    assert cluster.found() == []
    unchecked = {name for name, one in cluster.examined().items() if one.unchecked}
    assert unchecked == {"certificates"}  # the configuration of the webhook is not in this cluster


def test_a_node_that_is_not_there_is_found(cluster: Cluster) -> None:
    cluster.kube.remove_object(NODES, "n1")
    assert cluster.found() == [("node", "error", "the cluster has no node n1")]


@pytest.mark.parametrize(
    ("condition", "severity", "text"),
    [
        (
            {"type": "Ready", "status": "Unknown", "reason": "Stopped"},
            "error",
            "is not ready (Stop",
        ),
        ({"type": "DiskPressure", "status": "True"}, "warning", "has DiskPressure"),
        ({"type": "NetworkUnavailable", "status": "True"}, "warning", "has NetworkUnavailable"),
    ],
)
def test_bad_conditions_are_found(
    cluster: Cluster, condition: dict[str, str], severity: str, text: str
) -> None:
    node = node_object("n1")
    others = [one for one in node["status"]["conditions"] if one["type"] != condition["type"]]
    node["status"]["conditions"] = [*others, condition]
    cluster.kube.put_object(NODES, node)
    ((_, found, what),) = cluster.found()
    assert (found, text in what) == (severity, True)


def test_a_kubelet_that_is_away_is_found_by_the_servers_clock(cluster: Cluster) -> None:
    cluster.renew(300)
    assert cluster.found() == [("node", "error", "the kubelet of n1 renewed its Lease 300 s ago")]


def test_a_cordoned_node_is_a_hint(cluster: Cluster) -> None:
    cluster.kube.put_object(NODES, {**node_object("n1"), "spec": {"unschedulable": True}})
    assert cluster.found() == [("node", "hint", "node n1 is cordoned")]


def test_a_node_without_our_daemon_is_found(cluster: Cluster) -> None:
    cluster.kube.remove_object(PODS, "netplane-cni-x", NETPLANE_NAMESPACE)
    assert cluster.found() == [("daemon", "error", "no pod of netplane-cni is on node n1")]


@pytest.mark.parametrize(
    ("facts", "severity", "text"),
    [
        (
            {"ready": "False", "state": {"waiting": {"reason": "ImagePullBackOff"}}},
            "error",
            "is not ready (ImagePullBackOff)",
        ),
        ({"restarts": 9}, "warning", "was restarted 9 times"),
        ({"image": "netplane:0.0.9"}, "warning", "runs netplane:0.0.9, the DaemonSet wants"),
    ],
)
def test_a_daemon_that_does_badly_is_found(
    cluster: Cluster, facts: dict[str, Any], severity: str, text: str
) -> None:
    cluster.kube.put_object(PODS, daemon_pod(**facts))
    ((_, found, what),) = cluster.found()
    assert (found, text in what) == (severity, True)


def test_a_daemon_says_itself_why_it_is_not_ready(cluster: Cluster) -> None:
    """Of a probe that fails the API server knows no more than that it does."""
    reason = "00-multus.conf comes before 00-netplane.conflist"
    report = encode_report("n1", {}, unready=reason)
    annotations = {PLANE_HEALTH_ANNOTATION: report}
    cluster.kube.put_object(PODS, daemon_pod(ready="False", annotations=annotations))
    ((check, severity, what),) = cluster.found()
    assert (check, severity) == ("daemon", "error")
    assert what.endswith(f"is not ready ({reason})")


def test_a_plane_that_fails_on_the_node_is_found_with_its_reason(cluster: Cluster) -> None:
    health = Health(failures=5, failed_at=int(NOW) - 60, reason="cannot find master eth9")
    report = encode_report("n1", {"business": health})
    cluster.kube.put_object(PODS, daemon_pod(annotations={PLANE_HEALTH_ANNOTATION: report}))
    ((check, severity, what),) = cluster.found()
    assert (check, severity) == ("planes", "error")
    assert what.endswith("the last: cannot find master eth9")


@pytest.mark.parametrize("report", ["{", '{"node":"n2","planes":{}}'])
def test_a_report_of_garbage_or_of_another_node_is_none(cluster: Cluster, report: str) -> None:
    cluster.kube.put_object(PODS, daemon_pod(annotations={PLANE_HEALTH_ANNOTATION: report}))
    assert cluster.found() == []


def test_warnings_of_the_last_hour_are_found_without_escapes(cluster: Cluster) -> None:
    cluster.event("Node", "n1", "default", "address\x1b[2J held twice", 120)
    cluster.event("Pod", "netplane-cni-x", NETPLANE_NAMESPACE, "back-off", 60)
    cluster.event("Node", "n1", "default", "long ago", 7200)
    cluster.event("Node", "n2", "default", "of another", 60)
    found = cluster.found()
    assert [one[0] for one in found] == ["events", "events"]
    assert "address?[2J held twice (3 times, the last 2 min ago)" in found[0][2]
    assert "pod netplane-cni-x" in found[1][2]


@pytest.mark.parametrize(
    ("resource", "check"),
    [(LEASES, "node"), (PODS, "daemon"), (DAEMON_SETS, "daemon"), (EVENTS, "events")],
)
def test_what_may_not_be_read_is_not_checked_and_costs_nothing_else(
    cluster: Cluster, resource: Resource, check: str
) -> None:
    cluster.kube.fail_next(Denied("cannot list: forbidden"), resource=resource, times=1)
    results = cluster.examined()
    assert "cannot list: forbidden" in results[check].unchecked
    assert not any(one.found for name, one in results.items() if name != "clock")


def test_an_api_server_that_is_away_ends_no_check_but_its_own(cluster: Cluster) -> None:
    cluster.kube.fail_next(Unavailable("cannot get: away"), resource=NODES, times=1)
    results = cluster.examined()
    assert "away" in results["node"].unchecked
    assert not results["api"].unchecked


async def test_a_node_whose_fields_are_of_other_types_is_read(cluster: Cluster) -> None:
    """Nothing of an object is believed to have the type it should have."""
    odd: dict[str, Any] = {"metadata": {"name": "n1"}, "spec": 7, "status": {"conditions": "x"}}
    cluster.kube.put_object(NODES, odd)
    pod = daemon_pod()
    pod["status"] = {"conditions": [1], "containerStatuses": [{"state": 4, "restartCount": "x"}]}
    pod["spec"]["containers"] = "none"
    cluster.kube.put_object(PODS, pod)
    found: ClusterNode = await read_cluster_node(cluster.kube, "n1", lambda: NOW)
    assert (found.conditions, found.pods[0].image, found.pods[0].restarts) == ((), "", 0)
