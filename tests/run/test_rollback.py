"""Rollback: undos run once, in reverse, past a failure, and are not interrupted."""

from __future__ import annotations

import asyncio

import pytest

from planes.model.errors import Internal, Unavailable
from planes.run.rollback import Rollback


async def test_undos_run_last_first_and_past_a_failing_one() -> None:
    done: list[str] = []

    def step(name: str):  # type: ignore[no-untyped-def]  # a factory of undos
        async def undo() -> None:
            done.append(name)
            if name == "second":
                raise Internal("cannot undo it")

        return undo

    async def work() -> None:
        async with Rollback() as rollback:
            for name in ("first", "second", "third"):
                rollback.push(name, step(name))
            raise Unavailable("cannot do a later step")

    with pytest.raises(Unavailable, match="a later step"):
        await work()
    assert done == ["third", "second", "first"]


async def test_undos_of_work_that_succeeds_do_not_run() -> None:
    done: list[str] = []

    async def undo() -> None:
        done.append("undone")

    async with Rollback() as rollback:
        rollback.push("step", undo)
    assert done == []


async def test_a_second_cancellation_does_not_interrupt_the_rollback() -> None:
    done: list[str] = []

    async def slow() -> None:
        task.cancel()
        await asyncio.sleep(0.01)
        done.append("undone")

    async def work() -> None:
        async with Rollback() as rollback:
            rollback.push("step", slow)
            task.cancel()
            await asyncio.sleep(1)

    task = asyncio.create_task(work())
    await asyncio.wait([task])
    assert task.cancelled()
    assert done == ["undone"]
