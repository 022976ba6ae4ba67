"""Address files of this node, and who may have their addresses."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cni.host.data_dirs import DataDirs
from cni.journal.files import inspect_entries
from cni.net.kernel import Kernel
from cni.net.live_addresses import LiveKernel
from planes.cli.doctor.diagnosis import CannotCheck
from planes.cli.doctor.facts.reading import read_bounded
from planes.model.addresses import IPAddress, parse_address
from planes.model.errors import PlanesError
from planes.store.address_audit import held_but
from planes.store.address_files import plane_directory

_DEPTH: Final = 3  # DIR/networks/NAME, and one for administrators who sort theirs
_MOST_DIRECTORIES: Final = 2000
_MOST_FILES: Final = 20_000
_MOST_OWNER: Final = 4096


@dataclass(frozen=True, slots=True)
class AddressFile:
    """A file that holds an address.

    Attributes:
        container_id: of the sandbox that it is for, "" where the file does not say.
        plane: of a plane's address; "" for a file of host-local.
        age: seconds since it was made.
    """

    path: str
    address: IPAddress
    container_id: str
    plane: str = ""
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class HeldRecords:
    """The address files of a node.

    Attributes:
        files: all of them, as far as there are not too many.
        journaled: container IDs of the journal.
        live: addresses that an interface in any network namespace has.
    """

    files: tuple[AddressFile, ...]
    journaled: frozenset[str]
    live: frozenset[IPAddress]


def read_held_records(addresses: Path, journal: Path, data_dirs: Sequence[str]) -> HeldRecords:
    """Read files, journal and the addresses of all network namespaces; changes and locks nothing.

    Args:
        addresses: the directory of plane addresses.
        journal: the directory of the journal.
        data_dirs: below which networks of host-local have theirs.

    Raises:
        PlanesError: a part of it cannot be read.
    """
    # Files before the journal before interfaces: each is written before the next at ADD, and what
    # appears in between has an owner by then.
    files = [*_of_planes(addresses), *_of_host_local(data_dirs)]
    entries = inspect_entries(journal)
    known = {entry.container_id for entry in entries.entries}
    known |= {damaged.container_id for damaged in entries.damaged}
    hints = [entry.netns for entry in entries.entries if entry.netns]
    return HeldRecords(tuple(files), frozenset(known), _live(hints) if files else frozenset())


def _of_planes(root: Path) -> Iterator[AddressFile]:
    try:
        held = held_but(root, ())
    except OSError as error:
        raise CannotCheck(f"{root}: {error.strerror or error}") from error
    for one in held[:_MOST_FILES]:
        for address in one.addresses:
            path = f"{plane_directory(root, one.plane)}/{address}"
            yield AddressFile(path, address, one.owner.container_id, one.plane, _age(path))


def _of_host_local(data_dirs: Sequence[str]) -> Iterator[AddressFile]:
    left = [(os.path.realpath(path), _DEPTH) for path in DataDirs(data_dirs)]
    count = 0
    for _ in range(_MOST_DIRECTORIES):
        if not left or count >= _MOST_FILES:
            return
        folder, depth = left.pop()
        for entry in _entries(folder):
            if entry.is_dir(follow_symlinks=False):
                if depth:
                    left.append((entry.path, depth - 1))
                continue
            address = _address(entry.name)
            if address is not None and entry.is_file(follow_symlinks=False):
                count += 1
                yield AddressFile(entry.path, address, _owner(entry.path), age=_age(entry.path))


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return [entry for entry, _ in zip(entries, range(_MOST_FILES), strict=False)]
    except OSError:  # it is not there, or no folder
        return []


def _address(name: str) -> IPAddress | None:
    try:
        return parse_address(name)
    except (PlanesError, ValueError):
        return None


def _owner(path: str) -> str:
    try:
        text = read_bounded(path, _MOST_OWNER).decode("utf-8", "replace")
    except OSError:
        return ""
    return text.partition("\n")[0].strip()


def _age(path: str) -> float:
    try:
        return max(0.0, time.time() - os.lstat(path).st_mtime)
    except OSError:
        return 0.0


def _live(hints: Sequence[str]) -> frozenset[IPAddress]:
    kernel = Kernel(threads=1)
    try:
        return asyncio.run(LiveKernel(kernel).addresses(hints))
    finally:
        kernel.close(1.0)
