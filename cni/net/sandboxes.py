"""What the CNI verbs need of a sandbox as a whole, each in one job of a kernel thread.

Invariant: an answer is about the namespace that is at the path at that moment, which its inode
identifies.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from cni.net.default_route import set_default_route
from cni.net.errors import TooManyListed
from cni.net.kernel import Kernel
from cni.net.links import get_links, read_links
from cni.net.uplink_carrier import DeadLink, LinkUse, Uplink, dead_links
from cni.net.workers import SANDBOX_MOST, Worker
from planes.run.clock import Clock

LOOK_SECONDS: Final = 0.5
_MOST_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True)
class Survey:
    """A sandbox as found.

    Attributes:
        inode: identifies the namespace.
        names: of the links in it; none where they are more than are listed, as a teardown needs
            the inode all the same.
        dead: the links of the host asked for that cannot pass frames.
    """

    inode: int
    names: frozenset[str]
    dead: Mapping[Uplink, DeadLink] = field(default_factory=dict)


class Sandboxes(Protocol):
    """Reads and changes sandboxes as a whole."""

    async def survey(self, netns: str, uplinks: Sequence[Uplink] = ()) -> Survey:
        """Read a namespace, and in the same job links of the host.

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
    """Sandboxes of this machine's kernel.

    Args:
        kernel: runs the steps.
        clock: for how long the state of a bridge is known.
        root: path of the host's root directory, for its /sys; "" where it is ours.
        most: the most links of a sandbox that are listed.
    """

    def __init__(
        self, kernel: Kernel, clock: Clock, root: str = "", *, most: int = SANDBOX_MOST
    ) -> None:
        self._most = most
        self._kernel = kernel
        self._clock = clock
        self._root = root
        self._alive_until: dict[Uplink, float] = {}

    async def survey(self, netns: str, uplinks: Sequence[Uplink] = ()) -> Survey:
        """Read a namespace; see `Sandboxes.survey`."""
        now = self._clock.monotonic()
        asked = [one for one in uplinks if now >= self._alive_until.get(one, now)]

        def look(worker: Worker) -> Survey:
            with worker.sandbox(netns, most=self._most) as sandbox:
                inode = os.fstat(sandbox.fd).st_ino
                names = frozenset[str]()
                with suppress(TooManyListed):
                    links = read_links(sandbox.channel.dump(get_links()))
                    names = frozenset(link.name for link in links)
            return Survey(inode, names, dead_links(worker, asked, self._root))

        survey = await self._kernel.run(look)
        self._remember(asked, survey.dead, now)
        return survey

    def _remember(
        self, asked: Sequence[Uplink], dead: Mapping[Uplink, DeadLink], now: float
    ) -> None:
        """Cache which bridges pass frames: a look takes 2 ms for each hundred ports."""
        if len(self._alive_until) >= _MOST_REMEMBERED:
            self._alive_until.clear()
        for one in asked:
            if one.use is LinkUse.BRIDGE and one not in dead:
                self._alive_until[one] = now + LOOK_SECONDS

    async def set_default_route(self, netns: str, ifname: str, gateways: Sequence[str]) -> None:
        """Set default routes; see `Sandboxes.set_default_route`."""
        await self._kernel.run(lambda worker: set_default_route(worker, netns, ifname, gateways))
