"""The first moment after a start: what a former life left half-done gives back what it holds.

The socket is open by then, for whatever hangs must keep nobody waiting. But an ADD may want just
the address that a DEL spooled meanwhile gives back (a pod moved on under its own address), and
would fail: so ADDs, and they alone, wait for a moment. Invariant: never longer than that.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from cni.recovery import Recovery
from cni.serving.protocol import Verbs
from cni.serving.request import CniRequest
from cni.serving.spool import Spool
from cni.serving.spool_first import SpoolFirst
from planes.model.wire.cniversion import Verb

PATIENCE: Final = 1.0
_log = logging.getLogger(__name__)


class Settling:
    """Verbs behind the spool, whose ADDs wait until `run` has seen to what was left.

    Args:
        patience: seconds after which nobody waits any more.
    """

    def __init__(
        self, verbs: Verbs, recovery: Recovery, spool: Spool, *, patience: float = PATIENCE
    ) -> None:
        self._verbs = SpoolFirst(verbs, spool)
        self._recovery = recovery
        self._spool = spool
        self._patience = patience
        self._is_over = asyncio.Event()

    async def run(self) -> None:
        """Begin with what was left; what takes long goes on beside new calls."""
        # Not cancelled when time is up: what waits for a thread would be awaited all the same.
        begun = [
            asyncio.ensure_future(work) for work in (self._recovery.begin(), self._spool.begin())
        ]
        try:
            _, late = await asyncio.wait(begun, timeout=self._patience)
            self._is_over.set()
            if late:
                _log.warning("what was left takes long: it goes on beside new calls")
            undone, spooled = await asyncio.gather(*begun)
            if undone or spooled:
                facts = {"cut_off": undone, "spooled": spooled}
                _log.warning("some of what was left takes long: it goes on", extra=facts)
        finally:
            self._is_over.set()
            for one in begun:
                one.cancel()

    async def handle(self, request: CniRequest) -> bytes:
        """Carry out a call; see `Verbs.handle`."""
        if request.verb is Verb.ADD:
            await self._is_over.wait()
        return await self._verbs.handle(request)
