"""A large heap that is there to stay, and the garbage collector, which would look at it again.

Invariant: what is out of the collector's sight is still freed when nobody refers to it any more;
only cycles among it would stay, and what is loaded at the start is held for good anyway.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from typing import Final

from planes.run.clock import Clock

LOOK_SECONDS: Final = 0.2


async def settle_heap(is_loaded: Callable[[], bool], clock: Clock) -> None:
    """Take what a process loads out of the collector's sight as it comes; then wait for good.

    Half of the time to list 150,000 pods went into looking at those listed already, up to 0.8 s at
    a stretch; so nothing stalls the event loop for longer than some 40 ms.
    """
    while not is_loaded():
        await clock.sleep(LOOK_SECONDS)
        gc.freeze()
    await asyncio.Event().wait()
