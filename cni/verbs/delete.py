"""DEL: detach a sandbox, from its journal entry alone.

What the journal does not know was attached before us: by Multus, or by the default network's own
plugin. It is detached from what they left.
"""

from __future__ import annotations

from dataclasses import replace

from cni.attaching.teardown import Teardown
from cni.call import CniRequest
from cni.journal.entry import Entry, facts_of
from cni.journal.journal import Journal
from cni.reconcile.orphans import Orphans
from cni.reconcile.unjournaled_records import UnjournaledRecords
from cni.takeover.multus import MultusSandboxes
from cni.takeover.unjournaled import UnjournaledSandboxes
from cni.verbs.plugin_path import PluginPath
from planes.run.logs import note


class DeleteHandler:
    """Handles DEL."""

    def __init__(
        self,
        journal: Journal,
        teardown: Teardown,
        orphans: Orphans,
        multus: MultusSandboxes,
        unjournaled: UnjournaledSandboxes,
        *,
        records: UnjournaledRecords,
        path: PluginPath,
    ) -> None:
        self._records = records
        self._journal = journal
        self._teardown = teardown
        self._orphans = orphans
        self._multus = multus
        self._unjournaled = unjournaled
        self._path = path

    async def handle(self, request: CniRequest) -> bytes:
        """Detach; a DEL prints nothing.

        Raises:
            PlanesError: the runtime must repeat the DEL.
        """
        damaged = self._journal.find_damaged(request.key)
        if damaged is not None:
            is_alone = request.is_delegated
            await self._orphans.release_damaged(damaged, request.netns, is_alone=is_alone)
        journaled = self._journal.find(request.key)
        found = journaled or await self._from_before_us(request)
        if found is not None:
            note(**facts_of(found))
            found = replace(found, cni_path=request.with_path(found.cni_path).cni_path)
            outcome = await self._teardown.tear_down_in_call(found, request.netns, request.waited)
            await self._multus.remove_files(request.container_id)
            outcome.raise_for_runtime()
        if journaled is None:
            await self._records.release(request)
        return b""

    async def _from_before_us(self, request: CniRequest) -> Entry | None:
        """Return an entry for what Multus or the default network's own plugin attached."""
        request = await self._path.complete(request)
        if request.is_delegated:  # one interface: all others that Multus attached are in use
            return await self._unjournaled.find_for_delete(request)
        found = await self._multus.take_over(request)
        return found or await self._unjournaled.find_for_delete(request)
