"""Records of addresses that were in use before this address book had a record of them.

After the loss of the state directory, or where a plane takes over addresses of another IPAM, a
plane's directory says nothing about pods that run. A mark in it says that they were looked for.

Invariant: the mark is made after the records are durable, and goes with the directory.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Final, TypeVar

from planes.model.addresses import IPAddress
from planes.model.errors import Unavailable
from planes.model.spec.plane_spec import Plane
from planes.run.files import replace
from planes.run.jobs import start
from planes.run.locks import KeyedLocks
from planes.run.shielded import shielded
from planes.store.address_files import AddressFiles, plane_directory
from planes.store.plane_addresses import describe
from planes.store.protocol import AddressOwner

T = TypeVar("T")

_COMPLETE: Final = ".complete"


class AddressRecords:
    """The records of all planes, one directory for each.

    Args:
        root: the directory of these; made on first use.
        executor: where the blocking work runs; None = the event loop's own threads.
    """

    def __init__(self, root: Path, executor: Executor | None = None) -> None:
        self._root = root
        self._executor = executor
        self._locks = KeyedLocks()

    def is_complete(self, plane: str) -> bool:
        """Report whether addresses in use before were looked for; costs one system call."""
        return os.path.lexists(plane_directory(self._root, plane) / _COMPLETE)

    async def hold(
        self,
        plane: str,
        used: Mapping[AddressOwner, Sequence[IPAddress]],
        *,
        cooldown_seconds: float,
    ) -> tuple[IPAddress, ...]:
        """Record addresses as held, and return them; those that are held already stay as they are.

        Args:
            plane: the plane of the addresses.
            used: addresses by the attachment that uses them.
            cooldown_seconds: how long they rest after their release.

        Raises:
            Unavailable: the directory cannot be written.
        """
        files = self._files(plane)

        def hold() -> tuple[IPAddress, ...]:
            with files.lock():
                return tuple(
                    address
                    for owner, addresses in used.items()
                    for address in _add(files, owner, addresses, cooldown_seconds)
                )

        async with self._locks.hold(plane):
            return await self._in_thread(hold)

    async def adopt(
        self, plane: Plane, owner: AddressOwner, addresses: Sequence[IPAddress]
    ) -> Mapping[IPAddress, str]:
        """Hold addresses in use; return why not of those that others hold.

        Raises:
            Unavailable: the directory cannot be written.
        """
        await self.hold(plane.name, {owner: addresses}, cooldown_seconds=plane.cooldown_seconds)
        holders = await self._in_thread(self._files(plane.name).holders)
        found = {address: holders.get(address, owner) for address in addresses}
        return {
            address: f"it is held by {describe(other)}"
            for address, other in found.items()
            if (other.container_id, other.interface) != (owner.container_id, owner.interface)
        }

    async def set_complete(self, plane: str) -> None:
        """Record that addresses in use before were looked for and are held.

        Raises:
            Unavailable: it cannot be written.
        """
        path = plane_directory(self._root, plane) / _COMPLETE
        try:
            await self._in_thread(lambda: replace(path, b""))
        except OSError as error:
            raise Unavailable(
                f"cannot write addresses in {path.parent}: {error.strerror}",
                remedy="look at free space and permissions of that directory",
            ) from error

    def _files(self, plane: str) -> AddressFiles:
        return AddressFiles(plane_directory(self._root, plane))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        # Shielded: a cancelled caller must not drop the lock while its thread still writes.
        return await shielded(start(work, self._executor))


def _add(
    files: AddressFiles,
    owner: AddressOwner,
    addresses: Sequence[IPAddress],
    cooldown_seconds: float,
) -> tuple[IPAddress, ...]:
    """Add the free ones to what an attachment holds; the caller has the lock."""
    free = tuple(one for one in dict.fromkeys(addresses) if not files.is_held(one))
    if free:
        before = files.held_by(owner.container_id, owner.interface)
        # Killed in between, it is found again: the plane is not marked, or the journal has it.
        files.release(owner.container_id, owner.interface, 0.0)
        files.take(owner, (*before, *free), cooldown_seconds)
    return free
