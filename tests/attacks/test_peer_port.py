"""Peers without a certificate fill admission's port: proper requests are still answered."""

from __future__ import annotations

import asyncio
import contextlib
import threading

import orjson
import pytest

from planes.store.protocol import Store
from tests.attacks.peers.attacks import Target
from tests.support.store import FakeStore
from tests.support.webhook.admission import HOST, Hook, Peer, hooked, pod_object, review_object
from webhook.limits import AdmissionLimits
from webhook.review import Allowed, Answer, Review

PATH = "/mutate/pods"
REVIEW = review_object(pod_object())
FEW = AdmissionLimits(connections=8, waiting=20, unfinished=4)
HEAD = (
    "POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    "Content-Length: {}\r\n\r\n"
)


def allow(_: Review, __: Store) -> Answer:
    return Allowed()


HANDLERS = {PATH: allow}


async def plain(hook: Hook, data: bytes = b"") -> Peer:
    """Connect without a handshake."""
    peer = Peer(*await asyncio.open_connection(HOST, hook.server.port))
    hook.peers.append(peer)
    peer.writer.write(data)
    return peer


async def is_answered(hook: Hook) -> bool:
    async with asyncio.timeout(20):
        return (await hook.ask(PATH, REVIEW)).status == 200


async def test_peer_with_silent_connections_gets_no_tls() -> None:
    async with hooked(FakeStore(), limits=FEW, handlers=HANDLERS) as hook:
        for _ in range(100):
            await plain(hook)
        assert hook.metric("connections") == 0
        assert await is_answered(hook)
        assert hook.metric("refusals_total", reason="waiting") >= 80


async def test_peer_that_ends_inside_its_hello_is_closed_after_a_while() -> None:
    limits = AdmissionLimits(hello_seconds=0.1)
    async with hooked(FakeStore(), limits=limits, handlers=HANDLERS) as hook:
        hello = Target(hook.server.port, hook.client).hello()
        peer = await plain(hook, hello[:3])
        other = await plain(hook, hello[:100])
        assert await peer.is_closed()
        assert await other.is_closed()
        assert hook.metric("refusals_total", reason="silent") == 2
        assert hook.metric("connections") == 0


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\xff\xff" + b"x" * 99, b"\x15\x03\x01\x00\x02\x00"],
)
async def test_peer_that_speaks_no_tls_is_closed_at_once(data: bytes) -> None:
    async with hooked(FakeStore(), handlers=HANDLERS) as hook:
        assert await (await plain(hook, data)).is_closed()
        assert hook.metric("refusals_total", reason="hello") == 1


async def test_peer_whose_hello_comes_in_pieces_is_answered() -> None:
    """What a slow network does is no attack."""
    async with hooked(FakeStore(), handlers=HANDLERS) as hook:
        hello = Target(hook.server.port, hook.client).hello()
        peer = await plain(hook)
        for start in range(0, len(hello), 100):
            peer.writer.write(hello[start : start + 100])
            await asyncio.sleep(0.01)
        assert not await asyncio.wait_for(peer.is_closed(), 20)  # the server's part of it came


async def test_peer_that_stops_inside_the_handshake_locks_nobody_out() -> None:
    async with hooked(FakeStore(), limits=FEW, handlers=HANDLERS) as hook:
        hello = Target(hook.server.port, hook.client).hello()
        for _ in range(30):
            await plain(hook, hello)
        await asyncio.sleep(0.1)
        assert hook.metric("connections") <= FEW.connections
        assert await is_answered(hook)


async def test_peer_with_idle_connections_loses_the_one_that_is_idle_longest() -> None:
    async with hooked(FakeStore(), limits=FEW, handlers=HANDLERS) as hook:
        peers = []
        for _ in range(FEW.connections):
            peers.append(await hook.connect())
            await peers[-1].ask(PATH, REVIEW)
        await peers[0].ask(PATH, REVIEW)
        assert await is_answered(hook)
        assert await peers[1].is_closed()
        assert (await peers[0].ask(PATH, REVIEW)).status == 200


async def test_peer_never_ends_a_connection_that_is_being_answered() -> None:
    started, finish = threading.Event(), threading.Event()

    def slow(_: Review, __: Store) -> Answer:
        started.set()
        finish.wait(20)
        return Allowed()

    limits = AdmissionLimits(connections=1, large_bytes=0)
    async with hooked(FakeStore(), limits=limits, handlers={PATH: slow}) as hook:
        peer = await hook.connect()
        asking = asyncio.create_task(peer.ask(PATH, REVIEW))
        await asyncio.to_thread(started.wait, 20)
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await hook.connect()
        finish.set()
        assert (await asking).status == 200


async def test_peer_with_slow_bodies_is_given_up_for_those_that_arrive() -> None:
    """Each newcomer takes the place of the slowest; all slow ones hear 503 or 408."""
    async with hooked(FakeStore(), limits=FEW, handlers=HANDLERS) as hook:
        slow = []
        for _ in range(FEW.unfinished + 3):
            slow.append(await hook.connect())
            slow[-1].writer.write(HEAD.format(1000).encode() + b"{")
            await asyncio.sleep(0.02)
        assert (await slow[0].reply()).status == 503
        body = orjson.dumps(REVIEW)
        peer = await hook.connect()
        peer.writer.write(HEAD.format(len(body)).encode() + body[:50])
        await asyncio.sleep(0.02)
        peer.writer.write(body[50:])
        assert (await peer.reply()).status == 200


