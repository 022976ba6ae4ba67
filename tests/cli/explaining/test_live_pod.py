"""`netplane explain pod/NAME`: what a pod has, what it lacks, and why it does not start."""

from __future__ import annotations

import pytest

from planes.kube.resources import EVENTS, IPBLOCKS, NAMESPACES, PODS
from planes.model.errors import Denied, NotFound
from tests.cli.explaining.explained_cluster import HANGS, ExplainedCluster

NET1 = {"name": "netplane-system/business", "interface": "net1", "ips": ["10.9.0.7"], "dns": {}}
ETH0 = {"name": "cbr0", "interface": "eth0", "ips": ["10.1.0.5"], "default": True, "dns": {}}


@pytest.fixture
def cluster() -> ExplainedCluster:
    return ExplainedCluster()


async def test_a_pod_that_runs_shows_its_interfaces_and_is_no_fault(
    cluster: ExplainedCluster,
) -> None:
    cluster.pod("web", interfaces=[ETH0, NET1])
    found = await cluster.explained_pod("web")
    assert found.errors == ()
    assert "Pod shop/web on node n1 runs." in cluster.out
    assert "  eth0  its default network  10.1.0.5" in cluster.out
    assert "  net1  plane business  10.9.0.7" in cluster.out


async def test_a_plane_that_was_joined_after_the_start_is_missing(
    cluster: ExplainedCluster,
) -> None:
    cluster.pod("web", interfaces=[ETH0])
    (missing,) = (await cluster.explained_pod("web")).errors
    assert missing.message == "cannot find net1 of plane business among the pod's interfaces"
    assert "Missing:" in cluster.out


async def test_a_pod_that_hangs_is_told_why_and_never_said_to_start(
    cluster: ExplainedCluster,
) -> None:
    uid = cluster.pod("web", phase="Pending")
    cluster.event("FailedCreatePodSandBox", HANGS, "web", uid, count=7)
    found = await cluster.explained_pod("web")
    (fault,) = found.errors
    cause = "cannot create the pod: cannot attach plane business: eth1 is down; bring it up"
    assert fault.message.startswith(cause)
    assert "7 times" in fault.message
    assert "does not start: it hangs in ContainerCreating" in cluster.out
    assert "starts with" not in cluster.out
    assert found.as_json()["starts"] is False


async def test_a_pod_made_just_now_does_not_hang_yet(cluster: ExplainedCluster) -> None:
    cluster.pod("web", phase="Pending")
    found = await cluster.explained_pod("web")
    assert found.errors == ()
    assert "does not run yet: it is being created" in cluster.out
    cluster.clock.advance(90)
    (fault,) = (await cluster.explained_pod("web")).errors
    assert fault.message.startswith("cannot see why node n1 does not create the pod")


async def test_what_an_earlier_pod_of_the_name_met_does_not_count(
    cluster: ExplainedCluster,
) -> None:
    cluster.event("FailedCreatePodSandBox", HANGS, "web", "another-uid")
    cluster.pod("web", interfaces=[ETH0, NET1])
    found = await cluster.explained_pod("web")
    assert found.as_json()["events"] == []


async def test_a_pod_that_no_node_takes_says_what_the_scheduler_says(
    cluster: ExplainedCluster,
) -> None:
    condition = {"type": "PodScheduled", "status": "False", "message": "0/3 nodes are available"}
    cluster.pod("web", phase="Pending", node="", conditions=[condition])
    (fault,) = (await cluster.explained_pod("web")).errors
    assert fault.message == "cannot find a node for the pod: 0/3 nodes are available"


async def test_a_container_without_image_is_no_matter_of_planes(cluster: ExplainedCluster) -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    containers = [{"name": "web", "state": {"waiting": waiting}}]
    cluster.pod(
        "web",
        phase="Pending",
        interfaces=[ETH0, NET1],
        podIP="10.1.0.5",
        containerStatuses=containers,
    )
    (fault,) = (await cluster.explained_pod("web")).errors
    assert fault.message == "cannot start container web: ImagePullBackOff: no such image"


