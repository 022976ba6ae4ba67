"""Make files of host-local again whose attachment is in the journal.

The directories are outside the state directory and shared with the reference plugin, which hands
out an address again where its file is gone. Only directories that our own host-local has used are
looked at, and only addresses of attachments in the journal.

Invariant: the file of another container is never changed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import Final

from cni.ipam.host_local import directory_of
from cni.ipam.host_local_files import HostLocalFiles, owner_text
from cni.ipam.used_networks import UsedNetworks
from cni.journal.entry import Stage
from cni.journal.journal import Journal
from cni.plugins.attachment import PlannedAttachment
from cni.reconcile.address_findings import AddressFinding, FindingKind
from cni.serving.call_locks import CallLocks
from planes.model.addresses import IPAddress
from planes.model.errors import PlanesError
from planes.model.state.claims import bare_address
from planes.model.wire.netconf import NetConf
from planes.run.jobs import start
from planes.run.shielded import shielded

_log = logging.getLogger(__name__)

_TYPE: Final = "host-local"


@dataclass(frozen=True, slots=True)
class Allocation:
    """An address that a file of host-local should hold for an attachment."""

    directory: str
    address: IPAddress
    container_id: str
    interface: str

    @property
    def path(self) -> str:
        """Return the file's path."""
        return os.path.join(self.directory, str(self.address))


class LostAllocations:
    """Finds and makes such files.

    Args:
        journal: what is attached.
        files: the address files.
        used: the directories that our host-local has used.
        call_locks: exclude a running call of a sandbox.
        executor: runs the work on files; None for the default executor of the event loop.
    """

    def __init__(
        self,
        journal: Journal,
        files: HostLocalFiles,
        used: UsedNetworks,
        call_locks: CallLocks,
        executor: Executor | None = None,
    ) -> None:
        self._journal = journal
        self._files = files
        self._used = used
        self._call_locks = call_locks
        self._executor = executor

    async def findings(self) -> tuple[AddressFinding, ...]:
        """Return what `restore` would make again."""
        return tuple(
            AddressFinding(
                FindingKind.MISSING,
                one.directory,
                str(one.address),
                f"container {one.container_id[:12]} (interface {one.interface})",
                "its file is made again",
            )
            for one in await self._missing()
        )

    async def restore(self) -> int:
        """Make missing files again; return how many."""
        made = 0
        for one in await self._missing():
            async with self._call_locks.sandbox(one.container_id):
                if one not in tuple(self._allocations()):
                    continue
                try:
                    is_made = await shielded(start(partial(self._make, one), self._executor))
                except PlanesError as error:
                    facts = {"file": one.path, "error": str(error)}
                    _log.warning("cannot make the file of an address again", extra=facts)
                    continue
            if is_made:
                made += 1
                facts = {"file": one.path, "container_id": one.container_id}
                _log.warning("made the file of an address again", extra=facts)
        return made

    async def _missing(self) -> list[Allocation]:
        allocations = tuple(
            one for one in self._allocations() if not self._call_locks.is_busy(one.container_id)
        )

        def look() -> list[Allocation]:
            used = frozenset(self._used.directories())
            return [
                one
                for one in allocations
                if one.directory in used and not os.path.lexists(one.path)
            ]

        return await shielded(start(look, self._executor)) if allocations else []

    def _make(self, one: Allocation) -> bool:
        with self._files.locked(one.directory) as files:
            return files.restore(owner_text(one.container_id, one.interface), one.address)

    def _allocations(self) -> Iterator[Allocation]:
        for entry in self._journal.entries():
            if entry.stage is not Stage.ATTACHED:
                continue
            for attachment in entry.attachments:
                directory = _directory_of(attachment)
                result = attachment.result
                for ip in () if result is None or not directory else result.ips:
                    address = bare_address(ip.address)
                    if address is not None:
                        yield Allocation(directory, address, entry.container_id, attachment.ifname)


def _directory_of(attachment: PlannedAttachment) -> str:
    """Return the directory of a network whose addresses host-local gives, "" for any other."""
    try:
        conflist = attachment.conflist
        conf = NetConf({**conflist.plugins[0].raw, "name": conflist.name})
        ipam = conf.fields().object("ipam") or {}
        return directory_of(conf) if ipam.get("type") == _TYPE else ""
    except (PlanesError, IndexError):
        return ""
