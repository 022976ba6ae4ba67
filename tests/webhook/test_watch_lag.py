"""Reviews that are ahead of the watch wait for it, for a bounded time."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson

from planes.model.names import JOINED_LABEL
from planes.model.objects import Namespace
from tests.support.clock import FakeClock
from tests.support.store import FakeStore
from tests.support.webhook.admission import pod_object, review_object
from webhook.review import Review, parse
from webhook.watch_lag import WatchLag

MARKED = Namespace("shop", {JOINED_LABEL: "true"})


def review(**more: Any) -> Review:
    return parse(orjson.dumps(review_object(pod_object(), **more)))


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_a_marked_namespace_keeps_nobody_waiting() -> None:
    assert not WatchLag(FakeStore(namespaces=[MARKED]), FakeClock()).is_behind(review())


def test_an_unknown_or_unmarked_namespace_is_waited_for() -> None:
    for known in ([], [Namespace("shop")]):
        assert WatchLag(FakeStore(namespaces=known), FakeClock()).is_behind(review())


def test_nothing_but_new_pods_waits_and_nothing_before_the_store_is_read() -> None:
    patience = WatchLag(FakeStore(), FakeClock())
    assert not patience.is_behind(review(operation="UPDATE"))
    assert not patience.is_behind(review(resource={"group": "", "resource": "namespaces"}))
    assert not WatchLag(FakeStore(is_synced=False), FakeClock()).is_behind(review())


async def test_the_wait_ends_when_the_watch_has_told() -> None:
    store, clock = FakeStore(), FakeClock()
    task = asyncio.ensure_future(WatchLag(store, clock).wait(review()))
    await settle()
    assert not task.done()
    store.put_namespace(MARKED)
    clock.advance(0.01)
    await settle()
    assert task.done()


async def test_a_wait_in_vain_ends_and_is_not_repeated_until_the_namespace_changes() -> None:
    store, clock = FakeStore(namespaces=[Namespace("shop")]), FakeClock()
    patience = WatchLag(store, clock)
    task = asyncio.ensure_future(patience.wait(review()))
    for _ in range(200):
        clock.advance(0.01)
        await settle()
    assert task.done()
    assert not patience.is_behind(review())
    store.put_namespace(Namespace("shop"))
    assert patience.is_behind(review())


async def test_of_too_many_that_wait_the_first_is_answered_at_once() -> None:
    """So reviews of namespaces that somebody invented hold no connection for the whole second."""
    patience = WatchLag(FakeStore(), clock := FakeClock())
    tasks = [
        asyncio.ensure_future(patience.wait(review(namespace=f"invented-{number}")))
        for number in range(65)
    ]
    await settle()
    clock.advance(0.01)
    await settle()
    assert [task.done() for task in tasks] == [True] + [False] * 64
    clock.advance(1.0)
    await asyncio.gather(*tasks)
