"""`netplane ip check` on a cluster that lives, and on one whose tenants or nodes attack it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection

import pytest

from planes.cli.addresses.cluster_check import MOST_JUDGED, PAUSE_SECONDS, check
from planes.kube.addresses.audit_hints import MOST_HINTS
from planes.kube.addresses.cluster_audit import AuditEntry, Misfit
from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.resources import IPBLOCKS, NODES, PLANES, PODS
from planes.model.addresses import parse_address, parse_network
from planes.model.bounds import MAX_CLAIMS_OF_NAMESPACE, MAX_SHOWN_IPS_OF_POD
from planes.model.names import STATUS_ANNOTATION
from planes.store.protocol import AddressOwner
from tests.cli.addresses.reporting_cluster import STATIC_PLANE, ReportingCluster
from tests.support.kube.nodes import put_node

STATIC = "business.static.10-9-0-192-26"


@pytest.fixture
def cluster() -> ReportingCluster:
    """A healthy cluster of 200 pods: 123 have addresses of blocks, 32 static ones."""
    made = ReportingCluster()
    made.plane()
    made.block("10.9.0.0/26")
    made.block("10.9.0.64/26", "n2")
    for number in range(4, 127):
        made.pod(f"web-{number}", f"10.9.0.{number}", node="n1" if number < 64 else "n2")
    for number in range(192, 224):
        uid = made.pod(f"db-{number}", f"10.9.0.{number}")
        made.hold(f"10.9.0.{number}", f"db-{number}", uid)
    for number in range(45):
        made.pod(f"other-{number}")
    return made


async def found(cluster: ReportingCluster) -> list[AuditEntry]:
    return await check(cluster.kube, cluster.clock)


def named(entries: Collection[AuditEntry]) -> set[tuple[str, str]]:
    return {(str(one.kind), one.what) for one in entries}


def put_status(cluster: ReportingCluster, space: str, pod: str, *shown: str) -> None:
    """Have a tenant create a pod with a network-status."""
    status = json.dumps([{"name": "netplane-system/business", "ips": list(shown)}])
    meta = {"name": pod, "namespace": space, "annotations": {STATUS_ANNOTATION: status}}
    cluster.kube.put_object(PODS, {"metadata": meta, "spec": {"nodeName": "n1"}})


def put_forged(cluster: ReportingCluster, blocks: int, node: str = "n1") -> None:
    """Have a node write holders of pods that never were, 64 in each block."""
    for third in range(blocks):
        holders = {
            parse_address(f"10.9.{third + 1}.{last}"): Holder(
                AddressOwner(f"c{last}", "net1", "shop", f"no-{third}-{last}", "u", node)
            )
            for last in range(64)
        }
        network = parse_network(f"10.9.{third + 1}.0/26")
        cluster.kube.put_object(IPBLOCKS, static_object("business", network, holders))


async def test_a_healthy_cluster_is_looked_at_once(cluster: ReportingCluster) -> None:
    assert await found(cluster) == []
    assert [one[:2] for one in cluster.kube.requests] == [
        ("list", "planes"),
        ("list", "nodes"),
        ("list", "pods"),
        ("list", "ipblocks"),
    ]


async def test_each_planted_fault_is_found_once_and_nothing_else(cluster: ReportingCluster) -> None:
    cluster.block("10.9.0.128/26", "gone")
    cluster.hold("10.9.0.224", "left-0", node="gone")
    cluster.hold("10.9.0.225", "late-0", node="n2")
    cluster.pod("twin", "10.9.0.7")
    cluster.pod("thief", "10.9.0.200")
    cluster.pod("liar", "10.9.0.240")
    obj = NodeBlock("business", "n1", parse_network("10.9.1.0/26")).to_json()
    cluster.kube.put_object(IPBLOCKS, {**obj, "metadata": {"name": "business.other"}})
    entries = await found(cluster)
    assert Counter(str(one.kind) for one in entries) == {
        "orphaned-block": 1,
        "leaked": 1,
        "holder-without-pod": 1,
        "duplicate": 2,
        "status-without-holder": 1,
        "ignored-block": 1,
    }
    assert named(entries) == {
        ("orphaned-block", "business.10-9-0-128-26"),
        ("leaked", "10.9.0.224"),
        ("holder-without-pod", "10.9.0.225"),
        ("duplicate", "10.9.0.7"),
        ("duplicate", "10.9.0.200"),
        ("status-without-holder", "10.9.0.240"),
        ("ignored-block", "business.other"),
    }


async def test_a_release_that_is_under_way_is_no_misfit(cluster: ReportingCluster) -> None:
    """The pod is gone a moment before its node has removed the holder."""
    cluster.kube.remove_object(PODS, "db-200", "shop")

    def release() -> None:
        del cluster.holders[parse_address("10.9.0.200")]
        cluster.hold("10.9.0.201", "db-201", _uid(cluster, "db-201"))

    cluster.clock.meanwhile = release
    began = cluster.clock.monotonic()
    assert await found(cluster) == []
    assert cluster.clock.monotonic() - began == PAUSE_SECONDS


async def test_pods_that_come_and_go_between_the_lists_are_no_misfits(
    cluster: ReportingCluster,
) -> None:
    """Before each list of blocks a pod starts with a static address, and another one ends."""
    turn = iter(range(205, 224))

    def come_and_go() -> None:
        number = next(turn)
        cluster.kube.remove_object(PODS, f"db-{number}", "shop")
        uid = cluster.pod(f"new-{number}", f"10.9.0.{number}")
        cluster.hold(f"10.9.0.{number}", f"new-{number}", uid)
        cluster.kube.before_next(come_and_go, verb="list", resource=IPBLOCKS)

    cluster.kube.before_next(come_and_go, verb="list", resource=IPBLOCKS)
    assert await found(cluster) == []


async def test_a_pod_that_lived_between_the_lists_is_no_misfit(cluster: ReportingCluster) -> None:
    """It was made after the first list of pods, and is gone, not yet released, at the second."""

    def start() -> None:
        cluster.hold("10.9.0.224", "short-0", cluster.pod("short-0", "10.9.0.224"))

    def end() -> None:
        cluster.kube.remove_object(PODS, "short-0", "shop")

    cluster.pod("liar", "10.9.0.240")  # so that there is a second look
    cluster.kube.before_next(start, verb="list", resource=IPBLOCKS)
    cluster.clock.meanwhile = end
    assert named(await found(cluster)) == {("status-without-holder", "10.9.0.240")}


async def test_a_pod_that_was_made_anew_is_read_live(cluster: ReportingCluster) -> None:
    """db-200 is another pod at both looks, of which the lists of pods know the one before."""

    def anew() -> None:
        cluster.kube.remove_object(PODS, "db-200", "shop")
        cluster.hold("10.9.0.200", "db-200", cluster.pod("db-200", "10.9.0.200"))

    cluster.kube.before_next(anew, verb="list", resource=IPBLOCKS)
    assert await found(cluster) == []


async def test_what_a_pod_shows_that_ends_is_not_compared(cluster: ReportingCluster) -> None:
    """Its node has released the address, and another pod has it already."""
    obj = cluster.kube.object(PODS, "db-200", "shop")
    assert obj is not None
    obj["metadata"]["finalizers"] = ["example.com/slow"]
    cluster.kube.put_object(PODS, obj)
    await cluster.kube.delete(PODS, "db-200", namespace="shop")
    cluster.hold("10.9.0.200", "next-0", cluster.pod("next-0", "10.9.0.200"))
    assert await found(cluster) == []


async def test_a_borrowed_address_that_may_rest_is_a_warning(cluster: ReportingCluster) -> None:
    cluster.plane(**STATIC_PLANE, ipam={"mode": "Plane", "cooldownSeconds": 300})
    network = parse_network("10.9.0.64/26")
    held = {parse_address("10.9.0.127"): Holder(AddressOwner("c", "net1", "shop", "b", "u", "n1"))}
    cluster.kube.put_object(IPBLOCKS, static_object("business", network, held))
    (entry,) = await found(cluster)
    assert (entry.kind, entry.what) == (Misfit.UNREAD, "10.9.0.127")
    assert "may let it rest for up to 300 s" in entry.text
    cluster.kube.remove_object(NODES, "n1")
    cluster.kube.remove_object(IPBLOCKS, "business.10-9-0-0-26")
    kinds = {(one.what, one.kind) for one in await found(cluster)}
    assert ("10.9.0.127", Misfit.LEAKED) in kinds


async def test_each_block_within_a_wide_one_is_a_duplicate(cluster: ReportingCluster) -> None:
    """A node that forges a wide block hides none of those below it."""
    cluster.block("10.9.0.0/24", "n2")
    entries = await found(cluster)
    assert named(entries) == {
        ("duplicate", "business.10-9-0-0-26"),
        ("duplicate", "business.10-9-0-64-26"),
    }


async def test_forged_holders_of_a_node_do_not_hide_what_others_hold(
    cluster: ReportingCluster,
) -> None:
    put_forged(cluster, 1 + MOST_JUDGED // 64)
    cluster.hold("10.9.0.224", "left-0", node="gone")
    entries = await found(cluster)
    assert ("leaked", "10.9.0.224") in named(entries)
    (more,) = [one for one in entries if one.kind is Misfit.UNREAD]
    left = 64 * (1 + MOST_JUDGED // 64) + 1 - MOST_JUDGED
    assert more.text == f"{left} more addresses that node n1 holds are of no pod that is listed"
    reads = [one for one in cluster.kube.requests if one[:2] == ("get", "pods")]
    assert len(reads) == MOST_JUDGED


async def test_what_a_tenant_forges_is_counted_and_hides_nothing(cluster: ReportingCluster) -> None:
    """It shows each address of the plane twice; namespace shop has a twin of its own."""
    cluster.pod("twin", "10.9.0.7")
    shown = [f"10.9.0.{number}" for number in range(MAX_SHOWN_IPS_OF_POD) if number != 7]
    for number in range(2):
        put_status(cluster, "evil", f"web-{number}", *shown)
    entries = await found(cluster)
    counts = Counter("shop/twin" in one.text + one.pod for one in entries)
    assert counts == {True: 1, False: MOST_HINTS + 1}
    (more,) = [one for one in entries if one.kind is Misfit.UNREAD]
    assert "pods of namespace evil show " in more.text


async def test_of_one_namespace_so_many_addresses_are_compared(cluster: ReportingCluster) -> None:
    pods = 1 + MAX_CLAIMS_OF_NAMESPACE // MAX_SHOWN_IPS_OF_POD
    for number in range(pods):
        shown = [f"10.9.{number}.{last}" for last in range(MAX_SHOWN_IPS_OF_POD)]
        put_status(cluster, "evil", f"web-{number}", *shown)
    texts = [one.text for one in await found(cluster) if one.kind is Misfit.UNREAD]
    assert f"pods of namespace evil show {most_text()}" in texts


def most_text() -> str:
    return f"more addresses than the {MAX_CLAIMS_OF_NAMESPACE:,} that are compared"


async def test_a_holder_that_cannot_be_read_is_damaged(cluster: ReportingCluster) -> None:
    obj = cluster.kube.object(IPBLOCKS, STATIC)
    assert obj is not None
    obj["holders"] |= {"10.9.0.230": "n1|{", "10.9.9.9": "n1|{}"}
    cluster.kube.put_object(IPBLOCKS, obj)
    entries = await found(cluster)
    assert {(one.kind, one.what, one.node) for one in entries} == {
        (Misfit.DAMAGED, "10.9.0.230", "n1"),
        (Misfit.DAMAGED, STATIC, ""),
    }


async def test_a_node_that_joins_between_the_lists_is_no_misfit(cluster: ReportingCluster) -> None:
    def join() -> None:
        put_node(cluster.kube, "n3")
        cluster.block("10.9.1.0/26", "n3")

    cluster.kube.before_next(join, verb="list", resource=PODS)
    assert await found(cluster) == []


async def test_planes_that_cannot_be_read_are_left_out(cluster: ReportingCluster) -> None:
    cluster.kube.put_object(PLANES, {"metadata": {"name": "odd"}, "spec": {}})
    assert await found(cluster) == []


def _uid(cluster: ReportingCluster, pod: str) -> str:
    obj = cluster.kube.object(PODS, pod, "shop")
    assert obj is not None
    return str(obj["metadata"]["uid"])
