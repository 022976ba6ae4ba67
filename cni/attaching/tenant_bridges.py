"""Remove idle bridges that tenants' networks created on the node.

A bridge stays when its last pod is gone, as with the reference plugin. But a tenant can write NADs
with ever new bridge names, and each bridge takes some 50 KiB of kernel memory. So whenever a
tenant's network has created a bridge, the idle bridges that such networks created are removed.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from itertools import chain
from typing import Final

from cni.journal.journal import Journal
from cni.net.idle_bridges import HostBridges
from cni.plugins.attachment import PlannedAttachment
from planes.model.errors import PlanesError
from planes.model.state.spellings import Spellings
from planes.run.shielded import shielded

_log = logging.getLogger(__name__)
_LOWER_LINK_KEYS: Final = ("bridge", "master")


class TenantBridges:
    """Finds the bridges that attachments create.

    Args:
        host: marks and removes the host's bridges.
        journal: who stands on what.
        is_restricted: tells whether NADs of a namespace are a tenant's, and guarded.
    """

    def __init__(
        self, host: HostBridges, journal: Journal, is_restricted: Callable[[str], bool]
    ) -> None:
        self._host = host
        self._journal = journal
        self._is_restricted = is_restricted

    @asynccontextmanager
    async def watched(self, attachments: Iterable[PlannedAttachment]) -> AsyncIterator[None]:
        """Mark the bridges that the body creates for tenants' networks; remove idle ones.

        Raises:
            PlanesError: the kernel cannot list the bridges.
        """
        names = tuple(dict.fromkeys(chain.from_iterable(map(self._bridges, attachments))))
        if names:
            names = await self._host.absent(names)
        try:
            yield
        finally:
            if names:
                await shielded(self._adopt(names))

    async def _adopt(self, names: tuple[str, ...]) -> None:
        try:
            gone = await self._host.adopt(names, self._in_use)
        except PlanesError as error:
            _log.warning("cannot look after bridges", extra={"cause": str(error)})
        else:
            if gone:
                _log.info("idle bridges removed", extra={"bridges": gone})

    def _bridges(self, attachment: PlannedAttachment) -> tuple[str, ...]:
        namespace, slash, _ = attachment.network.partition("/")
        if not slash or attachment.plane or not self._is_restricted(namespace):
            return ()
        return tuple(dict.fromkeys(_named(attachment, ("bridge",))))

    def _in_use(self) -> set[str]:
        """Return the bridges and masters that journaled attachments use; called in a thread."""
        return {
            name
            for entry in self._journal.entries()
            for one in entry.attachments
            for name in _named(one, _LOWER_LINK_KEYS)
        }


def _named(attachment: PlannedAttachment, keys: tuple[str, ...]) -> Iterator[str]:
    for plugin in attachment.conflist.plugins:
        spelled = Spellings(plugin.raw)
        for key in keys:
            yield from spelled.texts(key)
