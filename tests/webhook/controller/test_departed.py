"""The leader releases what a node has that left the cluster, and nothing of one that may run."""

from __future__ import annotations

from collections import Counter

import pytest

from planes.kube.addresses.node_look import NODE_LEASES
from planes.kube.resources import IPBLOCKS, LEASES, NODES, PODS
from planes.model.errors import Conflict, JsonObject, Unavailable
from planes.model.state.fencing import GONE_SECONDS, SILENT_SECONDS
from tests.support.kube.nodes import delete_node, put_node, renew, shut_down
from tests.webhook.controller.running_controller import RunningController
from tests.webhook.controller.test_fencing import live
from tests.webhook.controller.test_holders import A, B, C, held, wanted
from webhook.controller.departed import STEP_SECONDS

LATER = GONE_SECONDS + 2 * STEP_SECONDS


def blocks(controller: RunningController) -> set[str]:
    return {obj["spec"]["cidr"] for obj in controller.kube.objects(IPBLOCKS)} - {"10.9.0.192/26"}


async def test_the_blocks_of_a_deleted_node_are_released_within_a_minute(
    controller: RunningController,
) -> None:
    for node in ("n1", "n2"):
        put_node(controller.kube, node)
    controller.put_block("10.9.0.0/26", node="n1")
    controller.put_block("10.9.0.64/26", node="n2")
    controller.start()
    await controller.settle(100)
    delete_node(controller.kube, "n1")
    await controller.settle(GONE_SECONDS)
    assert blocks(controller) == {"10.9.0.0/26", "10.9.0.64/26"}
    await controller.settle(2 * STEP_SECONDS)
    assert blocks(controller) == {"10.9.0.64/26"}


async def test_a_node_that_leaves_costs_three_requests_a_block(
    controller: RunningController,
) -> None:
    """Two blocks of nodes, one with static addresses; what the watches cost comes once a term."""
    put_node(controller.kube, "n2")
    controller.start()
    await controller.settle(10)
    controller.kube.requests.clear()
    for cidr in ("10.9.0.0/26", "10.9.0.64/26"):
        controller.put_block(cidr, node="n1")
    name = controller.put_static({A: "n1", B: "n2"})
    await controller.settle(LATER + 60)
    assert blocks(controller) == set()
    assert held(controller, name) == {B}
    asked = Counter(
        (verb, what) for verb, what, _, _ in controller.kube.requests if what != "events"
    )
    assert asked.total() <= 3 * 3
    assert asked == {
        ("get", "nodes"): 2,
        ("get", "leases"): 2,
        ("list", "pods"): 1,
        ("get", "ipblocks"): 1,
        ("update", "ipblocks"): 1,
        ("delete", "ipblocks"): 2,
    }


async def test_many_blocks_of_a_node_cost_one_request_each(controller: RunningController) -> None:
    controller.start()
    await controller.settle(10)
    controller.kube.requests.clear()
    for number in range(64):
        controller.put_block(f"10.9.{number}.0/26", node="n1")
    await controller.settle(LATER)
    assert blocks(controller) == set()
    assert len(controller.kube.requests) <= 64 + 5


