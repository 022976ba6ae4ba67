"""`netplane ip free`: ranges, computed without a walk through addresses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from planes.cli.addresses.free import FreeAddresses, free_addresses
from planes.cli.addresses.named_plane import plane_named
from planes.cli.reading.directory_api import DirectoryApi
from planes.cli.reading.place import Place
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.resources import IPBLOCKS
from planes.model.addresses import parse_network
from planes.model.errors import Denied
from planes.model.spec.plane import parse_plane
from planes.store.directory import DirStore
from planes.store.protocol import AddressOwner
from tests.cli.addresses.reporting_cluster import STATIC_PLANE, ReportingCluster
from tests.cli.cluster_place import A
from tests.support.clock import FakeClock
from tests.support.command_line import netplane
from tests.support.planes import plane_object


@pytest.fixture
def cluster() -> ReportingCluster:
    cluster = ReportingCluster()
    cluster.plane()
    return cluster


async def free(
    cluster: ReportingCluster, most: int = 5, *, is_static: bool = False
) -> FreeAddresses:
    plane = await plane_named(cluster.place, "business")
    return await free_addresses(cluster.place, plane, most, is_static=is_static)


def texts(found: FreeAddresses) -> list[list[str]]:
    return [[str(span) for span in one.ranges] for one in found.families]


async def test_what_pods_show_is_not_free(cluster: ReportingCluster) -> None:
    cluster.block("10.9.0.0/26")
    cluster.pod("web", "10.9.0.4", "10.9.0.7", "10.9.0.7", "nonsense")
    assert texts(await free(cluster)) == [["10.9.0.5-10.9.0.6", "10.9.0.8-10.9.0.127"]]


async def test_as_many_ranges_are_named_as_are_asked_for(cluster: ReportingCluster) -> None:
    cluster.pod("web", *[f"10.9.0.{number}" for number in range(5, 100, 2)])
    found = await free(cluster, 2)
    assert texts(found) == [["10.9.0.4", "10.9.0.6"]]
    assert [one.has_more for one in found.families] == [True]


async def test_static_addresses_are_those_that_may_be_asked_for(
    cluster: ReportingCluster,
) -> None:
    """Neither held, nor kept for a claim, nor in a block that a node hands out."""
    cluster.hold("10.9.0.195", "db-0")
    cluster.keep(A, "vm", "u1")
    cluster.lend("10.9.0.208/28", "10.9.0.220-10.9.0.221")
    found = await free(cluster, is_static=True)
    assert texts(found) == [
        [
            "10.9.0.192-10.9.0.194",
            "10.9.0.196-10.9.0.199",
            "10.9.0.201-10.9.0.207",
            "10.9.0.220-10.9.0.221",
        ]
    ]
    assert found.reserved == (("10.9.0.230", "shop/db"),)


async def test_a_reservation_that_is_held_is_not_free(cluster: ReportingCluster) -> None:
    cluster.hold("10.9.0.230", "db")
    assert (await free(cluster, is_static=True)).reserved == ()


@pytest.mark.parametrize(("allow", "count"), [("Reserved", 0), ("Any", 1)])
async def test_the_plane_says_which_static_addresses_it_permits(
    cluster: ReportingCluster, allow: str, count: int
) -> None:
    spec: dict[str, Any] = {**STATIC_PLANE}
    spec["staticIPs"] = {**spec["staticIPs"], "allow": allow}
    cluster.plane(**spec)
    found = await free(cluster, is_static=True)
    assert [len(one.ranges) for one in found.families] == [count]
    assert len(found.reserved) == 1


async def test_a_plane_without_static_addresses_has_none_to_ask_for(
    cluster: ReportingCluster,
) -> None:
    cluster.plane(subnets=[{"cidr": "10.9.0.0/24"}], staticIPs={"allow": "Never"})
    with pytest.raises(Denied, match="allow is Never"):
        await free(cluster, is_static=True)


async def test_dynamic_addresses_cannot_be_asked_for_on_a_cluster(
    cluster: ReportingCluster,
) -> None:
    cluster.plane(subnets=[{"cidr": "10.9.0.0/24"}], staticIPs={"allow": "Any"})
    assert texts(await free(cluster, is_static=True)) == [[]]


async def test_a_wide_plane_with_thousands_of_lent_spans_is_not_walked(
    cluster: ReportingCluster,
) -> None:
    """4,000 spans in blocks of a /64 that lends static addresses."""
    subnet = {"cidr": "fd00::/64", "staticRanges": ["fd00::-fd00::ffff"]}
    cluster.plane(subnets=[subnet], staticIPs={"allow": "Any"})
    for number in range(4):
        first = number << 10
        network = parse_network(f"fd00::{first:x}/118")
        obj = NodeBlock("business", f"n{number}", network).to_json()
        lent = [f"fd00::{first + one:x}" for one in range(1, 1001)]
        cluster.kube.put_object(IPBLOCKS, {**obj, "lent": lent})
    assert texts(await free(cluster)) == [["fd00::1:0-fd00::ffff:ffff:ffff:ffff"]]
    assert texts(await free(cluster, 2, is_static=True)) == [
        ["fd00::1-fd00::3e8", "fd00::401-fd00::7e8"]
    ]


async def test_a_namespace_that_shows_too_much_is_named(cluster: ReportingCluster) -> None:
    """Each pod counts with 256 addresses at most, its namespace with 16,384."""
    cluster.plane(subnets=[{"cidr": "10.0.0.0/8"}])
    for pod in range(65):
        shown = [f"10.1.{pod}.{number}" for number in range(256)] + ["10.2.0.1"]
        cluster.pod(f"web-{pod:02}", *shown)
    found = await free(cluster)
    assert found.cut == ("shop",)
    assert texts(found) == [["10.0.0.1-10.0.255.255", "10.1.64.0-10.255.255.254"]]


async def test_what_rests_on_one_machine_is_not_free(tmp_path: Path) -> None:
    obj = plane_object(subnets=[{"cidr": "10.9.0.0/24"}], ipam={"cooldownSeconds": 600})
    (tmp_path / "plane.json").write_text(json.dumps(obj))
    clock = FakeClock()
    book = DirStore(tmp_path, tmp_path, clock=clock).addresses
    await book.claim(parse_plane(obj), AddressOwner("c1", "net1", "shop", "web", "u1", "n1"))
    await book.release("business", "c1", "net1")
    place = Place(DirectoryApi(tmp_path, tmp_path), clock, "here", tmp_path, tmp_path)
    plane = await plane_named(place, "business")
    assert texts(await free_addresses(place, plane, 1, is_static=False)) == [
        ["10.9.0.2-10.9.0.254"]
    ]


def test_ranges_are_printed_in_one_line(tmp_path: Path) -> None:
    subnets = [{"cidr": "10.9.0.0/24", "exclude": ["10.9.0.9"]}, {"cidr": "fd00::/64"}]
    (tmp_path / "plane.json").write_text(json.dumps(plane_object(subnets=subnets)))
    place = ("--manifests", str(tmp_path), "--state-dir", str(tmp_path))
    found = netplane("ip", "free", "business", "-n", "1", *place)
    assert found.status == 0
    assert found.out == "10.9.0.1-10.9.0.8, …\nfd00::1-fd00::ffff:ffff:ffff:ffff\n"
    none = netplane("ip", "free", "business", "--static", *place)
    assert (none.status, none.out) == (1, "no static address of plane business is free\n")
    assert netplane("ip", "free", "business", "-n", "0", *place).status == 2
