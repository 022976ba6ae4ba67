"""A large cache that a process loads at its start, kept out of Python's garbage collector.

The collector looks at every object again and again. Half of the time to list 150,000 pods went into
that, up to 0.8 s at a stretch. With the objects frozen (`gc.freeze`) as they are loaded, it stalls
the event loop for 40 ms at most.
Invariant: a frozen object is still freed once nothing refers to it. Only cycles would stay.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Final

from planes.run.clock import Clock

LOOK_SECONDS: Final = 0.2


async def freeze_while_loading(is_loaded: Callable[[], bool], clock: Clock) -> None:
    """Freeze the objects of a process until it is loaded; then wait until cancelled."""
    while not is_loaded():
        await clock.sleep(LOOK_SECONDS)
        gc.freeze()
    await asyncio.Event().wait()
