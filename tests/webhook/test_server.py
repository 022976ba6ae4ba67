"""The listener: bounds on connections, certificates under load, and a drain that loses nothing."""

from __future__ import annotations

import asyncio
import threading

import pytest

from planes.model.errors import Unavailable
from planes.store.protocol import Store
from tests.support.certificates import current, make_root, make_serving, trusting
from tests.support.store import FakeStore
from tests.support.webhook.admission import hooked, pod_object, review_object
from webhook.limits import AdmissionLimits
from webhook.review import Allowed, Answer, Review

REVIEW = review_object(pod_object())
PATH = "/mutate/pods"


def allow(_: Review, __: Store) -> Answer:
    return Allowed()


async def test_readiness_follows_the_store() -> None:
    store = FakeStore(is_synced=False)
    async with hooked(store) as hook:
        reply = await hook.ask("/readyz", method="GET")
        assert (reply.status, reply.body) == (
            503,
            b"not ready: planes and namespaces have not been read yet\n",
        )
        store.is_synced = True
        assert (await hook.ask("/readyz", method="GET")).status == 200
        assert hook.metric("ready") == 1


async def test_the_metric_of_readiness_is_computed_at_each_scrape() -> None:
    """It was 0 until somebody probed, and what the last probe was told from then on."""
    store = FakeStore(is_synced=True)
    async with hooked(store) as hook:
        assert hook.metric("ready") == 1
        store.is_synced = False
        assert hook.metric("ready") == 0
        store.is_synced = True
        assert hook.metric("ready") == 1
        hook.app.drain()
        assert hook.metric("ready") == 0


async def test_a_port_in_use_is_told_in_one_line() -> None:
    async with hooked(FakeStore()) as first:
        with pytest.raises(Unavailable, match=r"cannot listen on 127\.0\.0\.1:\d+: .*in use"):
            async with hooked(FakeStore(), port=first.server.port):
                pass


async def test_a_connection_over_the_limit_takes_the_place_of_the_one_idle_longest() -> None:
    async with hooked(
        FakeStore(), limits=AdmissionLimits(connections=2), handlers={PATH: allow}
    ) as hook:
        peers = [await hook.connect() for _ in range(2)]
        for peer in peers:
            assert (await peer.ask(PATH, REVIEW)).status == 200
        assert (await hook.ask(PATH, REVIEW)).status == 200
        assert hook.metric("refusals_total", reason="connections") == 1
        assert await peers[0].is_closed()
        assert (await peers[1].ask(PATH, REVIEW)).status == 200


async def test_a_connection_that_never_asks_is_closed() -> None:
    async with hooked(FakeStore(), limits=AdmissionLimits(silent_seconds=0.05)) as hook:
        peer = await hook.connect()
        assert await peer.is_closed()
        assert hook.metric("refusals_total", reason="silent") == 1


async def test_a_connection_that_asked_once_is_kept() -> None:
    limits = AdmissionLimits(silent_seconds=0.05)
    async with hooked(FakeStore(), limits=limits, handlers={PATH: allow}) as hook:
        peer = await hook.connect()
        await peer.ask(PATH, REVIEW)
        await asyncio.sleep(0.15)
        assert (await peer.ask(PATH, REVIEW)).status == 200


async def test_an_idle_connection_is_closed_at_last() -> None:
    limits = AdmissionLimits(idle_seconds=0.05)
    async with hooked(FakeStore(), limits=limits, handlers={PATH: allow}) as hook:
        peer = await hook.connect()
        await peer.ask(PATH, REVIEW)
        assert await peer.is_closed()


async def test_draining_answers_what_is_in_work_and_takes_nothing_new() -> None:
    """A review is held in its judge (in a thread, as large ones are) while the end comes."""
    started, finish = threading.Event(), threading.Event()

    def slow(_: Review, __: Store) -> Answer:
        started.set()
        finish.wait(5)
        return Allowed(audit={"decision": "late but answered"})

    async with hooked(
        FakeStore(), limits=AdmissionLimits(large_bytes=0), handlers={PATH: slow}
    ) as hook:
        peer, idle = await hook.connect(), await hook.connect()
        asking = asyncio.create_task(peer.ask(PATH, REVIEW))
        await asyncio.to_thread(started.wait, 5)
        draining = asyncio.create_task(hook.server.drain())
        assert await idle.is_closed()
        assert hook.app.unready() == ["it is shutting down"]
        with pytest.raises(OSError, match=r"[Cc]onnect"):
            await hook.connect()
        assert not draining.done()
        finish.set()
        reply = await asking
        assert reply.response["auditAnnotations"] == {"decision": "late but answered"}
        assert reply.headers["connection"] == "close"
        await draining
        assert await peer.is_closed()


async def test_during_the_grace_new_reviews_are_answered_but_readiness_is_gone() -> None:
    async with hooked(FakeStore(), handlers={PATH: allow}, grace_seconds=0.3) as hook:
        kept = await hook.connect()
        assert (await kept.ask(PATH, REVIEW)).status == 200
        draining = asyncio.create_task(hook.server.drain())
        await asyncio.sleep(0.02)
        assert (await hook.ask("/readyz", method="GET")).status == 503
        assert (await hook.ask(PATH, REVIEW)).status == 200
        assert (await kept.ask(PATH, REVIEW)).headers["connection"] == "close"
        await draining


async def test_run_drains_when_cancelled() -> None:
    async with hooked(FakeStore()) as hook:
        running = asyncio.create_task(hook.server.run())
        await asyncio.sleep(0.01)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        assert hook.app.unready() == ["it is shutting down"]


async def test_a_hundred_certificates_change_under_reviews_without_a_failure() -> None:
    """New connections, kept ones, and two roots in turn; clients trust both (overlap)."""
    old, new = make_root(current(), 1), make_root(current(), 2)
    pairs = [make_serving(root, current(), 10 + n) for n, root in enumerate([old, new] * 2)]
    stop = asyncio.Event()
    async with hooked(FakeStore(), handlers={PATH: allow}) as hook:
        hook.client = trusting(old, new)
        hook.context.swap(pairs[0])

        async def dial() -> int:
            count = 0
            while not stop.is_set():
                peer = await hook.connect()
                assert (await peer.ask(PATH, REVIEW)).status == 200
                await peer.close()
                count += 1
            return count

        async def keep() -> int:
            peer, count = await hook.connect(), 0
            while not stop.is_set():
                assert (await peer.ask(PATH, REVIEW)).status == 200
                count += 1
            return count

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work()) for work in (dial, dial, dial, keep, keep)]
            for swap in range(1, 101):
                hook.context.swap(pairs[swap % 4])
                await asyncio.sleep(0.005)
            stop.set()
        assert all(task.result() > 10 for task in tasks)
