"""Work that must not stop half-way ends before its caller sees a cancellation."""

from __future__ import annotations

import asyncio

import pytest

from planes.run.shielded import shielded


async def test_uncancelled_work_gives_its_result() -> None:
    async def work() -> int:
        return 7

    assert await shielded(work()) == 7


async def test_a_failure_is_the_callers() -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await shielded(work())


async def test_cancelled_work_ends_and_is_undone_once() -> None:
    steps: list[str] = []

    async def work() -> str:
        await asyncio.sleep(0.05)
        steps.append("work")
        return "made"

    async def undo(made: str) -> None:
        await asyncio.sleep(0.02)
        steps.append(f"undo {made}")

    task = asyncio.create_task(shielded(work(), undo))
    for _impatience in range(5):
        await asyncio.sleep(0.012)
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == ["work", "undo made"]


async def test_work_that_failed_while_cancelled_is_not_undone() -> None:
    steps: list[str] = []

    async def work() -> None:
        await asyncio.sleep(0.02)
        raise ValueError("broken")

    async def undo(_nothing: None) -> None:
        steps.append("undo")

    task = asyncio.create_task(shielded(work(), undo))
    await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert steps == []