async def test_a_node_that_is_only_cut_off_keeps_all_it_has(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n1", is_ready=False)
    shut_down(controller.kube, "n2")
    controller.put_block("10.9.0.0/26", node="n1")
    controller.put_block("10.9.0.64/26", node="n2")
    name = controller.put_static({A: "n1"})
    controller.start()
    await controller.settle(2000)
    assert blocks(controller) == {"10.9.0.0/26", "10.9.0.64/26"}
    assert held(controller, name) == {A}


async def test_a_node_whose_kubelet_runs_on_keeps_its_blocks(
    controller: RunningController,
) -> None:
    """Somebody deleted its Node object too early, and the Lease is renewed all the same."""
    controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    await live(controller, "n1", 400)
    await controller.settle(SILENT_SECONDS - 20)
    assert blocks(controller) == {"10.9.0.0/26"}
    await controller.settle(SILENT_SECONDS)
    assert blocks(controller) == set()


def pod_on(node: str, **status: str) -> JsonObject:
    """Return a pod that is bound to a node."""
    meta = {"name": "web", "namespace": "shop"}
    return {"metadata": meta, "spec": {"nodeName": node}, "status": status}


async def test_a_pod_that_runs_on_the_node_keeps_its_blocks(
    controller: RunningController,
) -> None:
    """Kubernetes has the pods of such a node end, and deletes them; one with a finalizer stays."""
    controller.kube.put_object(PODS, pod_on("n1", phase="Running", podIP="10.244.1.2"))
    controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    await controller.settle(400)
    assert blocks(controller) == {"10.9.0.0/26"}
    controller.kube.put_object(PODS, pod_on("n1", phase="Failed", podIP="10.244.1.2"))
    await controller.settle(LATER)
    assert blocks(controller) == set()


async def test_a_pod_that_the_node_never_started_keeps_nothing(
    controller: RunningController,
) -> None:
    """Whoever may create pods may write any `spec.nodeName` into them, also in a Deployment."""
    controller.put_block("10.9.0.0/26", node="n1")
    name = controller.put_static({A: "n1"})
    controller.start()
    controller.kube.put_object(PODS, pod_on("n1", phase="Pending"))
    await controller.settle(LATER)
    assert blocks(controller) == set()
    assert held(controller, name) == set()


async def test_a_node_whose_pods_kubernetes_deletes_late_is_released_seconds_after_that(
    controller: RunningController,
) -> None:
    """Its garbage collector takes 40 to 60 seconds, and looks every 20 seconds."""
    controller.kube.put_object(PODS, pod_on("n1", phase="Running", podIP="10.244.1.2"))
    controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    await controller.settle(60)
    assert blocks(controller) == {"10.9.0.0/26"}
    controller.kube.remove_object(PODS, "web", "shop")
    await controller.settle(20)
    assert blocks(controller) == set()


async def test_a_lease_that_kubernetes_deletes_a_moment_late_costs_seconds(
    controller: RunningController,
) -> None:
    """It was found once without its Node, and then not looked for until five minutes had passed."""
    renew(controller.kube, "n1", controller.clock.now())
    controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    await controller.settle(STEP_SECONDS + 1)
    controller.kube.remove_object(LEASES, "n1", NODE_LEASES)
    await controller.settle(LATER + STEP_SECONDS)
    assert blocks(controller) == set()


async def test_of_many_nodes_that_vanish_at_once_one_is_released_in_five_seconds(
    controller: RunningController,
) -> None:
    """Time to stop the webhook, where somebody deleted the Node objects of nodes that run."""
    for number in range(40):
        controller.put_block(f"10.9.{number}.0/26", node=f"n{number}")
    controller.start()
    await controller.settle(GONE_SECONDS + 60)
    assert 20 <= len(blocks(controller)) < 40
    await controller.settle(40 * STEP_SECONDS)
    assert blocks(controller) == set()


async def test_a_new_leader_counts_the_time_anew(controller: RunningController) -> None:
    controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    await controller.settle(GONE_SECONDS - 5)
    await controller.stop()
    controller.start()
    await controller.settle(GONE_SECONDS - 5)
    assert blocks(controller) == {"10.9.0.0/26"}
    await controller.settle(20)
    assert blocks(controller) == set()


async def test_a_clock_that_is_set_changes_nothing(controller: RunningController) -> None:
    """Durations are measured; times of day are neither read nor compared."""
    controller.put_block("10.9.0.0/26", node="n1")
    renew(controller.kube, "n1", controller.clock.now() - 10_000)
    controller.start()
    await controller.settle(30)
    controller.clock.set_wall(controller.clock.now() + 1e8)
    await controller.settle(SILENT_SECONDS - 60)
    assert blocks(controller) == {"10.9.0.0/26"}
    await controller.settle(60)
    assert blocks(controller) == set()


async def test_all_nodes_of_a_large_cluster_that_vanish_are_looked_at_twice(
    controller: RunningController,
) -> None:
    """Nobody is forgotten before the second look, and no node is looked at more often."""
    for number in range(3000):
        cidr = f"10.{number // 250}.{number % 250}.0/26"
        controller.put_block(cidr, node=f"n{number}")
    controller.start()
    await controller.settle(600)
    looks = [each for each in controller.kube.requests if each[:2] == ("get", "nodes")]
    released = 3000 - len(blocks(controller))
    assert released > 20
    assert len(looks) <= 2 * 3000


@pytest.mark.parametrize("verb", ["get", "list", "delete"])
async def test_what_fails_is_tried_again(controller: RunningController, verb: str) -> None:
    controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    await controller.settle(10)
    resource = {"get": NODES, "list": PODS, "delete": IPBLOCKS}[verb]
    controller.kube.fail_next(Unavailable("cannot ask"), verb=verb, resource=resource, times=3)
    controller.kube.fail_next(Conflict("cannot write"), verb="delete", resource=IPBLOCKS)
    await controller.settle(10 * GONE_SECONDS)
    assert blocks(controller) == set()


async def test_nothing_is_released_while_the_nodes_are_not_listed(
    controller: RunningController,
) -> None:
    """An API server without the right to watch Nodes shows none of them."""
    put_node(controller.kube, "n1")
    controller.put_block("10.9.0.0/26", node="n1")
    controller.kube.fail_next(Unavailable("cannot list"), verb="list", resource=NODES, times=99)
    controller.start()
    await controller.settle(300)
    assert blocks(controller) == {"10.9.0.0/26"}


async def test_static_addresses_of_a_departed_node_are_released_readable_or_not(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n2")
    name = controller.put_static({A: "n1", B: "n2"}, wanted={A: "n2", B: "n1"})
    obj = controller.kube.object(IPBLOCKS, name)
    assert obj is not None
    controller.kube.put_object(IPBLOCKS, {**obj, "holders": {**obj["holders"], C: "n1|{"}})
    controller.start()
    await controller.settle(LATER + 10)
    assert held(controller, name) == {B}
    assert wanted(controller, name) == {}


async def test_a_name_that_is_no_node_is_never_asked_for(controller: RunningController) -> None:
    """Who writes an entry by hand chooses its first word, which becomes the path of a request."""
    name = controller.put_static({A: "n1"})
    obj = controller.kube.object(IPBLOCKS, name)
    assert obj is not None
    controller.kube.put_object(IPBLOCKS, {**obj, "holders": {A: "a..b|{}", B: "../n1|{}"}})
    controller.start()
    await controller.settle(100)
    assert not [each for each in controller.kube.requests if each[:2] == ("get", "nodes")]


async def test_a_node_of_renewed_lease_that_was_deleted_and_added_is_left_alone(
    controller: RunningController,
) -> None:
    """The control: nodes that are there are never looked at."""
    put_node(controller.kube, "n1")
    renew(controller.kube, "n1", controller.clock.now())
    controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    await controller.settle(600)
    assert not [each for each in controller.kube.requests if each[:2] == ("get", "nodes")]
