"""The leader releases what was kept for claims that are gone, and asks for nothing without any."""

from __future__ import annotations

from planes.kube.addresses.claim_release import SCAN_SECONDS
from planes.kube.addresses.holders import read_static, static_object
from planes.kube.resources import IPAM_CLAIMS, IPBLOCKS
from planes.model.addresses import parse_network
from tests.support.kube.nodes import put_node
from tests.webhook.controller.running_controller import RunningController

A = "10.9.0.200"
KIND = {"metadata": {"name": "vm", "namespace": "shop"}, "spec": {}}


def keep(controller: RunningController, uid: str) -> str:
    """Have a block keep an address that n1 holds; return the block's name."""
    name = controller.put_static({A: "n1"})
    obj = controller.kube.object(IPBLOCKS, name)
    assert obj is not None
    controller.kube.put_object(IPBLOCKS, {**obj, "claims": {A: f"shop/vm/{uid}"}})
    return name


def kept(controller: RunningController, name: str) -> tuple[int, int]:
    """Count what a block keeps, and its holders."""
    obj = controller.kube.object(IPBLOCKS, name)
    assert obj is not None
    block = read_static(obj)
    return len(block.claims), len(block.holders)


async def test_what_a_claim_that_is_gone_kept_is_released_within_two_minutes(
    controller: RunningController,
) -> None:
    """Its holder stays."""
    put_node(controller.kube, "n1")
    controller.kube.put_object(IPAM_CLAIMS, KIND)
    name = keep(controller, "another")
    controller.start()
    await controller.settle(SCAN_SECONDS + 5)
    assert kept(controller, name) == (1, 1)
    await controller.settle(SCAN_SECONDS)
    assert kept(controller, name) == (0, 1)
    assert controller.metric("addresses_released_total", what="claim") == 1


async def test_many_claims_of_one_namespace_delay_no_other(controller: RunningController) -> None:
    """Whoever deletes a thousand claims at once waits himself; his blocks are listed first."""
    put_node(controller.kube, "n1")
    controller.kube.put_object(IPAM_CLAIMS, KIND)
    for number in range(1, 17):
        network = parse_network(f"10.8.{number}.0/26")
        claims = {str(a): f"bulk/vm-{a}/gone" for a in network}
        obj = {**static_object("business", network, {}), "claims": claims}
        controller.kube.put_object(IPBLOCKS, obj)
    name = keep(controller, "another")
    controller.start()
    while kept(controller, name) != (0, 1):
        await controller.settle(SCAN_SECONDS)
    assert controller.metric("addresses_released_total", what="claim") <= 16 * 64 / 2 + 1


async def test_what_a_claim_keeps_stays(controller: RunningController) -> None:
    """However often it is looked at; also where the node that held it has left the cluster."""
    made = controller.kube.put_object(IPAM_CLAIMS, KIND)
    name = keep(controller, made["metadata"]["uid"])
    controller.start()
    await controller.settle(4 * SCAN_SECONDS)
    assert kept(controller, name) == (1, 0)


async def test_what_is_kept_where_nobody_holds_anything_is_released_too(
    controller: RunningController,
) -> None:
    """The usual case: the machine is off, and its claim is deleted."""
    put_node(controller.kube, "n1")
    name = keep(controller, "another")
    obj = controller.kube.object(IPBLOCKS, name)
    controller.kube.put_object(IPBLOCKS, {**(obj or {}), "holders": {}})
    controller.start()
    await controller.settle(2 * SCAN_SECONDS + 5)
    assert kept(controller, name) == (0, 0)


async def test_claims_are_not_asked_for_where_nothing_is_kept(
    controller: RunningController,
) -> None:
    """A cluster without the kind is asked for nothing it does not have."""
    controller.put_static({A: "n1"})
    controller.start()
    await controller.settle(3 * SCAN_SECONDS)
    assert all(what != IPAM_CLAIMS.plural for _, what, _, _ in controller.kube.requests)
