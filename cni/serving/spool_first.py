"""The spool before the runtime: a sandbox's spooled DELs are over before an ADD of it begins."""

from __future__ import annotations

import logging
from typing import Final

from cni.serving.protocol import Postponed, Verbs
from cni.serving.request import CniRequest
from cni.serving.spool import Spool
from planes.model.wire.cniversion import Verb
from planes.run.locks import KeyedLocks

_logger: Final = logging.getLogger(__name__)


class SpoolFirst:
    """Verbs that settle the spool of a sandbox before its ADD, and spool a postponed DEL.

    A DEL never overtakes an ADD that came before it and still settles: it would find nothing to
    take down, and what the ADD then attaches would stay.
    """

    def __init__(self, verbs: Verbs, spool: Spool) -> None:
        self._verbs = verbs
        self._spool = spool
        self._locks = KeyedLocks()

    async def handle(self, request: CniRequest) -> bytes:
        """Carry out a call; see `Verbs.handle`."""
        if request.verb not in {Verb.ADD, Verb.DEL}:
            return await self._verbs.handle(request)
        async with self._locks.hold(request.container_id):
            if request.verb is Verb.ADD:
                await self._spool.settle(request.container_id)
            try:
                return await self._verbs.handle(request)
            except Postponed as error:
                _logger.warning("DEL cannot be carried out yet", extra={"reason": str(error)})
                await self._spool.keep(request)
                return b""
