"""`netplane explain address`: what it is, who has it, who may ask for it, which are free."""

from __future__ import annotations

import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock
from planes.kube.resources import IPBLOCKS, PLANES, PODS
from planes.model.addresses import parse_address, parse_network
from planes.model.errors import BadInput, Denied, NotFound
from planes.store.protocol import AddressOwner
from tests.cli.explaining.explained_cluster import ExplainedCluster

SUBNET = {
    "cidr": "10.9.0.0/24",
    "gateway": "10.9.0.1",
    "ranges": ["10.9.0.10-10.9.0.99"],
    "staticRanges": ["10.9.0.200-10.9.0.205"],
    "exclude": ["10.9.0.50"],
}
RESERVED = [{"ip": "10.9.0.150", "namespace": "shop", "owner": "db-0"}]


@pytest.fixture
def cluster() -> ExplainedCluster:
    static = {"allow": "Any", "reservations": RESERVED}
    return ExplainedCluster(subnets=[SUBNET], staticIPs=static)


def hold(cluster: ExplainedCluster, address: str, pod: str) -> None:
    owner = AddressOwner("c1", "net1", "shop", pod, "u1", "n1")
    held = {parse_address(address): Holder(owner)}
    cluster.kube.put_object(
        IPBLOCKS, static_object("business", parse_network("10.9.0.192/26"), held)
    )


@pytest.mark.parametrize(
    ("address", "role"),
    [
        ("10.9.0.1", "gateway"),
        ("10.9.0.0", "unusable"),
        ("10.9.0.255", "unusable"),
        ("10.9.0.50", "excluded"),
        ("10.8.0.1", "outside"),
        ("fd00::1", "outside"),
        ("10.9.0.120", "unused"),
    ],
)
async def test_what_no_pod_can_have_is_a_fault(
    cluster: ExplainedCluster, address: str, role: str
) -> None:
    found = await cluster.explained_address(address)
    assert found.details["role"] == role
    assert found.errors


@pytest.mark.parametrize(
    ("address", "role"),
    [("10.9.0.201", "static"), ("10.9.0.150", "reserved"), ("10.9.0.20", "dynamic")],
)
async def test_what_some_pod_can_have_is_none(
    cluster: ExplainedCluster, address: str, role: str
) -> None:
    found = await cluster.explained_address(address)
    assert found.details["role"] == role
    assert found.errors == ()
    assert "Nobody has it." in cluster.out


async def test_who_holds_it_is_named_and_the_free_ones_near_it(cluster: ExplainedCluster) -> None:
    hold(cluster, "10.9.0.203", "db-0")
    found = await cluster.explained_address("10.9.0.203")
    assert found.errors == ()
    assert "Held by pod shop/db-0 (UID u1, node n1)." in cluster.out
    near = ["10.9.0.204", "10.9.0.202", "10.9.0.205", "10.9.0.201", "10.9.0.200"]
    assert found.details["freeNear"] == near


async def test_an_address_of_another_pod_is_refused(cluster: ExplainedCluster) -> None:
    hold(cluster, "10.9.0.203", "db-0")
    (error,) = (await cluster.explained_address("10.9.0.203", "shop", "web")).errors
    assert error.message.endswith("10.9.0.203: pod shop/db-0 has it")
    assert "No, pod shop/web may not ask for it:" in cluster.out


async def test_a_pod_may_have_what_it_has(cluster: ExplainedCluster) -> None:
    hold(cluster, "10.9.0.203", "db-0")
    assert (await cluster.explained_address("10.9.0.203", "shop", "db-0")).errors == ()
    assert "Yes, pod shop/db-0 may ask for it." in cluster.out


async def test_a_reserved_address_is_for_its_pod_alone(cluster: ExplainedCluster) -> None:
    assert (await cluster.explained_address("10.9.0.150", "shop", "db-0")).errors == ()
    (error,) = (await cluster.explained_address("10.9.0.150", "shop", "web")).errors
    assert "reserves it for shop/db-0" in error.message


async def test_a_namespace_that_has_not_joined_may_not_ask(cluster: ExplainedCluster) -> None:
    cluster.namespace("other", {})
    (error,) = (await cluster.explained_address("10.9.0.201", "other")).errors
    assert "namespace other has no label plane.netplane.io/business" in error.message


async def test_on_a_cluster_what_nodes_hand_out_cannot_be_asked_for(
    cluster: ExplainedCluster,
) -> None:
    block = NodeBlock("business", "n2", parse_network("10.9.0.0/26"))
    cluster.kube.put_object(IPBLOCKS, block.to_json())
    (error,) = (await cluster.explained_address("10.9.0.20", "shop")).errors
    assert "in none of its staticRanges" in error.message
    assert "It is in a block of node n2." in cluster.out


async def test_two_pods_with_one_address_are_a_fault(cluster: ExplainedCluster) -> None:
    shown = [{"name": "netplane-system/business", "ips": ["10.9.0.20"], "dns": {}}]
    cluster.pod("a", interfaces=shown)
    cluster.pod("b", interfaces=shown)
    (error,) = (await cluster.explained_address("10.9.0.20")).errors
    assert error.message == "10.9.0.20 is of several pods at once: shop/a, shop/b"


async def test_what_is_no_address_is_refused(cluster: ExplainedCluster) -> None:
    with pytest.raises(BadInput, match="cannot"):
        await cluster.explained_address("10.9.0.300")
    with pytest.raises(BadInput, match="no name"):
        await cluster.explained_address("10.9.0.20", "../x", "y")


async def test_a_namespace_that_is_not_there_is_named(cluster: ExplainedCluster) -> None:
    with pytest.raises(NotFound, match="nowhere"):
        await cluster.explained_address("10.9.0.20", "nowhere")


async def test_without_the_right_to_list_pods_it_is_not_said_that_nobody_has_it(
    cluster: ExplainedCluster,
) -> None:
    refused = Denied("cannot list pods: forbidden")
    cluster.kube.fail_next(refused, verb="list", resource=PODS)
    found = await cluster.explained_address("10.9.0.201")
    assert "Nobody has it" not in cluster.out
    assert found.details["unknown"] == ["not known: who has it: cannot list pods: forbidden"]
    assert found.errors == ()


async def test_a_plane_that_the_leader_does_not_accept_gives_no_address(
    cluster: ExplainedCluster,
) -> None:
    obj = cluster.kube.object(PLANES, "business")
    accepted = {"type": "Accepted", "status": "False", "message": "another one has them"}
    cluster.kube.put_object(PLANES, {**(obj or {}), "status": {"conditions": [accepted]}})
    (error,) = (await cluster.explained_address("10.9.0.201")).errors
    assert error.message == "plane business is not accepted: another one has them"


async def test_of_many_pods_that_show_it_a_few_are_named(cluster: ExplainedCluster) -> None:
    shown = [{"name": "netplane-system/business", "ips": ["10.9.0.20"], "dns": {}}]
    for number in range(40):
        cluster.pod(f"p{number:02}", interfaces=shown)
    (error,) = (await cluster.explained_address("10.9.0.20")).errors
    assert error.message.endswith("shop/p05 and 34 more")
    assert cluster.out.count("Held by pod") == 6
