"""settle_heap: objects made while loading are left out of garbage collection."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from planes.run.gc_freeze import LOOK_SECONDS, freeze_while_loading
from tests.support.clock import FakeClock


@pytest.fixture(autouse=True)
def unfrozen() -> Iterator[None]:
    """Unfreeze the objects that the test froze."""
    before = gc.get_freeze_count()
    yield
    if not before:
        gc.unfreeze()


async def test_it_freezes_while_loading_and_never_again() -> None:
    clock = FakeClock()
    is_loaded = False
    task = asyncio.create_task(freeze_while_loading(lambda: is_loaded, clock))
    try:
        counts = []
        for turn in range(4):
            kept = [[number] for number in range(1000)]
            await asyncio.sleep(0)
            is_loaded = turn >= 1
            clock.advance(LOOK_SECONDS)
            await asyncio.sleep(0)
            counts.append(gc.get_freeze_count())
            del kept
        assert counts[0] >= 1000
        assert clock.sleepers == 0
        assert counts[2] <= counts[1]
        assert not task.done()
    finally:
        task.cancel()
