"""Order the first calls after a start: ADDs wait for recovery and for spooled DELs.

The socket is open already, so that no call waits for a teardown that hangs. But an ADD may need the
address that a spooled DEL releases, e.g. when a pod with a fixed address was replaced. Invariant:
only ADDs wait, and the DELs that come after an ADD of their sandbox, no longer than the timeout.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from cni.call import CniRequest
from cni.reconcile.reconciler import Reconciler
from cni.serving.protocol import SandboxVerbs
from cni.serving.spool import Spool
from cni.serving.spool_first import SpoolFirst
from planes.model.wire.cniversion import Verb

WAIT_SECONDS: Final = 1.0
_log = logging.getLogger(__name__)


class StartupOrder:
    """Verbs behind the spool, whose ADDs wait for `run` or for the timeout.

    Args:
        timeout: seconds that an ADD waits at most.
    """

    def __init__(
        self,
        verbs: SandboxVerbs,
        reconciler: Reconciler,
        spool: Spool,
        *,
        timeout: float = WAIT_SECONDS,
    ) -> None:
        self._verbs = SpoolFirst(verbs, spool)
        self._reconciler = reconciler
        self._spool = spool
        self._timeout = timeout
        self._is_over = asyncio.Event()
        self._waiting: set[str] = set()  # sandboxes with an ADD that waits

    async def run(self) -> None:
        """Start recovery and the spool; what exceeds the timeout goes on beside new calls."""
        # Not cancelled at the timeout: a step that waits for a thread cannot be cancelled.
        begun = [
            asyncio.ensure_future(work)
            for work in (self._reconciler.begin_recovery(), self._spool.begin())
        ]
        try:
            _, late = await asyncio.wait(begun, timeout=self._timeout)
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
        if not self._is_over.is_set():
            await self._wait(request)
        return await self._verbs.handle(request)

    async def _wait(self, request: CniRequest) -> None:
        """Wait for `run` where it is an ADD, or a DEL that must not overtake one."""
        if request.verb is Verb.ADD:
            self._waiting.add(request.container_id)
        elif request.verb is not Verb.DEL or request.container_id not in self._waiting:
            return
        await self._is_over.wait()  # those that wait go on in the order in which they came
        self._waiting.discard(request.container_id)
