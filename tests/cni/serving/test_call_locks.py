"""Locks of calls: serial per sandbox, parallel otherwise, bounded at work, fair."""

from __future__ import annotations

import asyncio

from cni.serving.call_locks import CallLocks


class Room:
    """Counts the calls that hold their locks at the same time."""

    def __init__(self, gate: CallLocks) -> None:
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


async def test_calls_of_one_sandbox_are_serial_and_of_others_parallel() -> None:
    room = Room(CallLocks(8))
    await asyncio.gather(*(room.call(name) for name in ("a", "b", "a", "b", "a")))
    assert room.most == 2
    assert len(room.gate) == 0


async def test_no_more_than_the_limit_are_carried_out_at_once() -> None:
    room = Room(CallLocks(3))
    await asyncio.gather(*(room.call(str(number)) for number in range(20)))
    assert room.most == 3


async def test_who_comes_first_is_served_first() -> None:
    room = Room(CallLocks(1))
    names = [str(number) for number in range(20)]
    await asyncio.gather(*(room.call(name) for name in names))
    assert room.order == names


async def test_a_call_that_waits_for_its_sandbox_holds_no_slot() -> None:
    room = Room(CallLocks(2))
    long = asyncio.create_task(room.call("a", turns=50))
    waiting = [asyncio.create_task(room.call("a")) for _ in range(5)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await asyncio.wait_for(room.call("b"), 1)
    assert not long.done()
    await asyncio.gather(long, *waiting)


async def test_who_attaches_keeps_nobody_from_leaving() -> None:
    gate = CallLocks(1)
    async with gate.call("a", attaches=True), asyncio.timeout(1), gate.call("b"):
        pass


async def test_a_call_that_steps_aside_lets_the_next_one_in() -> None:
    gate = CallLocks(1)
    async with gate.call("a"):
        gate.step_aside("a")
        async with asyncio.timeout(1), gate.call("b"):
            gate.step_aside("a")  # twice is once
            late = asyncio.create_task(_enter(gate, "c"))
            await asyncio.sleep(0.01)
            assert not late.done()
    await asyncio.wait_for(late, 1)


async def test_a_call_that_does_not_end_counts_as_work_for_a_while_only() -> None:
    gate = CallLocks(1, seconds=0.02)
    async with gate.call("a"), asyncio.timeout(1), gate.call("b"), gate.call("c"):
        assert gate.is_busy("a")
    async with asyncio.timeout(1), gate.call("d"):
        pass


async def test_a_namespace_with_many_calls_leaves_room_for_the_others() -> None:
    gate = CallLocks(8, seconds=60)
    inside = 0

    async def stay(number: int, until: asyncio.Event) -> None:
        nonlocal inside
        async with gate.call(f"many{number}", "many", attaches=True):
            inside += 1
            await until.wait()

    over = asyncio.Event()
    tasks = [asyncio.create_task(stay(number, over)) for number in range(20)]
    await asyncio.sleep(0.01)
    assert inside == 4
    async with asyncio.timeout(1), gate.call("one", "other", attaches=True):
        over.set()
    await asyncio.wait_for(asyncio.gather(*tasks), 5)


async def _enter(gate: CallLocks, container: str) -> None:
    async with gate.call(container):
        pass


async def test_a_cancelled_waiter_leaves_no_trace() -> None:
    room = Room(CallLocks(1))
    first = asyncio.create_task(room.call("a"))
    waiting = [asyncio.create_task(room.call(name)) for name in ("a", "b")]
    await asyncio.sleep(0)
    for task in waiting:
        task.cancel()
    await asyncio.gather(first, *waiting, return_exceptions=True)
    await asyncio.wait_for(room.call("c"), 1)
    assert len(room.gate) == 0


async def test_work_beside_the_calls_takes_no_slot() -> None:
    room = Room(CallLocks(1))
    end = asyncio.Event()

    async def beside() -> None:
        async with room.gate.sandbox("a"):
            await end.wait()

    task = asyncio.create_task(beside())
    await asyncio.sleep(0)
    assert room.gate.is_busy("a")
    async with asyncio.timeout(5):
        await room.call("b")
    end.set()
    await task
    assert not room.gate.is_busy("a")


async def test_a_call_waits_for_work_beside_the_calls_on_its_own_sandbox() -> None:
    room = Room(CallLocks(8))
    async with room.gate.sandbox("a"):
        call = asyncio.create_task(room.call("a"))
        await asyncio.sleep(0.01)
        assert room.order == []
    await call
