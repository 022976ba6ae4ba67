"""What `netplane status` sees of a cluster, and what of it is a fault."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from planes.cli.status.cluster_facts import ClusterSeen
from planes.cli.status.gathering import cluster_seen
from planes.cli.status.judging import faults_of
from planes.kube.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    LEASES,
    NODES,
    PLANES,
    PODS,
    SECRETS,
)
from planes.model.errors import Denied, Unavailable
from planes.model.state.plane_health import Health, encode_report
from tests.cli.status.healthy_cluster import KEY_BYTES, HealthyCluster
from tests.support.planes import plane_object


@pytest.fixture
def cluster() -> HealthyCluster:
    return HealthyCluster()


async def seen_of(cluster: HealthyCluster) -> ClusterSeen:
    return await cluster_seen(cluster.kube, cluster.clock)


async def faults(cluster: HealthyCluster) -> list[str]:
    found = faults_of(await seen_of(cluster))
    assert all(fault.remedy for fault in found)
    return [fault.what for fault in found]


async def test_a_cluster_on_which_all_is_well_has_no_fault(cluster: HealthyCluster) -> None:
    seen = await seen_of(cluster)
    assert faults_of(seen) == []
    assert seen.unknown == ()
    assert seen.nodes == ("n1", "n2")
    assert [round(one.days or 0) for one in seen.certificates or ()] == [300, 300, 60]
    assert {verb for verb, *_ in cluster.kube.requests} == {"get", "list"}


Breaking = Callable[[HealthyCluster], object]

SHADOWED = "00-multus.conf comes before 00-netplane.conflist"

BROKEN: dict[str, tuple[Breaking, str]] = {
    "replica": (lambda c: c.workloads(webhook=1), "1 of 2 replicas of the webhook are ready"),
    "webhook": (
        lambda c: c.kube.remove_object(DEPLOYMENTS, "netplane-webhook", "netplane-system"),
        "cannot get Deployment netplane-system/netplane-webhook",
    ),
    "leader": (lambda c: c.lease(""), "no replica of the webhook leads"),
    "lease": (
        lambda c: c.kube.remove_object(LEASES, "netplane-webhook", "netplane-system"),
        "no replica of the webhook leads",
    ),
    "old lease": (
        lambda c: c.lease("w_1", seconds_ago=120),
        "the webhook's leader w_1 renewed its Lease 120 s ago",
    ),
    "serving": (
        lambda c: c.certificates(serving_days=5),
        "the certificate in Secret netplane-webhook-tls has 5 days left",
    ),
    "expired": (
        lambda c: c.certificates(serving_days=-1),
        "the certificate in Secret netplane-webhook-tls has expired",
    ),
    "root": (
        lambda c: c.certificates(root_days=3),
        "caBundle of MutatingWebhookConfiguration netplane has 3 days left",
    ),
    "no root": (lambda c: c.bundles(""), "a webhook has none: API servers cannot call it"),
    "odd root": (lambda c: c.bundles("AAAA"), "a webhook has none: API servers cannot call it"),
    "node": (
        lambda c: c.kube.put_object(NODES, {"metadata": {"name": "n3"}}),
        "1 node without a daemon: n3",
    ),
    "daemon": (
        lambda c: c.daemon("n2", is_ready=False),
        "the daemon of 1 node is not ready (n2)",
    ),
    "image": (
        lambda c: c.daemon(
            "n2",
            is_ready=False,
            containerStatuses=[{"state": {"waiting": {"reason": "ImagePullBackOff"}}}],
        ),
        "the daemon of 1 node is not ready (n2): ImagePullBackOff",
    ),
    "shadowed": (
        lambda c: c.daemon("n2", is_ready=False, report=encode_report("n2", {}, unready=SHADOWED)),
        f"the daemon of 1 node is not ready (n2): {SHADOWED}",
    ),
    "shadowed, by another node": (
        lambda c: c.daemon("n2", is_ready=False, report=encode_report("n1", {}, unready=SHADOWED)),
        "the daemon of 1 node is not ready (n2)",
    ),
    "version": (
        lambda c: c.daemon("n2", image="example.org/netplane:9.9.8"),
        "nodes run different versions: ",
    ),
    "versions": (
        lambda c: c.workloads(image="example.org/netplane:9.9.8"),
        "the webhook is to run example.org/netplane:9.9.9, the daemons",
    ),
    "failing plane": (
        lambda c: c.daemon(
            "n2", report=encode_report("n2", {"business": Health(3, 10, 0, "eth1 is down")})
        ),
        "plane business fails on 1 node (n2): eth1 is down",
    ),
    "accepted": (
        lambda c: c.plane(Accepted=("False", "spec is wrong")),
        "plane business is not accepted: spec is wrong",
    ),
    "nad": (
        lambda c: c.plane(NADReady=("False", "gone")),
        "plane business has no NAD that can be used: gone",
    ),
    "available": (
        lambda c: c.plane(Available=("False", "no node")),
        "plane business is not available: no node",
    ),
    "exhausted": (
        lambda c: c.plane(Exhausted=("True", "0 left")),
        "plane business has few addresses left: 0 left",
    ),
    "ignored": (
        lambda c: c.plane(BlocksIgnored=("True", "b1")),
        "plane business has IPBlocks that are ignored: b1",
    ),
    "no status": (
        lambda c: c.kube.put_object(PLANES, plane_object("new")),
        "plane new has no status yet",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
async def test_what_is_broken_is_the_fault(cluster: HealthyCluster, name: str) -> None:
    breaking, what = BROKEN[name]
    breaking(cluster)
    found = await faults(cluster)
    assert found
    # Both webhook configurations have the same roots.
    assert len(found) == (2 if "root" in name else 1)
    assert what in found[0]


async def test_many_nodes_with_one_reason_are_one_fault(cluster: HealthyCluster) -> None:
    for number in range(40):
        cluster.daemon(f"m{number:02}", is_ready=False)
    (what,) = await faults(cluster)
    assert what.startswith("the daemons of 40 nodes are not ready (m00, m01, ")
    assert what.endswith(" and 34 more)")


async def test_a_node_with_windows_needs_no_daemon(cluster: HealthyCluster) -> None:
    labels = {"kubernetes.io/os": "windows"}
    cluster.kube.put_object(NODES, {"metadata": {"name": "w1", "labels": labels}})
    assert await faults(cluster) == []


async def test_a_report_about_another_node_does_not_count(cluster: HealthyCluster) -> None:
    report = encode_report("n1", {"business": Health(9, 10, 0, "lies")})
    cluster.daemon("n2", report=report)
    assert await faults(cluster) == []


async def test_no_key_is_ever_asked_for(cluster: HealthyCluster) -> None:
    seen = await seen_of(cluster)
    assert KEY_BYTES not in json.dumps(seen.as_json())
    whole = cluster.kube.object(SECRETS, "netplane-webhook-tls", "netplane-system")
    assert KEY_BYTES in json.dumps(whole)


async def test_what_a_user_may_not_read_is_no_fault(cluster: HealthyCluster) -> None:
    cluster.workloads(daemons=1)
    for kind, verb in ((PODS, "list"), (NODES, "list"), (SECRETS, "get")):
        text = f"cannot {verb} {kind.plural}: forbidden"
        cluster.kube.fail_next(Denied(text), verb=verb, resource=kind)
    seen = await seen_of(cluster)
    assert seen.daemon_pods is None
    assert seen.unknown == (
        "not known: cannot get secrets: forbidden",
        "not known: cannot list nodes: forbidden",
        "not known: cannot list pods: forbidden",
    )
    assert [fault.what for fault in faults_of(seen)] == ["1 of 2 daemons are ready"]


async def test_a_user_who_may_read_nothing_is_told_that_nothing_is_known(
    cluster: HealthyCluster,
) -> None:
    cluster.kube.fail_next(Denied("cannot read it: forbidden"), times=99)
    (fault,) = faults_of(await seen_of(cluster))
    assert fault.what == "cannot tell whether all is well: nothing of it may be read"
    assert "planes-viewer" in fault.remedy


async def test_an_api_server_that_is_away_is_an_error(cluster: HealthyCluster) -> None:
    cluster.kube.fail_next(Unavailable("cannot reach it"), verb="get", resource=DAEMON_SETS)
    with pytest.raises(Unavailable):
        await seen_of(cluster)


async def test_denials_of_the_last_hour_are_folded_and_are_no_faults(
    cluster: HealthyCluster,
) -> None:
    for seconds in (600, 60, 300):
        cluster.event("PlaneDenied", f"{seconds} s ago", seconds_ago=seconds, count=2)
    cluster.event("PlaneDenied", "long ago", seconds_ago=7200)
    cluster.event("NoNetworkFound", "of Multus", reportingComponent="multus")
    seen = await seen_of(cluster)
    (group,) = seen.events or ()
    assert (group.reason, group.namespace, group.count) == ("PlaneDenied", "shop", 6)
    assert (group.about, group.message) == ("Pod shop/web-0", "60 s ago")
    assert faults_of(seen) == []


async def test_what_others_say_of_us_counts_as_our_denials(cluster: HealthyCluster) -> None:
    kubelet: dict[str, Any] = {"reportingComponent": "kubelet", "source": {"component": "kubelet"}}
    cluster.event("FailedCreatePodSandBox", 'plugin type="netplane" failed (add): x', **kubelet)
    cluster.event("FailedCreatePodSandBox", 'plugin type="calico" failed (add): x', **kubelet)
    denied = 'admission webhook "pods.netplane.io" denied the request: no'
    cluster.event("FailedCreate", denied, **kubelet)
    found = (await seen_of(cluster)).events or ()
    assert {group.reason for group in found} == {"FailedCreatePodSandBox", "FailedCreate"}
    assert all("calico" not in group.message for group in found)


async def test_a_status_of_an_earlier_spec_is_told(cluster: HealthyCluster) -> None:
    obj = cluster.kube.object(PLANES, "business")
    assert obj is not None
    generation = obj["metadata"]["generation"]
    status = {**obj["status"], "observedGeneration": generation - 1}
    cluster.kube.put_object(PLANES, {**obj, "status": status})
    assert await faults(cluster) == ["the status of plane business is of an earlier spec"]
