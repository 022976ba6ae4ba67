"""Read NADs again that were not kept and count now, a few at a time.

Their namespace had no room for them; then another NAD was deleted, or a plane refers to one now.
"""

from __future__ import annotations

import logging
from contextlib import aclosing
from itertools import islice
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.resources import NADS
from planes.kube.store.nad_cache import NadCache
from planes.model.errors import PlanesError
from planes.run.clock import Clock

READ_SECONDS: Final = 2.0
_AT_ONCE: Final = 8

_log = logging.getLogger(__name__)


class MissingNads:
    """Reads the missing NADs of a cache.

    Args:
        api: the API server.
        cache: names those that are missing, and takes them.
        clock: paces it: a tenant that writes NADs in a loop causes a few reads in some seconds.
    """

    def __init__(self, api: KubeApi, cache: NadCache, clock: Clock) -> None:
        self._api = api
        self._cache = cache
        self._clock = clock

    async def run(self) -> None:
        """Read from time to time until cancelled."""
        while True:
            await self._clock.sleep(READ_SECONDS)
            try:
                await self.read()
            except PlanesError as error:
                _log.warning("NADs not read again yet", extra={"reason": str(error)})

    async def read(self) -> None:
        """Read some that are missing; the cache compares versions, as the watch may be faster.

        Raises:
            PlanesError: the API server cannot be read.
        """
        for ref in tuple(islice(self._cache.missing, _AT_ONCE)):
            query = Query(NADS, ref.namespace, fields=f"metadata.name={ref.name}", at_least="0")
            async with aclosing(self._api.pages(query)) as pages:
                async for page in pages:
                    for obj in page.items:
                        self._cache.put(obj)
            self._cache.missing.pop(ref, None)
