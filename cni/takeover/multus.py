"""Take over sandboxes that Multus attached: after a takeover we get their DEL.

Invariant: the sandbox is journaled before anything is detached, and Multus' files are removed only
after that. So after a kill at any point, either the journal or the files are there.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from cni.call import CniRequest
from cni.journal.entry import Entry, Stage, entry_of, log_fields
from cni.journal.journal import Journal
from cni.takeover.followed_settings import FollowedSettings
from cni.takeover.multus_cache import CachedSandbox, read_cached, remove_cached
from planes.model.errors import Internal
from planes.run.shielded import shielded

_log = logging.getLogger(__name__)


class MultusSandboxes:
    """Finds sandboxes of Multus and journals them for teardown.

    Args:
        directory: Multus' `cniDir` by our settings; it need not exist.
        journal: records the sandboxes that are taken over.
        node: the name of this node.
        following: settings of Multus' file, which may name another `cniDir`.
    """

    def __init__(
        self, directory: Path, journal: Journal, node: str, following: FollowedSettings
    ) -> None:
        self._directory = directory
        self._following = following
        self._journal = journal
        self._node = node
        self._found: dict[str, CachedSandbox] = {}

    async def take_over(self, request: CniRequest) -> Entry | None:
        """Journal a sandbox of Multus for teardown; return its entry, None where there is none.

        Raises:
            Internal: the journal could not be written.
        """
        cached = await self._read_cached(request.container_id, request.ifname)
        if cached is None:
            return None
        entry = entry_of(
            request,
            request.pod,
            self._node,
            cached.attachments,
            network=cached.attachments[0].conflist.name,
            stage=Stage.LEAVING,
        )
        _log.info(
            "taking over a sandbox of Multus",
            extra={**log_fields(entry), "networks": [one.network for one in cached.attachments]},
        )
        await self._journal.begin(entry)
        self._found[request.container_id] = cached
        return entry

    async def _read_cached(self, container_id: str, ifname: str) -> CachedSandbox | None:
        for directory in await self._following.cache_dirs(self._directory):
            cached = await asyncio.to_thread(read_cached, directory, container_id, ifname)
            if cached is not None and cached.attachments and cached.attachments[0].ifname == ifname:
                return cached
        return None

    async def remove_files(self, container_id: str) -> None:
        """Remove Multus' files of a sandbox, if it was taken over.

        Raises:
            Internal: a file could not be removed; the DEL is to be repeated.
        """
        cached = self._found.pop(container_id, None)
        if cached is None:
            return
        try:
            await shielded(asyncio.get_running_loop().run_in_executor(None, remove_cached, cached))
        except OSError as error:
            raise Internal(
                f"cannot remove what Multus kept of {container_id}: {error.strerror or error}",
                remedy="look at the permissions of Multus' directory",
            ) from error
