"""One lock per sandbox: calls and spooled DELs take it in one order, and none waits for itself."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from cni.call import CniRequest
from cni.serving.call_locks import CallLocks
from cni.serving.protocol import join_request
from cni.serving.spool import Replay, Spool
from cni.serving.spool_first import SpoolFirst
from cni.verbs.runtime import Runtime
from planes.model.errors import Unavailable
from planes.model.wire.cniversion import Verb
from tests.support.clock import FakeClock
from tests.support.cni.calls import add_request


class Recorder:
    """Handles every verb: it holds a call back until the test lets it go on."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []
        self.begun = asyncio.Event()
        self.may_end = asyncio.Event()
        self.may_end.set()
        self.waited: list[float] = []
        self.error: Exception | None = None

    async def handle(self, request: CniRequest) -> bytes:
        self.calls.append((str(request.verb), request.container_id))
        self.waited.append(request.waited)
        self.begun.set()
        await self.may_end.wait()
        if self.error is not None and request.verb is Verb.DEL:
            raise self.error
        return b""


class Place:
    """A runtime with one slot of each kind, and the spool before it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir()
        self.handler = Recorder()
        self.locks = CallLocks(1, seconds=60)
        handlers = dict.fromkeys((Verb.ADD, Verb.DEL, Verb.CHECK), self.handler)
        self.runtime = Runtime(self.locks, handlers)
        self.spool = Spool(directory, self.runtime, FakeClock(), deadline=2.0)
        self.verbs = SpoolFirst(self.runtime, self.spool)

    def put(self, name: str, container: str = "c1") -> None:
        data = join_request(request(Verb.DEL, container))
        (self.directory / name).write_bytes(data)


def request(verb: Verb, container: str = "c1") -> CniRequest:
    conf = b'{"cniVersion":"1.0.0","name":"net","type":"netplane"}'
    return replace(add_request(), verb=verb, container_id=container, stdin=conf)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "spool")


async def test_an_add_and_the_dels_before_it_take_one_lock_once(place: Place) -> None:
    place.put("1.request")
    place.put("2.request")
    async with asyncio.timeout(5):
        await place.verbs.handle(request(Verb.ADD))
    assert [verb for verb, _ in place.handler.calls] == ["DEL", "DEL", "ADD"]
    assert (list(place.directory.iterdir()), len(place.locks)) == ([], 0)


async def test_a_failed_del_frees_the_sandbox(place: Place) -> None:
    place.put("1.request")
    place.handler.error = Unavailable("cannot now")
    with pytest.raises(Unavailable, match="an earlier DEL of it still fails"):
        await place.verbs.handle(request(Verb.ADD))
    assert not place.locks.is_busy("c1")


async def test_a_replay_behind_an_add_does_not_repeat_its_del(place: Place) -> None:
    place.put("1.request")
    async with place.locks.sandbox("c1"):
        adding = asyncio.create_task(place.verbs.handle(request(Verb.ADD)))
        await asyncio.sleep(0)
        replaying = asyncio.create_task(place.spool.replay())
        await asyncio.sleep(0.05)
        assert place.handler.calls == []
    async with asyncio.timeout(5):
        await adding
        assert await replaying == Replay()
    assert [verb for verb, _ in place.handler.calls] == ["DEL", "ADD"]


async def test_whatever_comes_meanwhile_waits_for_the_add_and_its_dels(place: Place) -> None:
    """GC too: it spares the sandbox, which is busy."""
    place.put("1.request")
    place.handler.may_end.clear()
    tasks = [asyncio.create_task(place.verbs.handle(request(Verb.ADD)))]
    await place.handler.begun.wait()
    assert place.locks.is_busy("c1")
    tasks += [
        asyncio.create_task(place.verbs.handle(request(verb))) for verb in (Verb.CHECK, Verb.DEL)
    ]
    await asyncio.sleep(0.02)
    place.handler.may_end.set()
    async with asyncio.timeout(5):
        await asyncio.gather(*tasks)
    assert [verb for verb, _ in place.handler.calls] == ["DEL", "ADD", "CHECK", "DEL"]
    assert place.handler.waited[-1] > 0


async def test_a_sandbox_that_is_held_keeps_no_other_from_its_replay(place: Place) -> None:
    place.put("1.request", "c1")
    place.put("2.request", "c2")
    async with place.locks.sandbox("c1"), asyncio.timeout(5):
        assert await place.spool.begin() == 1
        assert place.handler.calls == [("DEL", "c2")]
        await place.runtime.handle(request(Verb.DEL, "c3"))
    await place.spool.replay()
    assert list(place.directory.iterdir()) == []


async def test_a_replay_that_waits_too_long_for_its_sandbox_fails(place: Place) -> None:
    place.put("1.request")
    hurried = Spool(place.directory, place.runtime, FakeClock(), deadline=0.05)
    async with place.locks.sandbox("c1"):
        assert await hurried.replay() == Replay(failed=1)
    assert (place.handler.calls, len(place.locks)) == ([], 0)
