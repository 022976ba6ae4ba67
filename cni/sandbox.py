"""What verbs need of a sandbox as a whole, each in one visit of a kernel thread.

Invariant: an answer is about the namespace that is behind the path at that moment, which its
inode identifies.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from cni.net.default_route import set_default_route
from cni.net.kernel import Kernel
from cni.net.links import get_links, read_links
from cni.net.workers import Worker


@dataclass(frozen=True, slots=True)
class Survey:
    """A sandbox as found.

    Attributes:
        inode: identifies the namespace.
        names: of the links in it.
    """

    inode: int
    names: frozenset[str]


class Sandboxes(Protocol):
    """Sandboxes, seen and changed as a whole."""

    async def survey(self, netns: str) -> Survey:
        """Look into a namespace.

        Raises:
            MissingNetns: nothing is there (code 8).
            BadInput: something else is there (code 8).
        """
        ...

    async def set_default_route(self, netns: str, ifname: str, gateways: Sequence[str]) -> None:
        """Make gateways through an interface the only default routes of their families.

        Raises:
            PlanesError: the kernel refuses, or shows something else afterwards.
        """
        ...


class KernelSandboxes:
    """Real ones."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    async def survey(self, netns: str) -> Survey:
        """Look into a namespace; see `Sandboxes.survey`."""

        def look(worker: Worker) -> Survey:
            with worker.sandbox(netns) as sandbox:
                links = read_links(sandbox.channel.dump(get_links()))
                names = frozenset(link.name for link in links)
                return Survey(os.fstat(sandbox.fd).st_ino, names)

        return await self._kernel.run(look)

    async def set_default_route(self, netns: str, ifname: str, gateways: Sequence[str]) -> None:
        """Set default routes; see `Sandboxes.set_default_route`."""
        await self._kernel.run(lambda worker: set_default_route(worker, netns, ifname, gateways))
