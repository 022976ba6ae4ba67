"""A node that comes back under its name while it is released keeps what its daemon has used."""

from __future__ import annotations

import asyncio
from typing import Any

from planes.kube.resources import IPBLOCKS, NODES, PODS
from planes.model.state.fencing import GONE_SECONDS
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.nodes import delete_node, node_object, put_node
from tests.webhook.controller.running_controller import RunningController
from tests.webhook.controller.test_departed import LATER, blocks
from tests.webhook.controller.test_holders import A, B, held


class Slow(FakeKube):
    """Answers a deletion after watches have shown what was written before it."""

    async def delete(self, *args: Any, **more: Any) -> None:
        await super().delete(*args, **more)
        for _ in range(20):
            await asyncio.sleep(0)


async def test_a_node_that_comes_back_between_two_looks_keeps_its_blocks(
    controller: RunningController,
) -> None:
    controller.put_block("10.9.0.0/26", node="n1")
    controller.start()
    await controller.settle(GONE_SECONDS - 5)
    put_node(controller.kube, "n1")
    await controller.settle(200)
    delete_node(controller.kube, "n1")
    await controller.settle(GONE_SECONDS - 5)
    assert blocks(controller) == {"10.9.0.0/26"}
    await controller.settle(20)
    assert blocks(controller) == set()


async def test_a_node_that_comes_back_during_the_release_keeps_the_rest(
    controller: RunningController,
) -> None:
    """It is added just before the second block is deleted, and its daemon writes to its blocks."""
    names = [controller.put_block(f"10.9.0.{at}/26", node="n1") for at in (0, 64, 128)]

    def come_back() -> None:
        controller.kube.put_object(NODES, node_object("n1"))
        for name in names:
            if (obj := controller.kube.object(IPBLOCKS, name)) is not None:
                controller.kube.put_object(IPBLOCKS, {**obj, "instance": "new"})

    controller.start()
    await controller.settle(10)
    controller.kube.before_next(lambda: None, verb="delete", resource=IPBLOCKS)
    controller.kube.before_next(come_back, verb="delete", resource=IPBLOCKS)
    await controller.settle(400)
    left = [obj for obj in controller.kube.objects(IPBLOCKS) if obj["spec"]["use"] == "Node"]
    assert left
    assert all(obj["instance"] == "new" for obj in left)


async def test_a_node_that_comes_back_during_the_release_keeps_the_rest_before_its_daemon_starts(
    controller: RunningController,
) -> None:
    """Its blocks are not written yet, so their versions are still those that were read."""
    controller.kube = Slow(clock=controller.clock)
    for at in (0, 64, 128):
        controller.put_block(f"10.9.0.{at}/26", node="n1")
    controller.start()
    await controller.settle(10)
    controller.kube.before_next(
        lambda: put_node(controller.kube, "n1"), verb="delete", resource=IPBLOCKS
    )
    await controller.settle(400)
    assert len(blocks(controller)) == 2


async def test_a_block_that_was_written_since_is_not_deleted(
    controller: RunningController,
) -> None:
    name = controller.put_block("10.9.0.0/26", node="n1")
    obj = controller.kube.object(IPBLOCKS, name)
    assert obj is not None
    controller.start()
    await controller.settle(10)
    newer = {**obj, "instance": "new"}

    def write() -> None:
        controller.kube.put_object(IPBLOCKS, newer)

    controller.kube.before_next(write, verb="delete", resource=IPBLOCKS)
    await controller.settle(LATER)
    assert blocks(controller) == {"10.9.0.0/26"}


async def test_what_was_written_after_the_last_look_is_not_released(
    controller: RunningController,
) -> None:
    """The watch of Nodes lags behind, and that of blocks shows what the new daemon has written."""
    name = controller.put_block("10.9.0.0/26", node="n1")
    static = controller.put_static({A: "n1"})
    controller.start()
    await controller.settle(10)

    def write() -> None:
        obj = controller.kube.object(IPBLOCKS, name)
        assert obj is not None
        controller.kube.put_object(IPBLOCKS, {**obj, "instance": "new"})
        controller.put_static({A: "n1", B: "n1"})

    controller.kube.before_next(write, verb="list", resource=PODS)
    await controller.settle(LATER)
    assert blocks(controller) == {"10.9.0.0/26"}
    assert held(controller, static) == {A, B}
