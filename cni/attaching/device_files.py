"""Device information of the attachments of a call: copied before, read after, removed at the end.

Invariant: files are made after the journal entry is written, and removed where the attachment is
detached, so a kill leaves none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from typing import TypeVar

from cni.devices.info_files import DeviceInfoFiles
from cni.journal.entry import Entry
from cni.plugins.attachment import PlannedAttachment
from planes.run.jobs import start

T = TypeVar("T")


class DeviceFiles:
    """The device information files of journal entries.

    Args:
        files: the files of this node.
        executor: where they are read and written; None = the event loop's own threads.
    """

    def __init__(self, files: DeviceInfoFiles, executor: Executor | None = None) -> None:
        self._files = files
        self._executor = executor

    def has_files(self, entry: Entry) -> bool:
        """Report whether an attachment of an entry has a file."""
        return bool(_with_files(entry.attachments))

    async def prepare(self, entry: Entry) -> None:
        """Write what device plugins say of the entry's devices, for its plugins to read."""
        if due := _with_files(entry.attachments):
            await self._in_thread(partial(self._copy, due))

    async def with_information(self, entry: Entry) -> Entry:
        """Return an entry with what the files say after its plugins ran."""
        if not _with_files(entry.attachments):
            return entry
        attachments = await self._in_thread(
            lambda: tuple(self._read(one) for one in entry.attachments)
        )
        return replace(entry, attachments=attachments)

    async def remove(self, entry: Entry, kept: Collection[str]) -> None:
        """Remove the files of an entry's attachments.

        Args:
            entry: as journaled.
            kept: interfaces whose plugins are still to be run: their files are kept.
        """
        due = [one for one in _with_files(entry.attachments) if one.ifname not in kept]
        if due:
            await self._in_thread(partial(self._remove, due))

    def _copy(self, due: Iterable[PlannedAttachment]) -> None:
        for one in due:
            if one.device is not None:
                self._files.copy(one.device.resource, one.device.device_id, one.device.info_file)

    def _read(self, one: PlannedAttachment) -> PlannedAttachment:
        if one.device is None or not one.device.info_file:
            return one
        info = self._files.read(one.device.info_file)
        return replace(one, device=replace(one.device, info=info))

    def _remove(self, due: Iterable[PlannedAttachment]) -> None:
        for one in due:
            if one.device is not None:
                self._files.remove(one.device.info_file)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await start(work, self._executor)


def _with_files(attachments: Iterable[PlannedAttachment]) -> list[PlannedAttachment]:
    return [one for one in attachments if one.device is not None and one.device.info_file]
