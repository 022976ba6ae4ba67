"""A static address passes on only once its node has stopped the pod, or is known to be off."""

from __future__ import annotations

import pytest

from planes.kube.resources import EVENTS, LEASES, NODES, PODS
from planes.model.errors import Denied, Unavailable
from planes.model.objects import CONFIG_MIRROR_ANNOTATION
from planes.model.state.fencing import GONE_SECONDS, SILENT_SECONDS
from tests.support.kube.nodes import delete_node, put_node, renew, shut_down
from tests.webhook.controller.running_controller import RunningController
from tests.webhook.controller.test_holders import A, B, held, pod, wanted


def put_dead(controller: RunningController, node: str = "n1") -> str:
    """Put an address that n2 waits for, whose pod on another node was deleted by force."""
    return controller.put_static({A: node}, wanted={A: "n2"})


async def live(controller: RunningController, node: str, seconds: int) -> None:
    """Let time pass while a node's kubelet renews its Lease."""
    for second in range(seconds):
        if second % 10 == 0:
            renew(controller.kube, node, controller.clock.now())
        await controller.settle(1)


async def test_a_partitioned_nodes_pod_keeps_its_address_for_ever(
    controller: RunningController,
) -> None:
    """The Node is not ready, its pod deleted by force, its Lease as old as the partition."""
    put_node(controller.kube, "n1", is_ready=False)
    renew(controller.kube, "n1", controller.clock.now())
    name = put_dead(controller)
    controller.start()
    await controller.settle(3600)
    assert held(controller, name) == {A}
    assert wanted(controller, name) == {A: "n2"}


