"""What is remembered of nodes: nothing from before they were added."""

from __future__ import annotations

import asyncio
from typing import Any

from planes.kube.resources import NODES
from planes.model.errors import JsonObject
from planes.model.state.fencing import GONE_SECONDS
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube
from tests.support.kube.nodes import put_node
from webhook.controller.node_looks import NodeLooks


class SlowKube(FakeKube):
    """Answers the first read of a Node with what it was when it was asked, once that is due."""

    def __init__(self) -> None:
        super().__init__()
        self.is_asked = asyncio.Event()
        self.is_due = asyncio.Event()

    async def get(self, resource: Any, name: str, **place: Any) -> JsonObject:
        """Return an object; see FakeKube."""
        if resource is not NODES or self.is_due.is_set():
            return await super().get(resource, name, **place)
        try:
            return await super().get(resource, name, **place)
        finally:
            self.is_asked.set()
            await self.is_due.wait()


async def test_a_look_that_began_before_a_node_was_added_says_nothing_of_it() -> None:
    """Its late answer made a node that vanished for a moment, long after, count as gone."""
    kube, clock = SlowKube(), FakeClock()
    looks = NodeLooks(kube, clock)
    look = asyncio.ensure_future(looks.look("n1"))
    await kube.is_asked.wait()
    put_node(kube, "n1")
    looks.forget("n1")
    kube.is_due.set()
    assert (await look).fence() is None
    assert looks.known("n1") is None
    kube.remove_object(NODES, "n1")
    clock.advance(3 * GONE_SECONDS)
    assert (await looks.look("n1", is_fresh=True)).fence() is None
