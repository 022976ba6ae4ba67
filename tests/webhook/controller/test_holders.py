"""The leader takes out holders of static addresses whose pods are gone, and nobody else."""

from __future__ import annotations

from typing import Any

import pytest

from planes.kube.resources import IPBLOCKS, PODS
from planes.model.errors import Unavailable
from tests.webhook.controller.reign import Reign

A, B, C = "10.9.0.200", "10.9.0.201", "10.9.0.202"


def pod(reign: Reign, uid: str = "uid-1", node: str = "n1", **metadata: Any) -> None:
    meta = {"name": "db-0", "namespace": "shop", "uid": uid, **metadata}
    reign.kube.put_object(PODS, {"metadata": meta, "spec": {"nodeName": node}})


def held(reign: Reign, name: str) -> set[str]:
    block = reign.kube.object(IPBLOCKS, name)
    assert block is not None
    return set(block["holders"])


def wanted(reign: Reign, name: str) -> dict[str, str]:
    block = reign.kube.object(IPBLOCKS, name)
    assert block is not None
    return dict(block.get("wanted") or {})


async def test_the_holder_of_a_pod_that_is_gone_is_taken_out_within_seconds(reign: Reign) -> None:
    name = reign.put_static({A: "n1", B: "n1"}, wanted={A: "n2"})
    reign.start()
    await reign.settle(3)
    assert held(reign, name) == {B}
    assert wanted(reign, name) == {}


async def test_one_look_is_not_enough(reign: Reign) -> None:
    name = reign.put_static({A: "n1"}, wanted={A: "n2"})
    reign.start()
    await reign.settle(1)
    assert ("get", "pods", "shop", "db-0") in reign.kube.requests
    assert held(reign, name) == {A}


def pod_uid_of(reign: Reign) -> str:
    pod(reign)
    found = reign.kube.object(PODS, "db-0", "shop")
    assert found is not None
    return str(found["metadata"]["uid"])


async def test_nobody_is_taken_out_unasked(reign: Reign) -> None:
    name = reign.put_static({A: "n1", B: "n1"})
    reign.start()
    await reign.settle(30)
    assert held(reign, name) == {A, B}


async def test_a_wish_for_a_living_holder_is_taken_back_and_he_stays(reign: Reign) -> None:
    uid = pod_uid_of(reign)
    name = put_static_of(reign, uid)
    reign.start()
    await reign.settle(5)
    assert held(reign, name) == {A}
    assert wanted(reign, name) == {}


async def test_a_terminating_pod_keeps_its_address(reign: Reign) -> None:
    pod(reign, deletionTimestamp="2030-01-01T00:00:00Z", finalizers=["x/y"])
    found = reign.kube.object(PODS, "db-0", "shop")
    assert found is not None
    name = put_static_of(reign, found["metadata"]["uid"])
    reign.start()
    await reign.settle(5)
    assert held(reign, name) == {A}


async def test_a_holder_that_names_a_pod_of_another_node_is_no_holder(reign: Reign) -> None:
    """A node can write what it likes behind its own name, but a pod runs where it runs."""
    uid = pod_uid_of(reign)
    name = put_static_of(reign, uid, node="n7")
    reign.start()
    await reign.settle(5)
    assert held(reign, name) == set()


async def test_a_static_pod_is_known_by_the_uid_of_its_kubelet(reign: Reign) -> None:
    pod(reign, uid="mirror", annotations={"kubernetes.io/config.mirror": "uid-1"})
    name = reign.put_static({A: "n1"}, wanted={A: "n2"})
    reign.start()
    await reign.settle(5)
    assert held(reign, name) == {A}


async def test_entries_that_cannot_be_read_stay_and_keep_nobody_waiting(reign: Reign) -> None:
    name = reign.put_static({A: "n1"}, wanted={A: "n2", B: "n2", C: "n3", "x": "n4"})
    block = reign.kube.object(IPBLOCKS, name)
    assert block is not None
    spoilt = {**block["holders"], B: "n3|{", "x": "n3|{}"}
    reign.kube.put_object(IPBLOCKS, {**block, "holders": spoilt})
    reign.start()
    await reign.settle(5)
    assert held(reign, name) == {B, "x"}
    assert wanted(reign, name) == {}


async def test_a_pod_that_cannot_be_read_is_not_taken_for_gone(reign: Reign) -> None:
    name = reign.put_static({A: "n1"}, wanted={A: "n2"})
    reign.kube.fail_next(Unavailable("cannot get"), verb="get", resource=PODS, times=3)
    reign.start()
    await reign.settle(2)
    assert held(reign, name) == {A}
    await reign.settle(30)
    assert held(reign, name) == set()


async def test_all_64_holders_of_a_dead_node_are_taken_out(reign: Reign) -> None:
    addresses = [f"10.9.0.{n}" for n in range(192, 256)]
    name = reign.put_static(dict.fromkeys(addresses, "n1"), wanted=dict.fromkeys(addresses, "n2"))
    reign.start()
    await reign.settle(40)
    assert held(reign, name) == set()


@pytest.mark.parametrize("cidr", ["0.0.0.0/0", "10.9.0.0/26"])
async def test_a_block_that_is_none_of_ours_is_left_alone(reign: Reign, cidr: str) -> None:
    name = reign.put_static({A: "n1"}, wanted={A: "n2"})
    block = reign.kube.object(IPBLOCKS, name)
    assert block is not None
    reign.kube.put_object(IPBLOCKS, {**block, "spec": {**block["spec"], "cidr": cidr}})
    reign.start()
    await reign.settle(5)
    assert held(reign, name) == {A}
    assert reign.failures() == 0


def put_static_of(reign: Reign, uid: str, node: str = "n1") -> str:
    name = reign.put_static({A: node}, wanted={A: "n2"})
    block = reign.kube.object(IPBLOCKS, name)
    assert block is not None
    holders = {a: text.replace("uid-1", uid) for a, text in block["holders"].items()}
    reign.kube.put_object(IPBLOCKS, {**block, "holders": holders})
    return name