async def test_a_node_that_is_cut_off_costs_four_requests_in_ten_seconds(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n1", is_ready=False)
    renew(controller.kube, "n1", controller.clock.now())
    put_dead(controller)
    controller.start()
    await controller.settle(30)
    controller.kube.requests.clear()
    await controller.settle(600)
    about = [each for each in controller.kube.requests if each[0] == "get"]
    assert len(about) <= 4 * 61


async def test_a_partition_that_heals_gives_the_kubelet_time_to_stop_the_pod(
    controller: RunningController,
) -> None:
    """Its first renewal comes before it has heard that the pod is gone."""
    put_node(controller.kube, "n1", is_ready=False)
    renew(controller.kube, "n1", controller.clock.now())
    name = put_dead(controller)
    controller.start()
    await controller.settle(1000)
    await live(controller, "n1", 50)
    assert held(controller, name) == {A}
    await live(controller, "n1", 60)
    assert held(controller, name) == set()


async def test_a_mirror_pod_that_is_deleted_twice_was_not_gone_all_the_time(
    controller: RunningController,
) -> None:
    """Its kubelet made it anew in between: the static pod runs, however long ago it was missed."""
    put_node(controller.kube, "n1")
    name = put_dead(controller)
    meta = {
        "name": "db-0",
        "namespace": "shop",
        "annotations": {CONFIG_MIRROR_ANNOTATION: "uid-1"},
    }
    controller.start()
    await live(controller, "n1", 20)
    controller.kube.put_object(PODS, {"metadata": meta, "spec": {"nodeName": "n1"}})
    await live(controller, "n1", 40)
    controller.kube.remove_object(PODS, "db-0", "shop")
    await live(controller, "n1", 50)
    assert held(controller, name) == {A}


async def test_a_connected_node_stops_the_pod_within_two_minutes(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n1")
    name = put_dead(controller)
    controller.start()
    await live(controller, "n1", 60)
    assert held(controller, name) == {A}
    await live(controller, "n1", 60)
    assert held(controller, name) == set()


async def test_a_static_pod_whose_mirror_is_made_anew_keeps_its_address(
    controller: RunningController,
) -> None:
    """Anybody may delete a mirror, and the pod runs on: the second look sees the next mirror."""
    put_node(controller.kube, "n1")
    name = put_dead(controller)
    controller.start()
    await live(controller, "n1", 30)
    pod(controller, uid="mirror", annotations={CONFIG_MIRROR_ANNOTATION: "uid-1"})
    await live(controller, "n1", 120)
    assert held(controller, name) == {A}
    assert wanted(controller, name) == {}


async def test_the_address_passes_on_within_seconds_of_the_fencing_fact(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n1", is_ready=False)
    name = put_dead(controller)
    controller.start()
    await controller.settle(300)
    assert held(controller, name) == {A}
    shut_down(controller.kube, "n1")
    await controller.settle(15)
    assert held(controller, name) == set()


async def test_a_taint_on_a_node_that_is_ready_proves_nothing(
    controller: RunningController,
) -> None:
    shut_down(controller.kube, "n1")
    node = controller.kube.object(NODES, "n1")
    assert node is not None
    ready = [{"type": "Ready", "status": "True"}]
    controller.kube.put_object(NODES, {**node, "status": {"conditions": ready}})
    name = put_dead(controller)
    controller.start()
    await controller.settle(300)
    assert held(controller, name) == {A}


async def test_the_address_passes_on_seconds_after_the_node_object_was_gone_for_long_enough(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n1", is_ready=False)
    name = put_dead(controller)
    controller.start()
    await controller.settle(100)
    delete_node(controller.kube, "n1")
    await controller.settle(GONE_SECONDS - 1)
    assert held(controller, name) == {A}
    await controller.settle(8)
    assert held(controller, name) == set()


async def test_other_pods_of_a_deleted_node_keep_none_from_the_address_of_one_that_is_gone(
    controller: RunningController,
) -> None:
    """What is waited for is looked at when it can be shown that the node is gone."""
    other = {"metadata": {"name": "web", "namespace": "shop"}, "spec": {"nodeName": "n1"}}
    controller.kube.put_object(PODS, other)
    put_node(controller.kube, "n1", is_ready=False)
    name = put_dead(controller)
    controller.start()
    await controller.settle(103)
    delete_node(controller.kube, "n1")
    await controller.settle(GONE_SECONDS - 1)
    assert held(controller, name) == {A}
    await controller.settle(8)
    assert held(controller, name) == set()


async def test_a_node_object_that_was_deleted_early_frees_nothing_while_the_kubelet_runs(
    controller: RunningController,
) -> None:
    """A cloud controller is wrong, and the Lease outlasts the Node object."""
    name = put_dead(controller)
    controller.start()
    await live(controller, "n1", 40)
    await controller.settle(SILENT_SECONDS - 20)
    assert held(controller, name) == {A}
    await controller.settle(60)
    assert held(controller, name) == set()


@pytest.mark.parametrize("resource", [NODES, LEASES], ids=["node", "lease"])
async def test_a_node_that_cannot_be_read_is_not_taken_for_gone(
    controller: RunningController, resource: object
) -> None:
    name = put_dead(controller)
    for error in (Unavailable("cannot get"), Denied("cannot get")):
        controller.kube.fail_next(error, verb="get", resource=resource, times=10_000)  # type: ignore[arg-type]
    controller.start()
    await controller.settle(900)
    assert held(controller, name) == {A}


async def test_a_leader_believes_nothing_that_the_one_before_has_seen(
    controller: RunningController,
) -> None:
    """A leader that was elected between two looks begins anew."""
    name = put_dead(controller)
    controller.start()
    await controller.settle(GONE_SECONDS - 5)
    await controller.stop()
    controller.start()
    await controller.settle(GONE_SECONDS - 5)
    assert held(controller, name) == {A}
    await controller.settle(20)
    assert held(controller, name) == set()


async def test_a_wish_that_waits_for_a_node_keeps_no_other_waiting(
    controller: RunningController,
) -> None:
    """All addresses of a block but one are held on a node that is cut off."""
    put_node(controller.kube, "n1", is_ready=False)
    shut_down(controller.kube, "n3")
    addresses = {f"10.9.0.{n}": "n1" for n in range(192, 255)}
    name = controller.put_static(
        {**addresses, "10.9.0.255": "n3"}, wanted=dict.fromkeys([*addresses, "10.9.0.255"], "n2")
    )
    controller.start()
    await controller.settle(30)
    assert held(controller, name) == set(addresses)


async def test_an_event_about_the_plane_says_what_an_address_waits_for(
    controller: RunningController,
) -> None:
    controller.put_plane()
    put_node(controller.kube, "n1", is_ready=False)
    put_dead(controller)
    controller.start()
    await controller.settle(600)
    (text,) = [
        each["message"]
        for each in controller.kube.objects(EVENTS)
        if each["reason"] == "AddressWaits"
    ]
    assert text == (
        f"a pod on node n2 waits for {A}: pod shop/db-0, which held it, is gone, but node n1 may "
        "still run it: it does not renew its Lease, so it is off, or cut off and runs the pod"
    )


async def test_many_wishes_that_wait_are_told_of_one_in_ten_seconds(
    controller: RunningController,
) -> None:
    """A node can wish for any address that another one holds."""
    controller.put_plane()
    put_node(controller.kube, "n1", is_ready=False)
    addresses = [f"10.9.0.{n}" for n in range(192, 256)]
    controller.put_static(dict.fromkeys(addresses, "n1"), wanted=dict.fromkeys(addresses, "n2"))
    controller.start()
    await controller.settle(130)
    told = [e for e in controller.kube.objects(EVENTS) if e["reason"] == "AddressWaits"]
    assert 5 <= len(told) <= 12


async def test_a_second_wish_is_judged_at_once_while_the_first_waits(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n1", is_ready=False)
    shut_down(controller.kube, "n3")
    name = controller.put_static({A: "n1", B: "n3"}, wanted={A: "n2"})
    controller.start()
    await controller.settle(25)
    controller.put_static({A: "n1", B: "n3"}, wanted={A: "n2", B: "n2"})
    await controller.settle(4)
    assert held(controller, name) == {A}


async def test_a_holder_that_was_replaced_meanwhile_is_judged_anew(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n1", is_ready=False)
    name = controller.put_static({A: "n1", B: "n1"}, wanted={A: "n2"})
    controller.start()
    await controller.settle(30)
    controller.put_static({A: "n4", B: "n1"}, wanted={A: "n2"})
    put_node(controller.kube, "n4", is_ready=False)
    shut_down(controller.kube, "n1")
    await controller.settle(120)
    assert held(controller, name) == {A, B}
