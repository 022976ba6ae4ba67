"""Sandboxes that Multus attached before us: their DEL comes to us after a takeover.

Invariant: what was found is in our journal before anything is undone, and Multus' files go only
after that: a kill in between leaves one of the two to go on from.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from cni.completion import complete
from cni.entry import Entry, Stage, whose
from cni.journal import Journal
from cni.multus_scratch import Left, read_left, remove_left
from cni.pods import Caller
from planes.model.errors import Internal

_log = logging.getLogger(__name__)


class Inheritance:
    """Finds sandboxes of Multus, and takes them over for tearing down.

    Args:
        directory: Multus' `cniDir`; it need not exist.
        journal: where what is taken over is recorded.
        node: the name of this node.
    """

    def __init__(self, directory: Path, journal: Journal, node: str) -> None:
        self._directory = directory
        self._journal = journal
        self._node = node
        self._found: dict[str, Left] = {}

    async def take(
        self, caller: Caller, ifname: str, netns: str, cni_path: tuple[str, ...]
    ) -> Entry | None:
        """Journal a sandbox that Multus attached as on its way out; None where there is none.

        Raises:
            Internal: the journal could not be written.
        """
        left = await asyncio.to_thread(read_left, self._directory, caller.container_id, ifname)
        if left is None or not left.attachments or left.attachments[0].ifname != ifname:
            return None
        entry = Entry(
            container_id=caller.container_id,
            ifname=ifname,
            netns=netns,
            netns_inode=0,
            network=left.attachments[0].conflist.name,
            cni_path=cni_path,
            namespace=caller.namespace,
            pod=caller.pod,
            uid=caller.uid,
            node=self._node,
            attachments=left.attachments,
            stage=Stage.LEAVING,
        )
        _log.info(
            "taking over a sandbox of Multus",
            extra={**whose(entry), "networks": [one.network for one in left.attachments]},
        )
        await self._journal.begin(entry)
        self._found[caller.container_id] = left
        return entry

    async def forget(self, container_id: str) -> None:
        """Remove Multus' files of a sandbox that was taken and has been torn down or journaled.

        Raises:
            Internal: a file could not be removed; the DEL is to be repeated.
        """
        left = self._found.pop(container_id, None)
        if left is None:
            return
        try:
            await complete(asyncio.get_running_loop().run_in_executor(None, remove_left, left))
        except OSError as error:
            raise Internal(
                f"cannot remove what Multus kept of {container_id}: {error.strerror or error}",
                remedy="look at the permissions of Multus' directory",
            ) from error
