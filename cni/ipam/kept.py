"""Find the host-local addresses of a sandbox without its netconf, by a search of all networks.

For a sandbox whose journal entry is damaged: its networks are not known any more, but each address
file names its container. Everything here blocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cni.host.data_dirs import DataDirs
from cni.ipam.host_local_files import HostLocalFiles
from cni.ipam.ranges import as_address
from planes.model.addresses import IPAddress

_DEPTH: Final = 3  # DIR/networks/NAME, and one for administrators who sort theirs
_MOST_DIRECTORIES: Final = 10_000
MOST_KEPT: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Kept:
    """One address file.

    Attributes:
        owner: its content: container ID and interface, or the container ID alone.
    """

    data_dir: str
    network: str
    address: IPAddress
    owner: str

    @property
    def container_id(self) -> str:
        """Return the sandbox."""
        return self.owner.partition("\n")[0].strip()

    @property
    def ifname(self) -> str:
        """Return the interface, "" in files of the oldest format."""
        return self.owner.partition("\n")[2].strip()


class KeptAddresses:
    """The address files of all networks.

    Args:
        files: reads and removes them.
        dirs: below which to search.
    """

    def __init__(self, files: HostLocalFiles, dirs: DataDirs) -> None:
        self._files = files
        self._dirs = dirs

    def of(self, container_id: str, more: Iterable[str] = ()) -> list[Kept]:
        """Return the addresses kept for a sandbox.

        Args:
            container_id: the sandbox.
            more: directories to search beside the allowed ones.

        Raises:
            PlanesError: a network's directory cannot be used.
        """
        found: list[Kept] = []
        for data_dir, network in self._networks(more):
            with self._files.locked(os.path.join(data_dir, network)) as files:
                found += [
                    Kept(data_dir, network, address, owner)
                    for address, owner in files.of_container(container_id)
                ]
        return found

    def all(self) -> list[Kept]:
        """Return all addresses kept below the allowed directories, at most `MOST_KEPT`.

        Raises:
            PlanesError: a network's directory cannot be used.
        """
        found: list[Kept] = []
        for data_dir, network in self._networks(()):
            with self._files.locked(os.path.join(data_dir, network)) as files:
                found += [Kept(data_dir, network, *one) for one in files.all()]
            if len(found) >= MOST_KEPT:
                break
        return found[:MOST_KEPT]

    def within(self, directories: Iterable[str]) -> list[Kept]:
        """Return all addresses kept in directories of networks; one that is gone has none.

        Raises:
            PlanesError: a directory cannot be used.
        """
        found: list[Kept] = []
        for data_dir, network in map(os.path.split, directories):
            if os.path.isdir(os.path.join(data_dir, network)):
                with self._files.locked(os.path.join(data_dir, network)) as files:
                    found += [Kept(data_dir, network, *one) for one in files.all()]
        return found

    def give_back(self, kept: Iterable[Kept]) -> None:
        """Release addresses; those that another owner has by now stay.

        Raises:
            PlanesError: a network's directory cannot be used.
        """
        for one in kept:
            with self._files.locked(os.path.join(one.data_dir, one.network)) as files:
                files.remove(one.address, one.owner)

    def _networks(self, more: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Return the directories that hold addresses, each as its parent and its name."""
        left = [(os.path.realpath(path), _DEPTH) for path in dict.fromkeys((*self._dirs, *more))]
        for _ in range(_MOST_DIRECTORIES):
            if not left:
                return
            path, depth = left.pop()
            names = _entries(path)
            if any(as_address(name) is not None for name, _ in names):
                yield os.path.split(path)
            if depth:
                inner = [name for name, is_directory in names if is_directory]
                left += [(os.path.join(path, name), depth - 1) for name in inner]


def _entries(path: str) -> list[tuple[str, bool]]:
    try:
        with os.scandir(path) as entries:
            return [(one.name, one.is_dir(follow_symlinks=False)) for one in entries]
    except OSError:
        return []
