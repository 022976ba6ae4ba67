"""The spool before the runtime: a sandbox's spooled DELs are over before an ADD of it begins."""

from __future__ import annotations

import logging
from typing import Final

from cni.call import CniRequest
from cni.serving.protocol import Postponed, SandboxVerbs
from cni.serving.spool import Spool
from planes.model.wire.cniversion import Verb

_logger: Final = logging.getLogger(__name__)


class SpoolFirst:
    """Verbs that carry out the spooled DELs of a sandbox before its ADD, and spool a postponed DEL.

    The sandbox's lock is held from the first spooled DEL to the end of the ADD. A DEL thus never
    overtakes an ADD that came before it: it would find nothing to detach, and what the ADD then
    attaches would stay.
    """

    def __init__(self, verbs: SandboxVerbs, spool: Spool) -> None:
        self._verbs = verbs
        self._spool = spool

    async def handle(self, request: CniRequest) -> bytes:
        """Carry out a call; see `Verbs.handle`."""
        if request.verb not in {Verb.ADD, Verb.DEL}:
            return await self._verbs.handle(request)
        async with self._verbs.sandbox(request.container_id) as waited:
            if request.verb is Verb.ADD:
                await self._spool.finish(request.container_id)
            try:
                return await self._verbs.handle_locked(request.after_waiting(waited))
            except Postponed as error:
                _logger.warning("DEL cannot be carried out yet", extra={"reason": str(error)})
                await self._spool.keep(request)
                return b""
