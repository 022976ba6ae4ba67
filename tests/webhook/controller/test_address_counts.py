"""The address counts of a plane, made by the leader from blocks, pods and the reports of nodes."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import orjson
import pytest

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.resources import EVENTS, IPBLOCKS, PLANES, PODS
from planes.model.errors import JsonObject
from planes.model.names import NETPLANE_NAMESPACE, PLANE_HEALTH_ANNOTATION, STATUS_ANNOTATION
from planes.model.objects import Pod
from planes.model.state.node_use import NodeUse
from planes.model.state.plane_health import encode_report
from planes.store.protocol import AddressOwner
from tests.support.kube.nodes import put_node
from tests.webhook.controller.running_controller import RunningController
from webhook.controller.statuses import COUNT_SECONDS

SUBNET = {"cidr": "10.9.0.0/25", "staticRanges": ["10.9.0.112-10.9.0.119"]}
CAPACITY = 126


@pytest.fixture
def plane(controller: RunningController) -> RunningController:
    """A plane of a /25 with blocks of 32 addresses, the first of node n1, and a namespace in it."""
    controller.put_plane(subnets=[SUBNET], staticIPs={"allow": "Any"})
    controller.put_namespace("shop", {"plane.netplane.io/business": "enabled"})
    controller.put_block("10.9.0.0/27")
    put_node(controller.kube, "n1")
    return controller


def pod(number: int, node: str = "n1", space: str = "shop", *ips: str) -> Pod:
    shown = ips or (f"10.9.0.{number + 2}",)
    status = [{"name": "netplane-system/business", "interface": "net1", "ips": list(shown)}]
    annotations = {STATUS_ANNOTATION: orjson.dumps(status).decode()}
    return Pod(space, f"web-{number}", annotations=annotations, node=node)


def report(
    controller: RunningController, node: str, held: int, resting: int = 0, *, pod_name: str = ""
) -> None:
    text = encode_report(node, {}, {"business": NodeUse(held, resting)})
    controller.kube.put_object(
        PODS,
        {
            "metadata": {
                "name": pod_name or f"netplane-cni-{node}",
                "namespace": NETPLANE_NAMESPACE,
                "labels": {"app.kubernetes.io/name": "netplane-cni"},
                "annotations": {PLANE_HEALTH_ANNOTATION: text},
            }
        },
    )


def put_holders(controller: RunningController, *addresses: str, node: str = "n2") -> None:
    """Have a node hold addresses of 10.9.0.64/26 one by one."""
    held = {
        ip_address(text): Holder(AddressOwner("c1", "net1", "shop", "db-0", "uid-1", node))
        for text in addresses
    }
    obj = static_object("business", ip_network("10.9.0.64/26"), held)
    controller.kube.put_object(IPBLOCKS, obj)


def put_lending(controller: RunningController, cidr: str, node: str, *lent: str) -> None:
    obj = NodeBlock("business", node, ip_network(cidr)).to_json()
    controller.kube.put_object(IPBLOCKS, {**obj, "lent": list(lent)})


def counts(controller: RunningController) -> dict[str, int]:
    names = ("capacity", "inUse", "static", "cooling", "available")
    return {name: controller.status()[name] for name in names}


def events(controller: RunningController) -> list[JsonObject]:
    return [one for one in controller.kube.objects(EVENTS) if one["reason"] == "Exhausted"]


async def test_counts_are_true_within_seconds_and_add_up(plane: RunningController) -> None:
    plane.start()
    await plane.settle(6)
    assert counts(plane) == {
        "capacity": CAPACITY,
        "inUse": 0,
        "static": 0,
        "cooling": 0,
        "available": CAPACITY,
    }
    report(plane, "n1", 10, 4)
    put_holders(plane, "10.9.0.113")
    await plane.settle(2 * COUNT_SECONDS)
    assert counts(plane) == {
        "capacity": CAPACITY,
        "inUse": 11,
        "static": 1,
        "cooling": 4,
        "available": CAPACITY - 15,
    }


async def test_a_borrowed_address_is_in_use_and_not_static(plane: RunningController) -> None:
    """Its owner lends it, and its pod shows it as any other."""
    put_lending(plane, "10.9.0.64/27", "n1", "10.9.0.80-10.9.0.95")
    put_holders(plane, "10.9.0.81", "10.9.0.114", node="n2")
    plane.put_pods([pod(1, "n2", "shop", "10.9.0.81")])
    plane.start()
    await plane.settle(6)
    assert (counts(plane)["inUse"], counts(plane)["static"]) == (2, 1)


async def test_node_entries_for_what_others_hand_out_count_nothing(
    plane: RunningController,
) -> None:
    """It may write them: policies see that they begin with its name, not whose block it is."""
    put_lending(plane, "10.9.0.64/27", "n1")
    put_holders(plane, *(f"10.9.0.{number}" for number in range(64, 96)), node="n9")
    plane.start()
    await plane.settle(6)
    assert counts(plane)["inUse"] == 0


async def test_node_reports_no_more_addresses_than_its_blocks_have(
    plane: RunningController,
) -> None:
    report(plane, "n1", 10, 10**6)
    report(plane, "n9", 10**6, 10**6)
    plane.start()
    await plane.settle(6)
    assert (counts(plane)["inUse"], counts(plane)["cooling"]) == (10, 21)
    assert plane.condition("Exhausted") == ("False", "AddressesLeft")


async def test_tenant_statuses_count_for_blocks_of_nodes_that_report_nothing_alone(
    plane: RunningController,
) -> None:
    """Its author writes what he likes into the annotations of his pod."""
    many = [f"10.9.0.{number}" for number in range(1, 127)]
    plane.put_pods([pod(number, "n1", "shop", *many) for number in range(3)])
    plane.put_pods([pod(number, "n7", "shop", *many) for number in range(3, 200)])
    plane.put_pods([pod(number, "n1", "other", *many) for number in range(3)])
    plane.start()
    await plane.settle(6)
    assert counts(plane)["inUse"] == 31
    report(plane, "n1", 2)
    await plane.settle(6)
    assert counts(plane)["inUse"] == 2
    assert plane.condition("Exhausted") == ("False", "AddressesLeft")


async def test_blocks_that_nodes_ignore_count_nothing(plane: RunningController) -> None:
    """They may overlap others, so an address would count twice."""
    grid = grid_object("business", ip_network("10.9.0.0/16"), 27)
    plane.kube.put_object(IPBLOCKS, grid)
    plane.put_block("10.9.0.0/26", node="n9")
    report(plane, "n9", 0, 64)
    plane.start()
    await plane.settle(6)
    assert counts(plane)["cooling"] == 0


async def test_of_two_daemons_of_one_node_the_larger_count_is_taken(
    plane: RunningController,
) -> None:
    report(plane, "n1", 2, 5, pod_name="old")
    report(plane, "n1", 4, 3, pod_name="new")
    plane.start()
    await plane.settle(6)
    assert counts(plane)["cooling"] == 5
    plane.kube.remove_object(PODS, "old", NETPLANE_NAMESPACE)
    await plane.settle(COUNT_SECONDS + 1)
    assert counts(plane)["cooling"] == 3


async def test_a_plane_that_runs_out_says_so_before_by_condition_event_and_metric(
    plane: RunningController,
) -> None:
    for number, cidr in enumerate(("10.9.0.32/27", "10.9.0.64/27", "10.9.0.96/27"), start=2):
        plane.put_block(cidr, node=f"n{number}")
    plane.start()
    await plane.settle(6)
    for node, held in {"n1": 31, "n2": 32, "n3": 32, "n4": 9}.items():
        report(plane, node, held)
    await plane.settle(6)
    assert plane.condition("Exhausted") == ("False", "AddressesLeft")
    assert plane.sample("netplane_plane_exhausted", plane="business") == 0
    report(plane, "n4", 14)
    await plane.settle(6)
    assert plane.condition("Exhausted") == ("True", "FewAddressesLeft")
    assert plane.sample("netplane_plane_exhausted", plane="business") == 1
    (told,) = events(plane)
    assert told["type"] == "Warning"
    assert told["message"].startswith("9 of the 118 IPv4 addresses that are handed out unasked")
    assert plane.sample("netplane_plane_addresses", plane="business", state="in_use") == 109


async def test_a_plane_at_the_mark_is_told_once_however_its_pods_come_and_go(
    plane: RunningController,
) -> None:
    plane.kube.remove_object(IPBLOCKS, "business.10-9-0-0-27")
    plane.put_plane(subnets=[{"cidr": "10.9.0.0/28"}])
    plane.put_block("10.9.0.0/28")
    plane.start()
    await plane.settle(6)
    for _ in range(10):
        report(plane, "n1", 13)
        await plane.settle(6)
        assert plane.condition("Exhausted")[0] == "True"
        report(plane, "n1", 12)
        await plane.settle(6)
        assert plane.condition("Exhausted")[0] == "True"
    assert len(events(plane)) == 1


async def test_a_node_whose_counts_change_all_the_time_costs_few_writes(
    plane: RunningController,
) -> None:
    plane.start()
    await plane.settle(6)
    before = plane.writes("planes/status")
    for step in range(60):
        report(plane, "n1", 1 + step % 2 * 29, step % 2)
        await plane.settle(1)
    assert plane.writes("planes/status") - before <= 60 / COUNT_SECONDS + 1


async def test_metrics_go_with_the_plane_and_with_the_leadership(
    plane: RunningController,
) -> None:
    plane.put_plane("storage", subnets=[{"cidr": "10.8.0.0/24"}])
    plane.start()
    await plane.settle(6)
    assert plane.sample("netplane_plane_addresses", plane="storage", state="capacity") == 254
    plane.kube.remove_object(PLANES, "storage")
    await plane.settle(6)
    assert plane.sample("netplane_plane_addresses", plane="storage", state="capacity") is None
    assert plane.sample("netplane_plane_exhausted", plane="business") == 0
    await plane.stop()
    assert plane.sample("netplane_plane_exhausted", plane="business") is None


async def test_a_new_leader_counts_as_the_one_before(plane: RunningController) -> None:
    report(plane, "n1", 10, 4)
    plane.start()
    await plane.settle(6)
    status, writes = plane.status(), plane.writes("planes/status")
    assert (status["inUse"], status["cooling"]) == (10, 4)
    await plane.stop()
    plane.start()
    await plane.settle(12)
    assert (plane.status(), plane.writes("planes/status")) == (status, writes)
