"""The status of planes: what is written, when, and when not."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

import orjson
import pytest

from planes.kube.addresses.holders import static_object
from planes.kube.addresses.ipblocks import NodeBlock, grid_object
from planes.kube.resources import (
    EVENTS,
    IPBLOCKS,
    NADS,
    PLANES,
    Resource,
)
from planes.model.errors import Conflict, JsonObject, Unavailable
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Nad, Pod
from tests.support.kube.nodes import put_node
from tests.webhook.controller.running_controller import RunningController

WIDE, NARROW = [{"cidr": "192.168.0.0/16"}], [{"cidr": "192.168.9.0/24"}]


def attached(number: int) -> Pod:
    status = [{"name": "netplane-system/business", "ips": [f"192.168.10.{number}"]}]
    annotations = {STATUS_ANNOTATION: orjson.dumps(status).decode()}
    return Pod("shop", f"web-{number}", annotations=annotations, node="n1")


async def test_a_new_plane_is_described_once(controller: RunningController) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle(60)
    assert controller.condition("Accepted") == ("True", "Valid")
    assert controller.status()["observedGeneration"] == 1
    assert controller.writes("planes/status") <= 2


@pytest.mark.parametrize(
    ("spec", "text"),
    [
        ({"enforcement": {"workloads": "Deny"}}, "spec.enforcement.workloads: cannot choose: "),
        ({"ipam": {"conflictDetection": False}}, "spec.ipam.conflictDetection: cannot stay false"),
    ],
    ids=["rule", "type"],
)
async def test_a_plane_stored_with_what_is_refused_now_is_in_force_and_told_of(
    controller: RunningController, spec: JsonObject, text: str
) -> None:
    controller.put_plane(**spec)
    controller.start()
    await controller.settle(60)
    assert controller.condition("Accepted") == ("True", "Valid")
    (accepted,) = [each for each in controller.status()["conditions"] if each["type"] == "Accepted"]
    assert text in accepted["message"]


async def test_counts_of_a_busy_plane_are_written_every_five_seconds_at_most(
    controller: RunningController,
) -> None:
    controller.put_plane()
    put_node(controller.kube, "n1")
    controller.put_block("10.9.0.0/26")
    controller.put_namespace("shop", {"plane.netplane.io/business": "enabled"})
    controller.start()
    await controller.settle(10)
    before = controller.writes("planes/status")
    for number in range(1, 61):
        controller.put_pods([attached(number)])
        await controller.settle(0.5)
    assert controller.writes("planes/status") - before <= 7
    await controller.settle(10)
    assert controller.status()["inUse"] == 60


async def test_tenant_addresses_of_a_namespace_that_joined_nothing_are_not_counted(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.put_namespace("shop")
    controller.start()
    controller.put_pods([attached(number) for number in range(1, 9)])
    await controller.settle(20)
    assert controller.status()["inUse"] == 0


async def test_two_planes_on_one_wire_are_both_told_and_told_when_it_is_over(
    controller: RunningController,
) -> None:
    controller.put_plane(subnets=WIDE)
    controller.put_plane("storage", subnets=NARROW)
    controller.start()
    await controller.settle()
    for name in ("business", "storage"):
        assert controller.condition("Overlapping", name) == ("True", "CIDRsOverlap")
    controller.kube.remove_object(PLANES, "storage")
    await controller.settle()
    assert controller.condition("Overlapping") == ("False", "NoOverlap")


async def test_a_referenced_nad_is_looked_for_where_it_is(controller: RunningController) -> None:
    reference = {"nadRef": {"namespace": "infra", "name": "lan"}}
    controller.put_plane(network=reference, subnets=None, ipam={"mode": "NAD"})
    controller.start()
    await controller.settle()
    assert controller.condition("NADReady") == ("False", "NADMissing")
    controller.store.put_nad(
        Nad("infra", "lan", '{"cniVersion":"1.0.0","type":"bridge","name":"l"}')
    )
    await controller.settle(6)
    assert controller.condition("NADReady") == ("True", "Referenced")
    controller.store.put_nad(Nad("infra", "lan", "{"))
    await controller.settle(6)
    assert controller.condition("NADReady") == ("False", "NADInvalid")


async def test_blocks_that_nodes_hold_are_counted(controller: RunningController) -> None:
    controller.put_plane()
    controller.put_block("10.0.0.0/26")
    controller.put_block("10.8.0.0/26", "storage")
    controller.kube.put_object(IPBLOCKS, static_object("business", IPv4Network("10.0.9.0/26"), {}))
    controller.start()
    await controller.settle(6)
    assert controller.status()["blocks"] == 1


async def test_a_block_that_is_taken_back_is_no_longer_counted(
    controller: RunningController,
) -> None:
    controller.put_plane()
    for cidr in ("10.0.0.0/26", "10.0.0.64/26"):
        controller.put_block(cidr)
    controller.start()
    await controller.settle(6)
    assert controller.status()["blocks"] == 2
    controller.kube.remove_object(IPBLOCKS, "business.10-0-0-64-26")
    await controller.settle(6)
    assert controller.status()["blocks"] == 1


async def test_a_plane_removed_before_its_status_is_written_is_no_failure(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.kube.before_next(
        lambda: controller.kube.remove_object(PLANES, "business"), verb="patch", resource=PLANES
    )
    controller.start()
    await controller.settle(6)
    assert controller.kube.object(PLANES, "business") is None
    assert controller.failures() == 0


async def test_a_status_from_elsewhere_is_put_right_and_foreign_members_go(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.start()
    await controller.settle(6)
    plane = controller.kube.object(PLANES, "business")
    assert plane is not None
    controller.kube.put_object(PLANES, {**plane, "status": {"idle": 3, "conditions": []}})
    await controller.settle(6)
    assert controller.condition("NADReady") == ("True", "Rendered")
    assert "idle" not in controller.status()


async def test_a_lost_race_is_looked_at_again(controller: RunningController) -> None:
    controller.put_plane()
    controller.kube.fail_next(Conflict("cannot patch"), verb="patch", resource=PLANES)
    controller.start()
    await controller.settle(6)
    assert controller.condition("Accepted") == ("True", "Valid")


async def test_nothing_is_said_before_the_pods_are_known(controller: RunningController) -> None:
    controller.put_plane()
    controller.store.is_synced = False
    controller.start()
    await controller.settle(10)
    assert controller.status() == {}
    controller.store.is_synced = True
    await controller.settle(6)
    assert controller.status()["inUse"] == 0


@pytest.mark.parametrize("late", [NADS, IPBLOCKS])
async def test_no_condition_changes_because_another_replica_leads(
    controller: RunningController, late: Resource
) -> None:
    """Also where the new leader reads NADs or blocks last."""
    controller.put_plane()
    controller.put_block("10.0.0.0/26")
    controller.start()
    await controller.settle(6)
    before, writes = controller.status(), controller.writes("planes/status")
    await controller.stop()
    controller.kube.fail_next(Unavailable("cannot list"), verb="list", resource=late, times=3)
    controller.start()
    await controller.settle(20)
    assert (controller.status(), controller.writes("planes/status")) == (before, writes)


async def test_a_kind_that_is_not_served_keeps_the_rest_from_being_said_only_for_a_while(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.kube.fail_next(Unavailable("cannot list"), verb="list", resource=NADS, times=1000)
    controller.start()
    await controller.settle(20)
    assert controller.status() == {}
    await controller.settle(20)
    assert controller.condition("Accepted") == ("True", "Valid")
    assert controller.condition("NADReady") == ("Unknown", "NotSeen")


async def test_two_thousand_planes_on_one_wire_are_described(controller: RunningController) -> None:
    """What is compared and looked at must not grow with the square of the planes."""
    for number in range(2000):
        cidr = f"10.{number // 256}.{number % 256}.0/24"
        controller.put_plane(f"p{number}", subnets=[{"cidr": cidr}])
    controller.start()
    for _ in range(300):
        await controller.settle()
        if controller.writes("planes/status") >= 2000:
            break
    assert controller.condition("Overlapping", "p1999") == ("False", "NoOverlap")


def put_odd(
    controller: RunningController, name: str = "business.odd", cidr: str = "0.0.0.0/0"
) -> None:
    """Put a block that is none of ours."""
    obj = NodeBlock("business", "n9", ip_network(cidr)).to_json()
    controller.kube.put_object(IPBLOCKS, {**obj, "metadata": {"name": name}})


async def test_a_block_that_nodes_ignore_is_told_by_condition_and_event(
    controller: RunningController,
) -> None:
    controller.put_plane()
    controller.put_block("10.0.0.0/26")
    controller.start()
    await controller.settle(6)
    assert controller.condition("BlocksIgnored") == ("False", "NoneIgnored")
    put_odd(controller)
    await controller.settle(6)
    assert controller.condition("BlocksIgnored") == ("True", "NotOurs")
    (told,) = [e for e in controller.kube.objects(EVENTS) if e["reason"] == "BlocksIgnored"]
    assert "business.odd: cannot use 0.0.0.0/0 as a Node block" in told["message"]
    assert "kubectl delete ipb business.odd" in told["message"]
    assert controller.status()["blocks"] == 1
    controller.kube.remove_object(IPBLOCKS, "business.odd")
    await controller.settle(6)
    assert controller.condition("BlocksIgnored") == ("False", "NoneIgnored")


async def test_a_block_of_another_size_than_its_grid_is_told(controller: RunningController) -> None:
    controller.put_plane()
    grid = grid_object("business", ip_network("10.0.0.0/16"), 26)
    controller.kube.put_object(IPBLOCKS, grid)
    controller.put_block("10.0.0.64/26")
    wide = controller.put_block("10.0.4.0/22", node="n9")
    controller.start()
    await controller.settle(6)
    (found,) = [c for c in controller.status()["conditions"] if c["type"] == "BlocksIgnored"]
    assert f"{wide}: cannot use 10.0.4.0/22: blocks of 10.0.0.0/16 are /26 each" in found["message"]
    assert "64-26" not in found["message"]


async def test_a_thousand_blocks_that_nodes_ignore_are_one_short_message(
    controller: RunningController,
) -> None:
    controller.put_plane()
    for number in range(1000):
        put_odd(controller, f"business.{'x' * 200}{number}")
    controller.start()
    await controller.settle(20)
    (found,) = [c for c in controller.status()["conditions"] if c["type"] == "BlocksIgnored"]
    assert "and 996 more" in found["message"]
    assert len(found["message"]) < 3000
    assert len([e for e in controller.kube.objects(EVENTS) if e["reason"] == "BlocksIgnored"]) == 1


async def test_blocks_that_are_ignored_are_not_told_again_by_the_next_leader(
    controller: RunningController,
) -> None:
    controller.put_plane()
    put_odd(controller)
    for _ in range(2):
        controller.start()
        await controller.settle(6)
        await controller.stop()
    assert len([e for e in controller.kube.objects(EVENTS) if e["reason"] == "BlocksIgnored"]) == 1
