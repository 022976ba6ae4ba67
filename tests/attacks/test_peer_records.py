"""TLS records with next to no content: each costs the listener as much as a full one."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from planes.run.listening.hello import Records
from planes.store.protocol import Store
from tests.support.store import FakeStore
from tests.support.webhook.admission import hooked, pod_object, review_object
from webhook.review import Allowed, Answer, Review

PATH = "/mutate/pods"
HEAD = (
    b"POST /mutate/pods HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    b"Content-Length: 100000\r\n\r\n"
)


def allow(_: Review, __: Store) -> Answer:
    return Allowed()


async def test_peer_with_records_of_one_byte_is_broken_off() -> None:
    """KeyUpdates are such records too: 40 connections of them delayed others by 4.7 s."""
    async with hooked(FakeStore(), handlers={PATH: allow}) as hook:
        peer = await hook.connect()
        peer.writer.write(HEAD)
        for _ in range(2000):
            peer.writer.write(b" ")
        assert await peer.is_closed()
        assert hook.metric("refusals_total", reason="records") == 1


@pytest.mark.parametrize("size", [512, 1200, 16 << 10])
async def test_peer_that_means_well_is_heard_to_the_end(size: int) -> None:
    """Go begins with records of some 1,200 bytes."""
    annotations = {f"a{number}": "x" * 200 for number in range(4000)}
    body = orjson.dumps(review_object(pod_object(annotations=annotations)))
    head = HEAD.replace(b"100000", b"%d" % len(body))
    async with hooked(FakeStore(), handlers={PATH: allow}) as hook:
        peer = await hook.connect()
        for _ in range(3):
            for at in range(0, len(body), size):
                peer.writer.write((head if at == 0 else b"") + body[at : at + size])
            assert (await peer.reply()).status == 200


async def test_peer_with_many_small_reviews_over_one_connection_is_answered() -> None:
    async with hooked(FakeStore(), handlers={PATH: allow}) as hook:
        peer = await hook.connect()
        for _ in range(300):
            assert (await peer.ask(PATH, review_object(pod_object()))).status == 200


@given(st.lists(st.integers(0, 300), max_size=20), st.integers(1, 64))
def test_peers_records_are_counted_however_they_are_cut(lengths: list[int], step: int) -> None:
    data = b"".join(b"\x17\x03\x03" + n.to_bytes(2, "big") + bytes(n) for n in lengths)
    records = Records()
    found = sum(records.feed(memoryview(data)[at : at + step]) for at in range(0, len(data), step))
    assert found == len(lengths)
