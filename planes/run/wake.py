"""Wait for an event, or until a time has passed."""

from __future__ import annotations

import asyncio
from typing import Any

from planes.run.clock import Clock


async def wait_either(event: asyncio.Event, clock: Clock, seconds: float | None) -> None:
    """Wait until an event is set, for so many seconds at most; None = for ever."""
    waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(event.wait())]
    if seconds is not None:
        waits.append(asyncio.ensure_future(clock.sleep(seconds)))
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waits:
            each.cancel()