async def test_peer_slower_than_the_least_rate_is_cut_off() -> None:
    limits = AdmissionLimits(slow_seconds=0.1, body_seconds=20.0)
    async with hooked(FakeStore(), limits=limits, handlers=HANDLERS) as hook:
        peer = await hook.connect()
        peer.writer.write(HEAD.format(1000).encode() + b"{")
        async with asyncio.timeout(15):
            assert (await peer.reply()).status == 408


async def test_peer_with_large_bodies_holds_no_more_than_all_may_together() -> None:
    limits = AdmissionLimits(arrived_bytes=100_000)
    async with hooked(FakeStore(), limits=limits, handlers=HANDLERS) as hook:
        large = [await hook.connect() for _ in range(3)]
        for peer in large:
            peer.writer.write(HEAD.format(60_000).encode() + b" " * 40_000)
            await asyncio.sleep(0.05)
        assert (await large[0].reply()).status == 503
        assert await is_answered(hook)


async def test_peer_whose_large_body_waits_for_its_turn_counts_until_it_is_answered() -> None:
    started, finish = threading.Event(), threading.Event()

    def slow(_: Review, __: Store) -> Answer:
        started.set()
        finish.wait(20)
        return Allowed()

    limits = AdmissionLimits(arrived_bytes=100_000, large_bytes=50_000)
    filler = review_object(pod_object(annotations={"filler": "x" * 60_000}))
    async with hooked(FakeStore(), limits=limits, handlers={PATH: slow}) as hook:
        first, second = await hook.connect(), await hook.connect()
        asking = asyncio.create_task(first.ask(PATH, filler))
        await asyncio.to_thread(started.wait, 20)
        assert (await second.ask(PATH, filler)).status == 503
        finish.set()
        assert (await asking).status == 200
        assert (await hook.ask(PATH, filler)).status == 200


async def test_peer_with_large_reviews_gets_them_answered_one_at_a_time() -> None:
    lock, at_once, most = threading.Lock(), 0, 0

    def slow(_: Review, __: Store) -> Answer:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        threading.Event().wait(0.02)
        with lock:
            at_once -= 1
        return Allowed()

    limits = AdmissionLimits(large_bytes=0)
    async with hooked(FakeStore(), limits=limits, handlers={PATH: slow}) as hook:
        replies = await asyncio.gather(*(hook.ask(PATH, REVIEW) for _ in range(6)))
        assert [reply.status for reply in replies] == [200] * 6
        assert most == 1


async def test_peer_with_a_body_of_tiny_lists_is_refused_unparsed() -> None:
    async with hooked(FakeStore(), handlers=HANDLERS) as hook:
        reply = await hook.ask(PATH, b"[" + b"[]," * 900_000 + b"0]")
        assert reply.status == 400
        assert b"values, more than 200000" in reply.body


async def test_peer_with_more_than_3_mib_is_refused_by_its_length() -> None:
    async with hooked(FakeStore(), handlers=HANDLERS) as hook:
        peer = await hook.connect()
        peer.writer.write(HEAD.format((3 << 20) + 1).encode())
        assert (await peer.reply()).status == 413


async def test_peer_whose_head_has_no_end_is_cut_off() -> None:
    """Short of what the parser bears of each header: what counts is all of them together."""
    async with hooked(FakeStore(), handlers=HANDLERS) as hook:
        peer = await hook.connect()
        peer.writer.write(b"GET /livez HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            for number in range(40):
                peer.writer.write(b"X-%d: " % number + b"y" * 8000 + b"\r\n")
                await peer.writer.drain()
        assert await peer.is_closed()
        assert await is_answered(hook)


async def test_peer_that_reads_no_answers_is_cut_off() -> None:
    async with hooked(FakeStore(), handlers=HANDLERS) as hook:
        peer = await hook.connect()
        peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
        body = orjson.dumps(REVIEW)
        async with asyncio.timeout(25):
            with contextlib.suppress(ConnectionError):
                while not peer.writer.transport.is_closing():
                    peer.writer.write((HEAD.format(len(body)).encode() + body) * 16)
                    await peer.writer.drain()
                    await asyncio.sleep(0)
        assert await is_answered(hook)
        await asyncio.sleep(0.05)
        assert hook.metric("connections") <= 1


async def test_peer_that_pipelines_without_end_is_answered_in_order() -> None:
    async with hooked(FakeStore(), handlers=HANDLERS) as hook:
        peer = await hook.connect()
        body = orjson.dumps(REVIEW)
        peer.writer.write((HEAD.format(len(body)).encode() + body) * 200)
        for _ in range(200):
            assert (await peer.reply()).status == 200


async def test_peer_with_small_bodies_of_many_lists_waits_for_its_turn() -> None:
    """They go through the lane of heavy reviews; light ones are answered meanwhile."""
    started, finish = threading.Event(), threading.Event()

    def slow(review: Review, _: Store) -> Answer:
        if review.name == "heavy":
            started.set()
            finish.wait(20)
        return Allowed()

    obj = pod_object("heavy")
    obj["spec"]["containers"] = [{} for _ in range(3000)]
    async with hooked(FakeStore(), handlers={PATH: slow}) as hook:
        peer = await hook.connect()
        asking = asyncio.create_task(peer.ask(PATH, review_object(obj)))
        await asyncio.to_thread(started.wait, 20)
        assert await is_answered(hook)
        finish.set()
        assert (await asking).status == 200
