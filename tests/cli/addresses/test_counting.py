"""The counts of `netplane ip show`: exact where somebody knows them, else unknown."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.cli.addresses.counting import count_planes
from planes.cli.addresses.family_counts import FamilyCount, family_count
from planes.cli.reading.node_reports import DAEMON_PODS
from planes.kube.resources import PODS
from planes.model.errors import Denied
from planes.model.names import NETPLANE_NAMESPACE
from planes.model.spec.plane import parse_plane
from planes.model.state.node_use import NodeUse
from planes.run.clock import SystemClock
from planes.store.directory import DirStore
from planes.store.protocol import AddressOwner
from tests.cli.addresses.reporting_cluster import STATIC_PLANE, ReportingCluster
from tests.support.command_line import netplane
from tests.support.planes import make_plane, plane_object
from webhook.controller import plane_health


@pytest.fixture
def cluster() -> ReportingCluster:
    cluster = ReportingCluster()
    cluster.plane()
    return cluster


async def one_count(cluster: ReportingCluster, *warnings: str) -> FamilyCount:
    told: list[str] = []
    (found,) = await count_planes(cluster.place, ["business"], told.append)
    assert [text.partition(":")[0] for text in told] == list(warnings)
    return found


def numbers(count: FamilyCount) -> dict[str, int | None]:
    keys = ("size", "used", "free", "static", "cooling", "kept")
    return {key: getattr(count, key) for key in keys}


few = st.integers(0, 300)


@given(few, few, few, few)
def test_what_is_free_is_what_the_others_leave(
    used: int, cooling: int, static: int, kept: int
) -> None:
    """Static addresses are at most as many as the plane has room for: it was narrowed."""
    plane = make_plane(**STATIC_PLANE)
    count = family_count(
        plane, 4, used=used, cooling=cooling, static=static, kept=kept, source="nodes", nodes={}
    )
    apart = min(static + kept, 33)
    assert count.free == max(157 - used - cooling - apart, 0)


def test_daemons_are_found_as_the_leader_finds_them() -> None:
    assert DAEMON_PODS == plane_health.DAEMON_PODS


async def test_nodes_that_report_are_counted_without_a_look_at_pods(
    cluster: ReportingCluster,
) -> None:
    cluster.block("10.9.0.0/26")
    cluster.block("10.9.0.64/26", "n2")
    cluster.report("n1", business=NodeUse(5, 2))
    cluster.report("n2", business=NodeUse(7, 0))
    cluster.hold("10.9.0.200", "db-0", node="n2")
    cluster.keep("10.9.0.201", "vm", "u1")
    count = await one_count(cluster)
    assert count.source == "nodes"
    assert numbers(count) == {
        "size": 157,
        "used": 12,
        "free": 141,
        "static": 1,
        "cooling": 2,
        "kept": 1,
    }
    assert [node.as_json() for node in count.nodes] == [
        {
            "node": "n1",
            "addresses": 60,
            "used": 5,
            "cooling": 2,
            "static": 0,
            "borrowed": 0,
            "blocks": ["10.9.0.0/26"],
        },
        {
            "node": "n2",
            "addresses": 64,
            "used": 7,
            "cooling": 0,
            "static": 1,
            "borrowed": 0,
            "blocks": ["10.9.0.64/26"],
        },
    ]
    assert ("pods", "") not in cluster.listed()
    assert ("pods", NETPLANE_NAMESPACE) in cluster.listed()


async def test_the_leader_counts_for_a_node_that_reports_nothing(
    cluster: ReportingCluster,
) -> None:
    cluster.block("10.9.0.0/26")
    cluster.status(capacity=157, inUse=10, static=1, cooling=3, available=144)
    cluster.hold("10.9.0.200", "db-0")
    count = await one_count(cluster)
    assert count.source == "leader"
    assert (count.used, count.cooling, count.free) == (9, 3, 144)
    assert [(node.used, node.cooling) for node in count.nodes] == [(None, None)]
    assert ("pods", "") not in cluster.listed()


@pytest.mark.parametrize(
    "status",
    [
        {"generation": 7, "capacity": 157, "inUse": 10, "static": 1, "cooling": 3},
        {"capacity": 99, "inUse": 10, "static": 1, "cooling": 3},
        {"capacity": 157, "inUse": 1, "static": 10, "cooling": 3},
        {"capacity": 157, "inUse": -1, "static": 0, "cooling": 3},
        {"capacity": 157, "inUse": True, "static": 0, "cooling": 3},
        {"capacity": 157},
    ],
    ids=["another generation", "another size", "more static", "negative", "no number", "none"],
)
async def test_a_status_that_does_not_fit_is_not_believed(
    cluster: ReportingCluster, status: dict[str, Any]
) -> None:
    """Then pods are read. What rests is not known, nor how much is free."""
    cluster.block("10.9.0.0/26")
    cluster.status(**status)
    cluster.pod("web", "10.9.0.7")
    cluster.pod("outside", "10.77.0.7")
    count = await one_count(cluster)
    assert count.source == "pods"
    assert (count.used, count.cooling, count.free) == (1, None, None)


async def test_without_the_right_to_list_pods_nothing_is_guessed(
    cluster: ReportingCluster,
) -> None:
    cluster.block("10.9.0.0/26")
    denied = Denied("cannot list pods: no", remedy="ask for a role that may list pods")
    cluster.kube.fail_next(denied, verb="list", resource=PODS)
    cluster.kube.fail_next(denied, verb="list", resource=PODS)
    cluster.kube.fail_next(denied, verb="list", resource=PODS)
    told: list[str] = []
    (count,) = await count_planes(cluster.place, (), told.append)
    assert (count.source, count.used, count.free, count.cooling) == ("-", None, None, None)
    assert len(told) == 2
    assert all("ask for a role that may list pods" in text for text in told)


async def test_counts_of_a_leader_are_of_one_family_alone(cluster: ReportingCluster) -> None:
    """A status does not say of which; by the size one sees it, where sizes differ."""
    subnets = [{"cidr": "10.9.0.0/24"}, {"cidr": "fd00::/120"}]
    cluster.plane("both", subnets=subnets)
    cluster.status(name="both", capacity=254, inUse=9, static=0, cooling=0)
    for cidr in ("10.9.0.0/26", "fd00::/122"):
        cluster.lend(cidr, plane="both")
    found = await count_planes(cluster.place, ["both"], lambda _: None)
    assert [(one.version, one.source, one.used) for one in found] == [
        (4, "leader", 9),
        (6, "pods", 0),
    ]


async def test_a_node_may_have_any_name_in_its_block(cluster: ReportingCluster) -> None:
    cluster.block("10.9.0.0/26", "n1\x1b[2J\x9b")
    (node,) = (await one_count(cluster)).nodes
    assert node.as_json()["node"] == "n1?[2J?"


async def test_an_address_out_of_the_block_of_another_is_borrowed(
    cluster: ReportingCluster,
) -> None:
    cluster.lend("10.9.0.0/26", "10.9.0.60-10.9.0.63")
    cluster.report("n1")
    cluster.static_block("10.9.0.0/26", {"10.9.0.61": "n2", "10.9.0.5": "n2"})
    count = await one_count(cluster)
    assert [(node.node, node.addresses, node.borrowed) for node in count.nodes] == [
        ("n1", 56, 0),
        ("n2", 0, 1),
    ]
    assert count.used == 1


async def test_records_are_counted_on_one_machine(tmp_path: Path) -> None:
    manifests, state = tmp_path / "manifests", tmp_path / "state"
    manifests.mkdir()
    obj = plane_object(**STATIC_PLANE, ipam={"cooldownSeconds": 600})
    nad = plane_object("foreign", network={"nadRef": {"namespace": "shop", "name": "eth"}})
    del nad["spec"]["subnets"]
    for each in (obj, nad):
        (manifests / f"{each['metadata']['name']}.json").write_text(json.dumps(each))
    book = DirStore(manifests, state, clock=SystemClock()).addresses
    for number in range(3):
        owner = AddressOwner(f"c{number}", "net1", "shop", f"web-{number}", f"u{number}", "n1")
        await book.claim(parse_plane(obj), owner)
    await book.release("business", "c0", "net1")
    env = {"NETPLANE_MANIFESTS": str(manifests), "NETPLANE_STATE_DIR": str(state)}
    shown = await asyncio.to_thread(netplane, "ip", "show", "-o", "json", env=env)
    (found,) = shown.json["planes"]
    assert (found["countedBy"], found["size"], found["used"], found["free"], found["cooling"]) == (
        *("records", 157, 2),
        *(154, 1),
    )
    assert found["nodes"][0]["node"] == "n1"
    refused = await asyncio.to_thread(netplane, "ip", "show", "foreign", env=env)
    assert (refused.status, refused.out) == (1, "")
    assert "cannot look into the addresses of plane foreign" in refused.err


def test_a_plane_that_nobody_made_is_named_without_escapes(tmp_path: Path) -> None:
    outcome = netplane("ip", "show", "\x1b[31m", "--manifests", str(tmp_path))
    assert outcome.status == 1
    assert 'cannot find plane "\\x1b[31m" in ' in outcome.err


def test_a_size_beyond_exact_numbers_is_text_in_json(tmp_path: Path) -> None:
    obj = plane_object(subnets=[{"cidr": "fd00::/48"}])
    (tmp_path / "plane.json").write_text(json.dumps(obj))
    words = ("ip", "show", "--manifests", str(tmp_path), "--state-dir", str(tmp_path))
    (found,) = netplane(*words, "-o", "json").json["planes"]
    assert found["size"] == str(2**80 - 1)
    assert "1.21e+24" in netplane(*words).out


async def test_a_plane_that_is_not_valid_is_told(cluster: ReportingCluster) -> None:
    cluster.plane("bad", network={"type": "macvlan", "vlan": 7})
    told: list[str] = []
    found = await count_planes(cluster.place, (), told.append)
    assert "bad" not in {one.plane for one in found}
    (text,) = told
    assert text.startswith("left out: cannot use plane bad: spec.network.")
