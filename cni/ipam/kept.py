"""What host-local keeps for a sandbox, found without its configuration: all networks are searched.

For a sandbox whose journal entry is damaged: nothing tells its networks any more, but each file
names its container. Everything here blocks.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from cni.data_dirs import DataDirs
from cni.ipam.address_files import AddressFiles
from cni.ipam.ranges import as_address
from planes.model.addresses import IPAddress

_DEPTH: Final = 3  # DIR/networks/NAME, and one for administrators who sort theirs
_MOST_DIRECTORIES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Kept:
    """One address file.

    Attributes:
        owner: what it says: container ID and interface, or the container alone.
    """

    data_dir: str
    network: str
    address: IPAddress
    owner: str

    @property
    def ifname(self) -> str:
        """The interface, "" in files of the oldest format."""
        return self.owner.partition("\n")[2].strip()


class KeptAddresses:
    """The address files of all networks.

    Args:
        files: reads and removes them.
        dirs: below which to search.
    """

    def __init__(self, files: AddressFiles, dirs: DataDirs) -> None:
        self._files = files
        self._dirs = dirs

    def of(self, container_id: str, more: Iterable[str] = ()) -> list[Kept]:
        """Give the addresses kept for a sandbox.

        Args:
            container_id: the sandbox.
            more: directories to search beside the allowed ones.

        Raises:
            PlanesError: a network's directory cannot be used.
        """
        found: list[Kept] = []
        for data_dir, network in self._networks(more):
            with self._files.locked(data_dir, network) as files:
                found += [
                    Kept(data_dir, network, address, owner)
                    for address, owner in files.of_container(container_id)
                ]
        return found

    def give_back(self, kept: Iterable[Kept]) -> None:
        """Give addresses back; those that somebody else has by now stay.

        Raises:
            PlanesError: a network's directory cannot be used.
        """
        for one in kept:
            with self._files.locked(one.data_dir, one.network) as files:
                files.remove(one.address, one.owner)

    def _networks(self, more: Iterable[str]) -> Iterator[tuple[str, str]]:
        """Give the directories that hold addresses, each as its parent and its name."""
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
