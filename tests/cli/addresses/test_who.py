"""`netplane ip who`: who has an address, or why nobody does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from planes.cli.addresses.named_plane import own_addresses_of, plane_named
from planes.cli.addresses.who import AddressAnswer, AddressState, look_for
from planes.cli.reading.address_use import Proof
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.addresses import parse_address
from planes.model.errors import BadInput
from tests.cli.addresses.reporting_cluster import STATIC_PLANE, ReportingCluster
from tests.cli.cluster_place import STATIC, A
from tests.support.command_line import netplane
from tests.support.planes import plane_object


@pytest.fixture
def cluster() -> ReportingCluster:
    cluster = ReportingCluster()
    cluster.plane()
    return cluster


async def asked(cluster: ReportingCluster, address: str, plane: str = "") -> list[AddressAnswer]:
    return await look_for(cluster.place, parse_address(address), plane)


async def test_a_holder_is_named_with_its_proof(cluster: ReportingCluster) -> None:
    uid = cluster.pod("db-0", A)
    cluster.hold(A, "db-0", uid)
    (answer,) = await asked(cluster, A)
    (use,) = answer.uses
    assert (answer.state, use.proof, use.pod) == (AddressState.HELD, Proof.HOLDER, "shop/db-0")


async def test_what_a_pod_shows_is_named_with_the_node_of_its_block(
    cluster: ReportingCluster,
) -> None:
    cluster.lend("10.9.0.0/26", "10.9.0.60-10.9.0.63", node="n2")
    uid = cluster.pod("web", "10.9.0.7")
    (answer,) = await asked(cluster, "10.9.0.7")
    (use,) = answer.uses
    assert (use.proof, use.pod, use.uid, use.node) == (Proof.STATUS, "shop/web", uid, "n2")


async def test_an_address_outside_of_the_subnets_is_found_where_a_pod_has_it(
    cluster: ReportingCluster,
) -> None:
    """The plane was narrowed."""
    cluster.pod("web", "10.77.0.7")
    (answer,) = await asked(cluster, "10.77.0.7")
    assert [use.pod for use in answer.uses] == ["shop/web"]


async def test_a_kept_address_is_its_claims(cluster: ReportingCluster) -> None:
    """A node may write anything there."""
    cluster.keep(A, "vm", "u1\x1b[2J")
    (answer,) = await asked(cluster, A)
    (use,) = answer.uses
    assert (use.proof, use.claim) == (Proof.CLAIM, "shop/vm/u1?[2J")


@pytest.mark.parametrize(
    ("address", "state", "text"),
    [
        ("10.9.0.0", AddressState.UNUSABLE, "the network address of 10.9.0.0/24"),
        ("10.9.0.255", AddressState.UNUSABLE, "the broadcast address of 10.9.0.0/24"),
        ("10.9.0.1", AddressState.GATEWAY, "the gateway"),
        ("10.9.0.2", AddressState.EXCLUDED, "excluded"),
        ("10.9.0.230", AddressState.RESERVED, "reserved for shop/db"),
        (
            "10.9.0.7",
            AddressState.FREE,
            "free, or resting: it is in a block of node n1, which alone knows",
        ),
        ("10.9.0.99", AddressState.FREE, "free"),
        ("10.9.0.199", AddressState.FREE, "free for a pod that asks for it"),
        ("10.9.0.150", AddressState.UNNAMED, "in none of the ranges that are handed out"),
    ],
)
async def test_why_nobody_has_an_address(
    cluster: ReportingCluster, address: str, state: AddressState, text: str
) -> None:
    cluster.block("10.9.0.0/26")
    (answer,) = await asked(cluster, address)
    assert (answer.state, answer.text, answer.uses) == (state, text, ())


async def test_a_static_address_inside_a_block_is_of_its_node(cluster: ReportingCluster) -> None:
    """The range was made static after the node took the block."""
    cluster.block("10.9.0.192/27", "n2")
    (answer,) = await asked(cluster, "10.9.0.199")
    assert "in a block of node n2, so pods of no other node may ask for it" in answer.text


async def test_each_plane_that_contains_an_address_answers(cluster: ReportingCluster) -> None:
    cluster.plane("wide", subnets=[{"cidr": "10.0.0.0/8"}])
    assert [one.plane for one in await asked(cluster, "10.9.0.7")] == ["business", "wide"]
    assert [one.plane for one in await asked(cluster, "10.9.0.7", "wide")] == ["wide"]
    assert [one.plane for one in await asked(cluster, "10.8.0.7")] == ["wide"]
    assert await asked(cluster, "192.0.2.1") == []


async def test_a_node_may_have_any_name_in_its_block(cluster: ReportingCluster) -> None:
    cluster.block("10.9.0.0/26", "n1\x1b[2J\x9b")
    (answer,) = await asked(cluster, "10.9.0.7")
    assert answer.block == "n1?[2J?"
    assert answer.text.isprintable()


async def test_a_plane_whose_nad_hands_out_addresses_answers_by_its_pods(
    cluster: ReportingCluster,
) -> None:
    subnets = [{"cidr": "10.7.0.0/24"}]
    nad = {"nadRef": {"namespace": "netplane-system", "name": "eth"}}
    cluster.plane("eth", network=nad, subnets=subnets, ipam={"mode": "NAD"})
    (answer,) = await asked(cluster, "10.7.0.7", "eth")
    assert answer.state is AddressState.OTHERS
    assert (await plane_named(cluster.place, "eth")).name == "eth"
    with pytest.raises(BadInput, match="hands out none itself"):
        await own_addresses_of(cluster.place, "eth")


async def test_of_other_addresses_nothing_is_kept(cluster: ReportingCluster) -> None:
    """Blocks that do not contain it are not even valid here: they are left out unread."""
    cluster.kube.put_object(
        IPBLOCKS, {"metadata": {"name": "x"}, "spec": {"plane": "business", "cidr": "?"}}
    )
    cluster.pod("web", *[f"10.9.0.{number}" for number in range(10, 90)])
    (answer,) = await asked(cluster, "10.9.0.89")
    assert [use.pod for use in answer.uses] == ["shop/web"]


async def test_a_status_that_is_too_large_shows_nothing(cluster: ReportingCluster) -> None:
    cluster.pod("huge", *["10.9.0.7"] * 100_000)
    (answer,) = await asked(cluster, "10.9.0.7")
    assert answer.uses == ()
    assert cluster.kube.object(PODS, "huge", "shop") is not None


async def test_a_holder_whose_time_is_none_is_named_all_the_same(
    cluster: ReportingCluster,
) -> None:
    cluster.hold(A, "db-0")
    obj = cluster.kube.object(IPBLOCKS, STATIC)
    assert obj is not None
    head, _, rest = obj["holders"][A].partition("|")
    text = json.dumps({**json.loads(rest), "since": 10**30})
    cluster.kube.put_object(IPBLOCKS, {**obj, "holders": {A: f"{head}|{text}"}})
    (answer,) = await asked(cluster, A)
    assert [(use.pod, use.since) for use in answer.uses] == [("shop/db-0", "")]


def test_the_exit_status_says_whether_somebody_has_it(tmp_path: Path) -> None:
    (tmp_path / "plane.json").write_text(json.dumps(plane_object(**STATIC_PLANE)))
    words = ("ip", "who", "--manifests", str(tmp_path), "--state-dir", str(tmp_path))
    nobody = netplane(*words, "10.9.0.1")
    assert (nobody.status, nobody.out) == (1, "plane business: 10.9.0.1 is the gateway\n")
    outside = netplane(*words, "192.0.2.1")
    assert (outside.status, outside.out) == (1, "192.0.2.1 is outside of every plane\n")
    (tmp_path / "addresses" / "business").mkdir(parents=True)
    (tmp_path / "addresses" / "business" / "10.9.0.7").write_text("torn")
    somebody = netplane(*words, "10.9.0.7", "-o", "json")
    assert (somebody.status, somebody.json["held"]) == (0, True)
    assert netplane(*words, "10.9.0.7/24").status == 2
