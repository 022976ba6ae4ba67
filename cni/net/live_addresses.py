"""List the addresses that interfaces of this machine's sandboxes have, known or not.

For the release of addresses that the journal does not know: one that an interface has is never
released. All network namespaces that have a path are searched: those that container runtimes mount,
and those of processes. For records that were lost only the mounted ones are: a process in a pod
makes any number of namespaces, but cannot mount them where the runtime does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Final, Protocol

from cni.net.addresses import get_addresses, read_addresses
from cni.net.kernel import Kernel
from cni.net.links import get_links, read_links
from cni.net.workers import Worker
from planes.model.addresses import IPAddress
from planes.model.errors import BadInput

_MOUNTED: Final = ("/run/netns", "/var/run/netns", "/run/docker/netns")
_PROCESSES: Final = "/proc"
_MOST_SANDBOXES: Final = 4096
_MOST_ADDRESSES: Final = 1024
"""Of one sandbox: root in a pod adds as many as it likes, and the kernel lists its first ones."""


@dataclass(frozen=True, slots=True)
class SandboxAddresses:
    """A sandbox and its addresses, each with the name of its interface.

    Attributes:
        netns: path of the namespace.
        addresses: in the kernel's order, at most 1024.
    """

    netns: str
    addresses: tuple[tuple[str, IPAddress], ...]


class Live(Protocol):
    """Lists the addresses in use."""

    async def addresses(self, hints: Iterable[str]) -> frozenset[IPAddress]:
        """Return the addresses of interfaces in all namespaces that can be found.

        Args:
            hints: paths of known namespaces; others in their directories are found, too.

        Raises:
            PlanesError: a namespace could not be read, so nothing is known.
        """
        ...

    async def by_sandbox(self, hints: Iterable[str]) -> tuple[SandboxAddresses, ...]:
        """Return the addresses of each namespace that a container runtime mounted.

        Args:
            hints: paths of known namespaces; others in their directories are found, too.

        Raises:
            PlanesError: a namespace could not be read, so nothing is known.
        """
        ...


class LiveKernel:
    """Those of this machine's kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def addresses(self, hints: Iterable[str]) -> frozenset[IPAddress]:
        """Return the addresses that interfaces have; see `Live.addresses`."""
        paths = tuple(dict.fromkeys(hints))
        found: set[IPAddress] = set()
        for path in await self._kernel.run(lambda _worker: tuple(namespaces(paths))):
            found |= await self._kernel.run(partial(_addresses, path))
        return frozenset(found)

    async def by_sandbox(self, hints: Iterable[str]) -> tuple[SandboxAddresses, ...]:
        """Return the addresses of each mounted namespace; see `Live.by_sandbox`."""
        paths = tuple(dict.fromkeys(hints))
        mounted = await self._kernel.run(lambda worker: _mounted(paths, worker.home))
        found = [await self._kernel.run(partial(_named_addresses, path)) for path in mounted]
        return tuple(SandboxAddresses(*one) for one in zip(mounted, found, strict=True) if one[1])


def namespaces(hints: Iterable[str]) -> Iterator[str]:
    """Return one path of each namespace that can be found."""
    yield from _distinct(_paths(hints), set())


def _mounted(hints: Iterable[str], home: int) -> tuple[str, ...]:
    """Return the paths where runtimes mount namespaces, without the host's own."""
    host = os.fstat(home)
    found = _distinct(_mounts(tuple(hints)), {(host.st_dev, host.st_ino)})
    return tuple(islice(found, _MOST_SANDBOXES))


def _distinct(paths: Iterable[str], seen: set[tuple[int, int]]) -> Iterator[str]:
    for path in paths:
        try:
            found = os.stat(path)
        except (OSError, ValueError):  # gone meanwhile, or a process that ended
            continue
        if (found.st_dev, found.st_ino) not in seen:
            seen.add((found.st_dev, found.st_ino))
            yield path


def _paths(hints: Iterable[str]) -> Iterator[str]:
    yield from _mounts(tuple(hints))
    for name in _names(_PROCESSES):
        if name.isdigit():
            yield f"{_PROCESSES}/{name}/ns/net"


def _mounts(hints: tuple[str, ...]) -> Iterator[str]:
    yield from hints
    directories = (os.path.dirname(path) for path in hints)
    for directory in dict.fromkeys((*_MOUNTED, *directories)):
        if directory and not directory.startswith(_PROCESSES):
            yield from (os.path.join(directory, name) for name in _names(directory))


def _names(directory: str) -> list[str]:
    try:
        return os.listdir(directory)
    except OSError:
        return []


def _addresses(path: str, worker: Worker) -> set[IPAddress]:
    try:
        # All of them: one that is left out would be assigned to another pod.
        with worker.sandbox(path, most=0) as sandbox:
            return {one.address.ip for one in read_addresses(sandbox.channel.dump(get_addresses()))}
    except BadInput:  # gone meanwhile, or a file where a namespace was mounted once
        return set()


def _named_addresses(path: str, worker: Worker) -> tuple[tuple[str, IPAddress], ...]:
    try:
        with worker.sandbox(path, most=0) as sandbox:
            links = read_links(sandbox.channel.dump(get_links()))
            found = read_addresses(sandbox.channel.dump(get_addresses()))
    except BadInput:  # gone meanwhile, or a file where a namespace was mounted once
        return ()
    names = {link.index: link.name for link in links}
    return tuple(
        (names.get(one.link, ""), one.address.ip)
        for one in islice(found, _MOST_ADDRESSES)
        if not (one.address.ip.is_loopback or one.address.ip.is_link_local)
    )
