"""The status of planes: what is written, when, and when not."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_network

import orjson
import pytest

from planes.kube.holders import static_object
from planes.kube.ipblocks import NodeBlock, grid_object
from planes.kube.resources import EVENTS, IPBLOCKS, NADS, PLANES, Resource
from planes.model.errors import Conflict, Unavailable
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Nad, Pod
from tests.webhook.controller.reign import Reign

WIDE, NARROW = [{"cidr": "192.168.0.0/16"}], [{"cidr": "192.168.9.0/24"}]


def attached(number: int) -> Pod:
    status = [{"name": "netplane-system/business", "ips": [f"192.168.10.{number}"]}]
    annotations = {STATUS_ANNOTATION: orjson.dumps(status).decode()}
    return Pod("shop", f"web-{number}", annotations=annotations)


async def test_a_new_plane_is_described_once(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle(60)
    assert reign.condition("Accepted") == ("True", "Valid")
    assert reign.status()["observedGeneration"] == 1
    assert reign.writes("planes/status") <= 2


async def test_counts_of_a_busy_plane_are_written_every_five_seconds_at_most(
    reign: Reign,
) -> None:
    reign.put_plane()
    reign.put_namespace("shop", {"plane.netplane.io/business": "enabled"})
    reign.start()
    await reign.settle(10)
    before = reign.writes("planes/status")
    for number in range(1, 61):
        reign.put_pods([attached(number)])
        await reign.settle(0.5)
    assert reign.writes("planes/status") - before <= 7
    await reign.settle(10)
    assert reign.status()["inUse"] == 60


async def test_tenant_addresses_of_a_namespace_that_joined_nothing_are_not_counted(
    reign: Reign,
) -> None:
    reign.put_plane()
    reign.put_namespace("shop")
    reign.start()
    reign.put_pods([attached(number) for number in range(1, 9)])
    await reign.settle(20)
    assert reign.status()["inUse"] == 0


async def test_two_planes_on_one_wire_are_both_told_and_told_when_it_is_over(
    reign: Reign,
) -> None:
    reign.put_plane(subnets=WIDE)
    reign.put_plane("storage", subnets=NARROW)
    reign.start()
    await reign.settle()
    for name in ("business", "storage"):
        assert reign.condition("Overlapping", name) == ("True", "CIDRsOverlap")
    reign.kube.remove_object(PLANES, "storage")
    await reign.settle()
    assert reign.condition("Overlapping") == ("False", "NoOverlap")


async def test_a_referenced_nad_is_looked_for_where_it_is(reign: Reign) -> None:
    reference = {"nadRef": {"namespace": "infra", "name": "lan"}}
    reign.put_plane(network=reference, subnets=None, ipam={"mode": "NAD"})
    reign.start()
    await reign.settle()
    assert reign.condition("NADReady") == ("False", "NADMissing")
    reign.store.put_nad(Nad("infra", "lan", '{"cniVersion":"1.0.0","type":"bridge","name":"l"}'))
    await reign.settle(6)
    assert reign.condition("NADReady") == ("True", "Referenced")
    reign.store.put_nad(Nad("infra", "lan", "{"))
    await reign.settle(6)
    assert reign.condition("NADReady") == ("False", "NADInvalid")


async def test_blocks_that_nodes_hold_are_counted(reign: Reign) -> None:
    reign.put_plane()
    reign.put_block("10.0.0.0/26")
    reign.put_block("10.8.0.0/26", "storage")
    reign.kube.put_object(IPBLOCKS, static_object("business", IPv4Network("10.0.9.0/26"), {}))
    reign.start()
    await reign.settle(6)
    assert reign.status()["blocks"] == 1


async def test_a_block_that_is_taken_back_is_no_longer_counted(reign: Reign) -> None:
    reign.put_plane()
    for cidr in ("10.0.0.0/26", "10.0.0.64/26"):
        reign.put_block(cidr)
    reign.start()
    await reign.settle(6)
    assert reign.status()["blocks"] == 2
    reign.kube.remove_object(IPBLOCKS, "business.10-0-0-64-26")
    await reign.settle(6)
    assert reign.status()["blocks"] == 1


async def test_a_plane_removed_before_its_status_is_written_is_no_failure(reign: Reign) -> None:
    reign.put_plane()
    reign.kube.before_next(
        lambda: reign.kube.remove_object(PLANES, "business"), verb="patch", resource=PLANES
    )
    reign.start()
    await reign.settle(6)
    assert reign.kube.object(PLANES, "business") is None
    assert reign.failures() == 0


async def test_a_status_from_elsewhere_is_put_right_and_foreign_members_go(reign: Reign) -> None:
    reign.put_plane()
    reign.start()
    await reign.settle(6)
    plane = reign.kube.object(PLANES, "business")
    assert plane is not None
    reign.kube.put_object(PLANES, {**plane, "status": {"cooling": 3, "conditions": []}})
    await reign.settle(6)
    assert reign.condition("NADReady") == ("True", "Rendered")
    assert "cooling" not in reign.status()


async def test_a_lost_race_is_looked_at_again(reign: Reign) -> None:
    reign.put_plane()
    reign.kube.fail_next(Conflict("cannot patch"), verb="patch", resource=PLANES)
    reign.start()
    await reign.settle(6)
    assert reign.condition("Accepted") == ("True", "Valid")


async def test_nothing_is_said_before_the_pods_are_known(reign: Reign) -> None:
    reign.put_plane()
    reign.store.is_synced = False
    reign.start()
    await reign.settle(10)
    assert reign.status() == {}
    reign.store.is_synced = True
    await reign.settle(6)
    assert reign.status()["inUse"] == 0


@pytest.mark.parametrize("late", [NADS, IPBLOCKS])
async def test_nothing_turns_because_another_replica_leads(reign: Reign, late: Resource) -> None:
    """Also where the new leader reads NADs or blocks last."""
    reign.put_plane()
    reign.put_block("10.0.0.0/26")
    reign.start()
    await reign.settle(6)
    before, writes = reign.status(), reign.writes("planes/status")
    await reign.stop()
    reign.kube.fail_next(Unavailable("cannot list"), verb="list", resource=late, times=3)
    reign.start()
    await reign.settle(20)
    assert (reign.status(), reign.writes("planes/status")) == (before, writes)


async def test_a_kind_that_is_not_served_keeps_the_rest_from_being_said_only_for_a_while(
    reign: Reign,
) -> None:
    reign.put_plane()
    reign.kube.fail_next(Unavailable("cannot list"), verb="list", resource=NADS, times=1000)
    reign.start()
    await reign.settle(20)
    assert reign.status() == {}
    await reign.settle(20)
    assert reign.condition("Accepted") == ("True", "Valid")
    assert reign.condition("NADReady") == ("Unknown", "NotSeen")


async def test_two_thousand_planes_on_one_wire_are_described(reign: Reign) -> None:
    """What is compared and looked at must not grow with the square of the planes."""
    for number in range(2000):
        cidr = f"10.{number // 256}.{number % 256}.0/24"
        reign.put_plane(f"p{number}", subnets=[{"cidr": cidr}])
    reign.start()
    for _ in range(300):
        await reign.settle()
        if reign.writes("planes/status") >= 2000:
            break
    assert reign.condition("Overlapping", "p1999") == ("False", "NoOverlap")


def put_odd(reign: Reign, name: str = "business.odd", cidr: str = "0.0.0.0/0") -> None:
    """Put a block that is none of ours."""
    obj = NodeBlock("business", "n9", ip_network(cidr)).to_json()
    reign.kube.put_object(IPBLOCKS, {**obj, "metadata": {"name": name}})


async def test_a_block_that_nodes_ignore_is_told_by_condition_and_event(reign: Reign) -> None:
    reign.put_plane()
    reign.put_block("10.0.0.0/26")
    reign.start()
    await reign.settle(6)
    assert reign.condition("BlocksIgnored") == ("False", "NoneIgnored")
    put_odd(reign)
    await reign.settle(6)
    assert reign.condition("BlocksIgnored") == ("True", "NotOurs")
    (told,) = [e for e in reign.kube.objects(EVENTS) if e["reason"] == "BlocksIgnored"]
    assert "business.odd: cannot use 0.0.0.0/0 as a Node block" in told["message"]
    assert "kubectl delete ipb business.odd" in told["message"]
    assert reign.status()["blocks"] == 1
    reign.kube.remove_object(IPBLOCKS, "business.odd")
    await reign.settle(6)
    assert reign.condition("BlocksIgnored") == ("False", "NoneIgnored")


async def test_a_block_of_another_size_than_its_grid_is_told(reign: Reign) -> None:
    reign.put_plane()
    grid = grid_object("business", ip_network("10.0.0.0/16"), 26)
    reign.kube.put_object(IPBLOCKS, grid)
    reign.put_block("10.0.0.64/26")
    wide = reign.put_block("10.0.4.0/22", node="n9")
    reign.start()
    await reign.settle(6)
    (found,) = [c for c in reign.status()["conditions"] if c["type"] == "BlocksIgnored"]
    assert f"{wide}: cannot use 10.0.4.0/22: blocks of 10.0.0.0/16 are /26 each" in found["message"]
    assert "64-26" not in found["message"]


async def test_a_thousand_blocks_that_nodes_ignore_are_one_short_message(reign: Reign) -> None:
    reign.put_plane()
    for number in range(1000):
        put_odd(reign, f"business.{'x' * 200}{number}")
    reign.start()
    await reign.settle(20)
    (found,) = [c for c in reign.status()["conditions"] if c["type"] == "BlocksIgnored"]
    assert "and 996 more" in found["message"]
    assert len(found["message"]) < 3000
    assert len([e for e in reign.kube.objects(EVENTS) if e["reason"] == "BlocksIgnored"]) == 1


async def test_blocks_that_are_ignored_are_not_told_again_by_the_next_leader(reign: Reign) -> None:
    reign.put_plane()
    put_odd(reign)
    for _ in range(2):
        reign.start()
        await reign.settle(6)
        await reign.stop()
    assert len([e for e in reign.kube.objects(EVENTS) if e["reason"] == "BlocksIgnored"]) == 1
