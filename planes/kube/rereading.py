"""NADs that were not kept and count now are read again, a few at a time.

Their namespace had no room for them: then one of it went, or an administrator made a plane of one.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from itertools import islice
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.nad_book import NadBook
from planes.kube.resources import NADS
from planes.model.errors import PlanesError
from planes.run.clock import Clock

LOOK_SECONDS: Final = 2.0
_AT_ONCE: Final = 8

_log = logging.getLogger(__name__)


class Rereading:
    """Reads what a book misses.

    Args:
        api: the API server.
        book: what is missing, and who is told.
        clock: paces it: whoever writes NADs in a loop has each node read some every few seconds.
    """

    def __init__(self, api: KubeApi, book: NadBook, clock: Clock) -> None:
        self._api = api
        self._book = book
        self._clock = clock

    async def run(self) -> None:
        """Look from time to time until cancelled."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            try:
                await self.look()
            except PlanesError as error:
                _log.warning("NADs not read again yet", extra={"reason": str(error)})

    async def look(self) -> None:
        """Read some of what is missing; the version tells whether the watch was faster.

        Raises:
            PlanesError: the API server does not say.
        """
        for ref in tuple(islice(self._book.missing, _AT_ONCE)):
            query = Query(NADS, ref.namespace, fields=f"metadata.name={ref.name}", at_least="0")
            async with aclosing(self._api.pages(query)) as pages:
                async for page in pages:
                    for obj in page.items:
                        self._book.put(obj)
            self._book.missing.pop(ref, None)
