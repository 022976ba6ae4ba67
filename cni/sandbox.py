"""What a plan and a way out need to know of a sandbox, in one visit of a kernel thread.

Invariant: looks only; an answer is about the namespace that is behind the path at that moment,
which its inode identifies.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

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
    """Looks into sandboxes."""

    async def survey(self, netns: str) -> Survey:
        """Look into a namespace.

        Raises:
            MissingNetns: nothing is there (code 8).
            BadInput: something else is there (code 8).
        """
        ...


class KernelSandboxes:
    """Looks into real ones."""

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
