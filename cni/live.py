"""Which addresses sandboxes of this machine have, whoever made them and whatever is known of them.

Asked before something is given back that the journal does not account for: what an interface still
has is never given back. Every network namespace is looked into that a path leads to: those that
container runtimes mount, and those of processes.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Final, Protocol

from cni.net.addresses import get_addresses, read_addresses
from cni.net.kernel import Kernel
from cni.net.workers import Worker
from planes.model.addresses import IPAddress
from planes.model.errors import BadInput

_MOUNTED: Final = ("/run/netns", "/var/run/netns", "/run/docker/netns")
_PROCESSES: Final = "/proc"


class Live(Protocol):
    """Tells what lives."""

    async def addresses(self, hints: Iterable[str]) -> frozenset[IPAddress]:
        """Give the addresses that interfaces have, in all namespaces that can be found.

        Args:
            hints: paths of namespaces that are known; others of their directories are found.

        Raises:
            PlanesError: a namespace could not be looked into: nothing is known then.
        """
        ...


class LiveKernel:
    """The real ones."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def addresses(self, hints: Iterable[str]) -> frozenset[IPAddress]:
        """Give the addresses that interfaces have; see `Live.addresses`."""
        paths = tuple(dict.fromkeys(hints))
        found: set[IPAddress] = set()
        for path in await self._kernel.run(lambda _worker: tuple(namespaces(paths))):
            found |= await self._kernel.run(partial(_addresses, path))
        return frozenset(found)


def namespaces(hints: Iterable[str]) -> Iterator[str]:
    """Give one path of each namespace that can be found."""
    seen: set[tuple[int, int]] = set()
    for path in _paths(hints):
        try:
            found = os.stat(path)
        except (OSError, ValueError):  # gone meanwhile, or a process that ended
            continue
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            yield path


def _paths(hints: Iterable[str]) -> Iterator[str]:
    hints = tuple(hints)
    yield from hints
    directories = (os.path.dirname(path) for path in hints)
    for directory in dict.fromkeys((*_MOUNTED, *directories)):
        if directory and not directory.startswith(_PROCESSES):
            yield from (os.path.join(directory, name) for name in _names(directory))
    for name in _names(_PROCESSES):
        if name.isdigit():
            yield f"{_PROCESSES}/{name}/ns/net"


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _addresses(path: str, worker: Worker) -> set[IPAddress]:
    try:
        with worker.sandbox(path) as sandbox:
            return {one.address.ip for one in read_addresses(sandbox.channel.dump(get_addresses()))}
    except BadInput:  # gone meanwhile, or a file where a namespace was mounted once
        return set()
