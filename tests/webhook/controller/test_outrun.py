"""Nodes write into a block, as often as they like, while the leader releases what is in it."""

from __future__ import annotations

from collections.abc import Callable

from planes.cli.cluster_addresses import release
from planes.kube.resources import IPBLOCKS
from planes.model.errors import JsonObject
from planes.model.state.fencing import GONE_SECONDS
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.nodes import put_node, shut_down
from tests.webhook.controller.running_controller import RunningController
from tests.webhook.controller.test_departed import LATER, blocks
from tests.webhook.controller.test_holders import A, B, held, wanted
from webhook.controller.departed import STEP_SECONDS

WINS = 5


def race(kube: FakeKube, name: str, verb: str, change: Callable[[JsonObject], JsonObject]) -> None:
    """Have a block written just before each request of a kind, but for one in six."""
    turn = 0

    def act() -> None:
        nonlocal turn
        turn += 1
        kube.before_next(act, verb=verb, resource=IPBLOCKS)
        obj = kube.object(IPBLOCKS, name)
        if obj is not None and turn % (WINS + 1):
            kube.put_object(IPBLOCKS, change(obj))

    kube.before_next(act, verb=verb, resource=IPBLOCKS)


def asked(obj: JsonObject) -> JsonObject:
    now = int(obj.get("asked", {}).get("evil", "2026-11-30T09:00:00Z")[11:13])
    return {**obj, "asked": {"evil": f"2026-11-30T{(now + 1) % 24:02}:00:00Z"}}


def held_by_evil(obj: JsonObject) -> JsonObject:
    holders = dict(obj["holders"])
    if "10.9.0.250" in holders:
        del holders["10.9.0.250"]
    else:
        holders["10.9.0.250"] = "evil|{}"
    return {**obj, "holders": holders}


async def test_requests_of_others_keep_no_block_of_a_node_that_left(
    controller: RunningController,
) -> None:
    """Each minute the block was another version than that which was read before."""
    name = controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    race(controller.kube, name, "delete", asked)
    await controller.settle(LATER)
    assert blocks(controller) == set()


async def test_holders_of_others_keep_no_static_address_of_a_node_that_left(
    controller: RunningController,
) -> None:
    put_node(controller.kube, "n2")
    name = controller.put_static({A: "n1", B: "n2"})
    controller.start()
    race(controller.kube, name, "update", held_by_evil)
    await controller.settle(LATER)
    assert held(controller, name) - {"10.9.0.250"} == {B}


async def test_holders_of_others_keep_no_address_of_a_node_out_of_service(
    controller: RunningController,
) -> None:
    """The leader reads pods and nodes between its read of the block and its write."""
    shut_down(controller.kube, "n1")
    name = controller.put_static({A: "n1", B: "n1"}, wanted={A: "n2"})
    controller.start()
    race(controller.kube, name, "update", held_by_evil)
    await controller.settle(3)
    assert held(controller, name) - {"10.9.0.250"} == {B}
    assert wanted(controller, name) == {}


async def test_a_daemon_that_comes_back_between_keeps_its_block(
    controller: RunningController,
) -> None:
    """The control: it writes its start."""
    name = controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    race(controller.kube, name, "delete", lambda obj: {**obj, "instance": "start-2"})
    await controller.settle(GONE_SECONDS + STEP_SECONDS)
    assert blocks(controller) == {"10.9.0.0/26"}


async def test_a_holder_that_its_node_writes_anew_between_stays(
    controller: RunningController,
) -> None:
    """The control: a pod was attached again."""
    shut_down(controller.kube, "n1")
    name = controller.put_static({A: "n1"}, wanted={A: "n2"})

    def again(obj: JsonObject) -> JsonObject:
        text = obj["holders"][A].replace('"since":0', '"since":7')
        return {**obj, "holders": {A: text}}

    controller.start()
    race(controller.kube, name, "update", again)
    await controller.settle(2.5)
    assert held(controller, name) == {A}


async def test_an_administrator_releases_a_block_that_others_ask_for(
    controller: RunningController,
) -> None:
    """A full plane is why he does it, and then each node asks every half minute."""
    kube = controller.kube
    name = controller.put_block("10.9.0.0/26", node="n1")
    race(kube, name, "delete", asked)
    told: list[str] = []
    await release(kube, controller.clock, "n1", is_dry_run=False, told=told.append)
    assert (blocks(controller), told) == (set(), [])
