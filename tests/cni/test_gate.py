"""The gate: serial per sandbox, parallel otherwise, bounded, fair, and GC alone."""

from __future__ import annotations

import asyncio

from cni.gate import Gate


class Room:
    """Somewhere calls are for a while, so that a test sees who is in at the same time."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate
        self.inside: list[str] = []
        self.order: list[str] = []
        self.most = 0

    async def call(self, container: str, turns: int = 5) -> None:
        async with self.gate.call(container):
            self.inside.append(container)
            self.order.append(container)
            self.most = max(self.most, len(self.inside))
            assert self.inside.count(container) == 1
            for _ in range(turns):
                await asyncio.sleep(0)
            self.inside.remove(container)

    async def collect(self) -> None:
        async with self.gate.collection():
            assert self.inside == []
            self.order.append("GC")
            for _ in range(5):
                await asyncio.sleep(0)
            assert self.inside == []


async def test_calls_of_one_sandbox_are_serial_and_of_others_parallel() -> None:
    room = Room(Gate(8))
    await asyncio.gather(*(room.call(name) for name in ("a", "b", "a", "b", "a")))
    assert room.most == 2
    assert len(room.gate) == 0


async def test_no_more_than_the_limit_are_carried_out_at_once() -> None:
    room = Room(Gate(3))
    await asyncio.gather(*(room.call(str(number)) for number in range(20)))
    assert room.most == 3


async def test_who_comes_first_is_served_first() -> None:
    room = Room(Gate(1))
    names = [str(number) for number in range(20)]
    await asyncio.gather(*(room.call(name) for name in names))
    assert room.order == names


async def test_a_call_that_waits_for_its_sandbox_holds_no_slot() -> None:
    room = Room(Gate(2))
    long = asyncio.create_task(room.call("a", turns=50))
    waiting = [asyncio.create_task(room.call("a")) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.wait_for(room.call("b"), 1)
    assert not long.done()
    await asyncio.gather(long, *waiting)


async def test_collection_is_alone_and_not_starved() -> None:
    room = Room(Gate(8))
    before = [asyncio.create_task(room.call(str(number))) for number in range(3)]
    await asyncio.sleep(0)
    collecting = asyncio.create_task(room.collect())
    await asyncio.sleep(0)
    after = [asyncio.create_task(room.call(f"late{number}")) for number in range(3)]
    await asyncio.gather(*before, collecting, *after)
    assert room.order.index("GC") == 3


async def test_a_cancelled_waiter_leaves_no_trace() -> None:
    room = Room(Gate(1))
    first = asyncio.create_task(room.call("a"))
    waiting = [asyncio.create_task(room.call(name)) for name in ("a", "b")]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(first, *waiting, return_exceptions=True)
    await asyncio.wait_for(room.call("c"), 1)
    assert len(room.gate) == 0


async def test_work_beside_the_calls_takes_no_slot_and_gc_does_not_wait_for_it() -> None:
    room = Room(Gate(1))
    end = asyncio.Event()

    async def beside() -> None:
        async with room.gate.aside("a"):
            await end.wait()

    task = asyncio.create_task(beside())
    await asyncio.sleep(0)
    assert room.gate.is_aside("a")
    async with asyncio.timeout(5):
        await room.call("b")
        await room.collect()
    end.set()
    await task
    assert not room.gate.is_aside("a")


async def test_a_call_waits_for_work_beside_the_calls_on_its_own_sandbox() -> None:
    room = Room(Gate(8))
    async with room.gate.aside("a"):
        call = asyncio.create_task(room.call("a"))
        await asyncio.sleep(0.01)
        assert room.order == []
    await call


async def test_work_beside_the_calls_does_not_begin_while_gc_runs() -> None:
    gate = Gate(8)

    async def beside() -> None:
        async with gate.aside("a"):
            pass

    async with gate.collection():
        task = asyncio.create_task(beside())
        await asyncio.sleep(0.01)
        assert not gate.is_aside("a")
    await task