async def test_what_a_pod_shows_puts_no_escape_on_the_terminal(cluster: ExplainedCluster) -> None:
    hostile = {**NET1, "name": "a\x1b[2J", "interface": "x\n\x1b[31m", "ips": ["\x07"]}
    uid = cluster.pod("web", interfaces=[hostile])
    cluster.event("Odd\x1b[31m", "text\x1b[2J\nmore", "web", uid)
    await cluster.explained_pod("web")
    assert "\x1b" not in cluster.out + cluster.err
    assert "\x07" not in cluster.out


@pytest.mark.parametrize("text", ["{", "[]" + " " * (1 << 21)])
async def test_a_network_status_that_cannot_be_read_is_a_fault(
    cluster: ExplainedCluster, text: str
) -> None:
    cluster.pod("web", annotations={"k8s.v1.cni.cncf.io/network-status": text})
    (fault,) = (await cluster.explained_pod("web")).errors
    assert fault.message.startswith("cannot")


async def test_a_pod_that_would_be_refused_today_is_a_fault(cluster: ExplainedCluster) -> None:
    asks = {"netplane.io/static-ips": '{"business": ["10.8.0.1"]}'}
    cluster.pod("web", interfaces=[ETH0, NET1], annotations=asks)
    found = await cluster.explained_pod("web")
    assert any("10.8.0.1" in error.message for error in found.errors)
    assert "Decided about it as it stands: it would be refused today." in cluster.out


async def test_an_address_of_another_namespaces_pod_counts(cluster: ExplainedCluster) -> None:
    cluster = ExplainedCluster(
        subnets=[{"cidr": "10.9.0.0/24", "staticRanges": ["10.9.0.200-10.9.0.210"]}],
        staticIPs={"allow": "Any"},
    )
    cluster.namespace("depot", {"plane.netplane.io/business": "enabled"})
    asks = {
        "k8s.v1.cni.cncf.io/networks": (
            '[{"name": "business", "namespace": "netplane-system", "ips": ["10.9.0.200"]}]'
        )
    }
    cluster.pod("first", annotations=asks, space="depot")
    cluster.pod("web", interfaces=[ETH0, NET1], annotations=asks)
    errors = (await cluster.explained_pod("web")).errors
    assert any("depot/first" in error.message for error in errors)


async def test_a_pod_that_is_not_there_is_named(cluster: ExplainedCluster) -> None:
    with pytest.raises(NotFound, match="web"):
        await cluster.explained_pod("web")


async def test_what_may_not_be_read_is_told_and_is_no_fault(cluster: ExplainedCluster) -> None:
    cluster.pod("web", interfaces=[ETH0, NET1])
    refused = Denied("cannot list ipblocks: forbidden", remedy="ask for a role")
    cluster.kube.fail_next(refused, verb="list", resource=IPBLOCKS)
    no_events = Denied("cannot list events in shop: forbidden")
    cluster.kube.fail_next(no_events, verb="list", resource=EVENTS)
    found = await cluster.explained_pod("web")
    assert found.errors == ()
    assert found.as_json()["unknown"] == [
        "not known: cannot list ipblocks: forbidden; ask for a role",
        "not known: cannot list events in shop: forbidden",
    ]
    assert "warning: not known: cannot list ipblocks: forbidden" in cluster.err


async def test_of_many_pods_pages_are_read_and_metadata_alone(cluster: ExplainedCluster) -> None:
    cluster.kube.page_size = 10
    for number in range(35):
        cluster.pod(f"p{number}", space="other")
    cluster.pod("web", interfaces=[ETH0, NET1])
    await cluster.explained_pod("web")
    lists = [one for one in cluster.kube.requests if one[:2] == ("list", "pods")]
    assert len(lists) == 4
    gets = [one for one in cluster.kube.requests if one[:2] == ("get", PODS.plural)]
    assert gets == [("get", "pods", "shop", "web")]


async def test_without_its_namespace_nothing_is_said_of_what_a_pod_lacks(
    cluster: ExplainedCluster,
) -> None:
    cluster.pod("web", interfaces=[ETH0])
    for verb in ("list", "get"):
        refused = Denied(f"cannot {verb} namespaces: forbidden")
        cluster.kube.fail_next(refused, verb=verb, resource=NAMESPACES)
    found = await cluster.explained_pod("web")
    assert found.errors == ()
    assert "The labels of namespace shop are not known." in cluster.out
    assert "has no label" not in cluster.out
