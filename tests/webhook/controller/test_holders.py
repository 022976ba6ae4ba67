"""The leader removes holders whose pods are gone and run nowhere any more, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from planes.kube.resources import IPBLOCKS, PODS
from planes.model.errors import Unavailable
from tests.support.kube.nodes import put_node, shut_down
from tests.webhook.controller.running_controller import RunningController

A, B, C = "10.9.0.200", "10.9.0.201", "10.9.0.202"


def pod(
    controller: RunningController, uid: str = "uid-1", node: str = "n1", **metadata: Any
) -> None:
    meta = {"name": "db-0", "namespace": "shop", "uid": uid, **metadata}
    controller.kube.put_object(PODS, {"metadata": meta, "spec": {"nodeName": node}})


def held(controller: RunningController, name: str) -> set[str]:
    block = controller.kube.object(IPBLOCKS, name)
    assert block is not None
    return set(block["holders"])


def wanted(controller: RunningController, name: str) -> dict[str, str]:
    block = controller.kube.object(IPBLOCKS, name)
    assert block is not None
    return dict(block.get("wanted") or {})


async def test_the_holder_of_a_pod_on_a_node_out_of_service_is_taken_out_within_seconds(
    controller: RunningController,
) -> None:
    shut_down(controller.kube, "n1")
    name = controller.put_static({A: "n1", B: "n1"}, wanted={A: "n2"})
    controller.start()
    await controller.settle(3)
    assert held(controller, name) == {B}
    assert wanted(controller, name) == {}


async def test_one_look_is_not_enough(controller: RunningController) -> None:
    shut_down(controller.kube, "n1")
    name = controller.put_static({A: "n1"}, wanted={A: "n2"})
    controller.start()
    await controller.settle(1)
    assert ("get", "pods", "shop", "db-0") in controller.kube.requests
    assert held(controller, name) == {A}


def pod_uid_of(controller: RunningController) -> str:
    pod(controller)
    found = controller.kube.object(PODS, "db-0", "shop")
    assert found is not None
    return str(found["metadata"]["uid"])


async def test_nobody_is_taken_out_unasked(controller: RunningController) -> None:
    put_node(controller.kube, "n1")
    name = controller.put_static({A: "n1", B: "n1"})
    controller.start()
    await controller.settle(30)
    assert held(controller, name) == {A, B}


async def test_a_wish_for_a_living_holder_is_taken_back_and_he_stays(
    controller: RunningController,
) -> None:
    uid = pod_uid_of(controller)
    name = put_static_of(controller, uid)
    controller.start()
    await controller.settle(5)
    assert held(controller, name) == {A}
    assert wanted(controller, name) == {}


async def test_a_terminating_pod_keeps_its_address(controller: RunningController) -> None:
    pod(controller, deletionTimestamp="2030-01-01T00:00:00Z", finalizers=["x/y"])
    found = controller.kube.object(PODS, "db-0", "shop")
    assert found is not None
    name = put_static_of(controller, found["metadata"]["uid"])
    controller.start()
    await controller.settle(5)
    assert held(controller, name) == {A}


async def test_a_holder_that_names_a_pod_of_another_node_is_no_holder(
    controller: RunningController,
) -> None:
    """A node can write what it likes behind its own name, but a pod runs where it runs."""
    uid = pod_uid_of(controller)
    name = put_static_of(controller, uid, node="n7")
    controller.start()
    await controller.settle(5)
    assert held(controller, name) == set()


async def test_a_static_pod_is_known_by_the_uid_of_its_kubelet(
    controller: RunningController,
) -> None:
    pod(controller, uid="mirror", annotations={"kubernetes.io/config.mirror": "uid-1"})
    name = controller.put_static({A: "n1"}, wanted={A: "n2"})
    controller.start()
    await controller.settle(5)
    assert held(controller, name) == {A}


async def test_a_pod_of_another_node_with_the_uid_in_its_annotation_proves_nothing(
    controller: RunningController,
) -> None:
    """Whoever may create pods writes annotations, and the name of a pod that is gone is free.

    The address was released at once, as an entry that was never true, while the node was cut off
    and went on running the pod: its tenant, or a kubelet, gave it to another.
    """
    put_node(controller.kube, "n1", is_ready=False)
    name = controller.put_static({A: "n1"}, wanted={A: "n2"})
    pod(controller, node="n9", annotations={"kubernetes.io/config.mirror": "uid-1"})
    controller.start()
    await controller.settle(300)
    assert held(controller, name) == {A}


async def test_entries_that_cannot_be_read_stay_and_keep_nobody_waiting(
    controller: RunningController,
) -> None:
    shut_down(controller.kube, "n1")
    name = controller.put_static({A: "n1"}, wanted={A: "n2", B: "n2", C: "n3", "x": "n4"})
    block = controller.kube.object(IPBLOCKS, name)
    assert block is not None
    spoilt = {**block["holders"], B: "n3|{", "x": "n3|{}"}
    controller.kube.put_object(IPBLOCKS, {**block, "holders": spoilt})
    controller.start()
    await controller.settle(5)
    assert held(controller, name) == {B, "x"}
    assert wanted(controller, name) == {}


async def test_a_pod_that_cannot_be_read_is_not_taken_for_gone(
    controller: RunningController,
) -> None:
    shut_down(controller.kube, "n1")
    name = controller.put_static({A: "n1"}, wanted={A: "n2"})
    controller.kube.fail_next(Unavailable("cannot get"), verb="get", resource=PODS, times=3)
    controller.start()
    await controller.settle(2)
    assert held(controller, name) == {A}
    await controller.settle(30)
    assert held(controller, name) == set()


async def test_all_64_holders_of_a_deleted_node_are_removed(controller: RunningController) -> None:
    shut_down(controller.kube, "n1")
    addresses = [f"10.9.0.{n}" for n in range(192, 256)]
    name = controller.put_static(
        dict.fromkeys(addresses, "n1"), wanted=dict.fromkeys(addresses, "n2")
    )
    controller.start()
    await controller.settle(40)
    assert held(controller, name) == set()


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "10.9.0.0/26"])
async def test_a_block_that_is_none_of_ours_is_left_alone(
    controller: RunningController, cidr: str
) -> None:
    name = controller.put_static({A: "n1"}, wanted={A: "n2"})
    block = controller.kube.object(IPBLOCKS, name)
    assert block is not None
    controller.kube.put_object(IPBLOCKS, {**block, "spec": {**block["spec"], "cidr": cidr}})
    controller.start()
    await controller.settle(5)
    assert held(controller, name) == {A}
    assert controller.failures() == 0


def put_static_of(controller: RunningController, uid: str, node: str = "n1") -> str:
    name = controller.put_static({A: node}, wanted={A: "n2"})
    block = controller.kube.object(IPBLOCKS, name)
    assert block is not None
    holders = {a: text.replace("uid-1", uid) for a, text in block["holders"].items()}
    controller.kube.put_object(IPBLOCKS, {**block, "holders": holders})
    return name
