"""Bridges of the node that networks of tenants make: no more of them than pods use.

A bridge outlives its pods, as with the reference plugin. A NAD is soon written again with another
name, though, and each bridge takes some 50 KiB of the kernel's memory for good: so whenever a
tenant's network has made one, those that such networks made before and nobody uses any more go.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Final

from cni.attachment import PlannedAttachment
from cni.completion import complete
from cni.journal import Journal
from cni.net.idle_bridges import absent, adopt
from cni.net.kernel import Kernel
from planes.model.errors import PlanesError
from planes.model.state.spellings import Spellings

_log = logging.getLogger(__name__)
_STANDS_ON: Final = ("bridge", "master")


class TenantBridges:
    """Watches what attachments make.

    Args:
        kernel: looks at the host's links.
        journal: who stands on what.
        is_restricted: tells whether NADs of a namespace are a tenant's, and guarded.
    """

    def __init__(
        self, kernel: Kernel, journal: Journal, is_restricted: Callable[[str], bool]
    ) -> None:
        self._kernel = kernel
        self._journal = journal
        self._is_restricted = is_restricted

    @asynccontextmanager
    async def watched(self, attachment: PlannedAttachment) -> AsyncIterator[None]:
        """Carry out an attachment inside the block; bridges that it makes are noted.

        Raises:
            PlanesError: the kernel does not tell which bridges there are.
        """
        names = self._bridges(attachment)
        if names:
            names = await self._kernel.run(lambda worker: absent(worker, names))
        try:
            yield
        finally:
            if names:
                await complete(self._adopt(names))

    async def _adopt(self, names: tuple[str, ...]) -> None:
        try:
            gone = await self._kernel.run(lambda worker: adopt(worker, names, self._in_use))
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
        """Name every link that journaled attachments stand on; called in a thread."""
        return {
            name
            for entry in self._journal.entries()
            for one in entry.attachments
            for name in _named(one, _STANDS_ON)
        }


def _named(attachment: PlannedAttachment, keys: tuple[str, ...]) -> Iterator[str]:
    for plugin in attachment.conflist.plugins:
        spelled = Spellings(plugin.raw)
        for key in keys:
            yield from spelled.texts(key)
