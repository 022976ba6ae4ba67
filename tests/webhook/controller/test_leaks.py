"""Holders that no pod claims are collected unasked, once proven leaked; all others stay."""

from __future__ import annotations

from planes.kube.addresses.holders import Holder, static_object
from planes.kube.resources import IPBLOCKS, PODS
from planes.model.addresses import parse_network
from planes.model.errors import Unavailable
from planes.model.names import NETWORKS_ANNOTATION
from planes.model.objects import Pod
from planes.store.protocol import AddressOwner
from tests.support.kube.nodes import put_node, renew, shut_down
from tests.support.planes import make_plane
from tests.webhook.controller.running_controller import RunningController
from tests.webhook.controller.test_holders import A, B, held, pod
from webhook.controller.leaks import SCAN_SECONDS


async def test_a_holder_without_pod_on_a_node_out_of_service_is_collected_unasked(
    controller: RunningController,
) -> None:
    shut_down(controller.kube, "n1")
    name = controller.put_static({A: "n1"})
    controller.start()
    await controller.settle(SCAN_SECONDS + 100)
    assert held(controller, name) == {A}
    await controller.settle(SCAN_SECONDS - 80)
    assert held(controller, name) == set()


async def test_a_node_that_holds_addresses_for_no_pods_keeps_no_leak_of_another_from_being_found(
    controller: RunningController,
) -> None:
    """The first 64 blocks were looked at. A compromised node fills them, and renews no Lease."""
    put_node(controller.kube, "evil", is_ready=False)
    shut_down(controller.kube, "n1")
    who = AddressOwner("c" * 64, "net1", "shop", "db-1", "uid-2", "evil")
    for number in range(80):
        network = parse_network(f"10.8.{number}.0/26")
        forged = static_object("business", network, {network[1]: Holder(who, 7)}, "evil")
        controller.kube.put_object(IPBLOCKS, forged)
    name = controller.put_static({A: "n1"})
    controller.start()
    await controller.settle(2 * SCAN_SECONDS + 20)
    assert held(controller, name) == set()
    assert controller.metric("addresses_leaked") == 16


async def test_what_a_partitioned_nodes_pod_has_is_never_collected(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n1", is_ready=False)
    renew(controller.kube, "n1", controller.clock.now())
    name = controller.put_static({A: "n1"})
    controller.start()
    await controller.settle(5 * SCAN_SECONDS)
    assert held(controller, name) == {A}
    assert controller.metric("addresses_leaked") == 1


async def test_metrics_count_what_was_released_and_why(controller: RunningController) -> None:
    shut_down(controller.kube, "n1")
    controller.put_block("10.9.0.0/26", node="n2")
    controller.put_static({A: "n1", B: "n2"}, wanted={A: "n3"})
    controller.start()
    await controller.settle(100)
    released = {
        what: controller.metric("addresses_released_total", what=what)
        for what in ("block", "node-holder", "holder")
    }
    assert released == {"block": 1, "node-holder": 1, "holder": 1}
    assert controller.metric("addresses_leaked") == 0


async def test_what_an_existing_pod_holds_stays_though_it_claims_nothing(
    controller: RunningController,
) -> None:
    """A tenant may remove the annotations of its pod; the pod runs on."""
    shut_down(controller.kube, "n1")
    pod(controller)
    uid = str(controller.kube.objects(PODS)[0]["metadata"]["uid"])
    name = controller.put_static({A: "n1", B: "n1"})
    obj = controller.kube.object(IPBLOCKS, name)
    assert obj is not None
    holders = {A: obj["holders"][A].replace("uid-1", uid), B: obj["holders"][B]}
    controller.kube.put_object(IPBLOCKS, {**obj, "holders": holders})
    controller.start()
    await controller.settle(2 * SCAN_SECONDS + 30)
    assert held(controller, name) == {A}


async def test_pods_without_annotations_in_many_blocks_hide_no_leak(
    controller: RunningController,
) -> None:
    """One tenant's pods, whose annotations it has removed, come first in the list."""
    shut_down(controller.kube, "n1")
    put_node(controller.kube, "n2")
    meta = {"name": "web", "namespace": "tenant"}
    alive = controller.kube.put_object(PODS, {"metadata": meta, "spec": {"nodeName": "n2"}})
    uid = str(alive["metadata"]["uid"])
    for number in range(80):
        network = parse_network(f"10.8.{number}.0/26")
        who = AddressOwner(f"c{number}", "net1", "tenant", "web", uid, "n2")
        obj = static_object("business", network, {network[7]: Holder(who, 1)})
        controller.kube.put_object(IPBLOCKS, obj)
    name = controller.put_static({A: "n1"})
    controller.start()
    await controller.settle(6 * SCAN_SECONDS)
    assert held(controller, name) == set()


async def test_a_holder_whose_pod_claims_its_address_costs_no_request(
    controller: RunningController,
) -> None:
    controller.store.put_plane(make_plane())
    asks = f'[{{"name": "business", "namespace": "netplane-system", "ips": ["{A}"]}}]'
    controller.put_pods([Pod("shop", "db-0", annotations={NETWORKS_ANNOTATION: asks})])
    put_node(controller.kube, "n1")
    controller.put_static({A: "n1"})
    controller.start()
    await controller.settle(3 * SCAN_SECONDS)
    assert ("get", "pods", "shop", "db-0") not in controller.kube.requests


async def test_a_scan_that_fails_is_made_again(controller: RunningController) -> None:
    shut_down(controller.kube, "n1")
    name = controller.put_static({A: "n1"})
    controller.start()
    await controller.settle(SCAN_SECONDS + 20)
    controller.kube.fail_next(Unavailable("cannot list"), verb="list")
    await controller.settle(2 * SCAN_SECONDS)
    assert held(controller, name) == set()
