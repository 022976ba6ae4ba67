"""Find and release addresses that are held for no known attachment.

A record that is torn, or a directory or a link in the place of an address, would hold that address
for ever: no DEL finds it. The caller passes in the attachments that it knows.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from planes.model.addresses import IPAddress
from planes.run.files import file_name, remove, set_aside, sync_directory
from planes.store.address_files import plane_directory
from planes.store.address_record import OWNER, address_of, cool, owner_in, owner_name, read_record
from planes.store.protocol import AddressOwner, Held

_ASIDE: Final = ".aside"


@dataclass(frozen=True, slots=True)
class AuditedRecord:
    """A record, or a file of another kind in its place.

    Attributes:
        inode: shared by all its names.
        owner: without names where it cannot be read, or has the name of another record.
        addresses: that it holds.
    """

    inode: int
    owner: AddressOwner
    addresses: tuple[IPAddress, ...]


def held_but(root: Path, known: Collection[tuple[str, str]]) -> tuple[Held, ...]:
    """Return what records of all planes hold for other attachments than these.

    Raises:
        OSError: a directory cannot be read.
    """
    return tuple(
        Held(plane, record.owner, record.addresses, str(record.inode))
        for plane in planes_in(root)
        for record in records_but(plane_directory(root, plane), known)
    )


def planes_in(root: Path) -> list[str]:
    """Return the planes that have a directory; their names are short enough to be read from it.

    A directory that no plane would have, such as `.snapshot` of a file server, is passed over.

    Raises:
        OSError: the root cannot be read.
    """
    try:
        with os.scandir(root) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except FileNotFoundError:
        return []
    return [plane for name in names if file_name(plane := unquote(name)) == name]


def records_but(directory: Path, known: Collection[tuple[str, str]]) -> tuple[AuditedRecord, ...]:
    """Return the records of other attachments than these; needs no lock.

    Raises:
        OSError: the directory cannot be read.
    """
    expected = {owner_name(*attachment) for attachment in known}
    names: dict[int, list[str]] = {}
    with os.scandir(directory) as entries:
        for entry in entries:
            if entry.name.startswith(OWNER) or address_of(entry.name) is not None:
                names.setdefault(entry.inode(), []).append(entry.name)
    return tuple(
        _record(directory, inode, found)
        for inode, found in names.items()
        if expected.isdisjoint(found)
    )


def discard(directory: Path, inode: int, now: float) -> None:
    """Remove a record of any kind with all its names; its addresses cool down.

    The caller holds the directory's lock.

    Raises:
        OSError: a name cannot be removed.
    """
    with os.scandir(directory) as entries:
        names = [entry.name for entry in entries if entry.inode() == inode]
    for name in sorted(names):  # addresses first: the owner's name comes after digits
        path = directory / name
        if address_of(name) is not None:
            cool(directory, name, read_record(path).get("cooldownSeconds"), now)
        if path.is_dir() and not path.is_symlink():
            set_aside(path, directory / _ASIDE)
        else:
            remove(path)
    sync_directory(directory)


def _record(directory: Path, inode: int, names: Sequence[str]) -> AuditedRecord:
    addresses = [address for name in names if (address := address_of(name)) is not None]
    owner = owner_in(read_record(directory / names[0]))
    if owner_name(owner.container_id, owner.interface) not in names:
        owner = AddressOwner("", "")
    return AuditedRecord(inode, owner, tuple(addresses))
