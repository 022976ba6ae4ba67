"""What host-local keeps for a sandbox, found without its configuration: all networks are searched.

For a sandbox whose journal entry is damaged: nothing tells its networks any more, but each file
names its container. Everything here blocks.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from typing import Final

from cni.data_dirs import DataDirs
from cni.ipam.address_files import AddressFiles
from cni.ipam.ranges import as_address
from planes.model.addresses import IPAddress

_DEPTH: Final = 3  # DIR/networks/NAME, and one for administrators who sort theirs
_MOST_DIRECTORIES: Final = 10_000


class KeptAddresses:
    """The address files of all networks.

    Args:
        files: reads and removes them.
        dirs: below which to search.
    """

    def __init__(self, files: AddressFiles, dirs: DataDirs) -> None:
        self._files = files
        self._dirs = dirs

    def of(self, container_id: str, more: Iterable[str] = ()) -> frozenset[IPAddress]:
        """Give the addresses kept for a sandbox.

        Args:
            container_id: the sandbox.
            more: directories to search beside the allowed ones.

        Raises:
            PlanesError: a network's directory cannot be used.
        """
        found: set[IPAddress] = set()
        for data_dir, network in self._networks(more):
            with self._files.locked(data_dir, network) as files:
                found.update(address for address, _ in files.of_container(container_id))
        return frozenset(found)

    def give_back(self, container_id: str, *, but: Collection[str], more: Iterable[str]) -> None:
        """Give back what is kept for a sandbox, except for some of its interfaces.

        Raises:
            PlanesError: a network's directory cannot be used.
        """
        for data_dir, network in self._networks(more):
            with self._files.locked(data_dir, network) as files:
                for address, owner in files.of_container(container_id):
                    if owner.partition("\n")[2].strip() not in but:
                        files.remove(address, owner)

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
