"""The kernel as the runtime sees it: awaitable steps, carried out in worker threads.

The host's namespace is the one the process runs in, or one that is passed in. No method changes
the namespace of the caller, and a step that has begun ends before its caller is told anything.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from cni.net import configure, namespaces, removal
from cni.net.configure import Setup
from cni.net.errors import MissingNetns
from cni.net.facts import Facts, read_facts
from cni.net.links import Link, get_links, read_links
from cni.net.namespaces import Netns
from cni.net.workers import Worker, Workers
from planes.run.crew import Stuck

T = TypeVar("T")

_OWN_NETNS = "/proc/thread-self/ns/net"
_SETTLE_STEP_SECONDS = 0.05
# Steps that do not wait are Python and short system calls: with more threads they only contend
# for the interpreter. Not fewer either: a foreign process that holds a host-local lock for long
# occupies one of them for each ADD of its network.
_QUICK = 4


class Kernel:
    """Kernel work on behalf of one host namespace.

    Args:
        host_netns: path of the namespace that is the host, "" for that of this process.
        threads: most steps that wait at once; of the others fewer are carried out at once.
        settle_seconds: how long to wait for duplicate address detection (the reference's 5 s).
    """

    def __init__(
        self, host_netns: str = "", *, threads: int = 8, settle_seconds: float = 5.0
    ) -> None:
        self._settle_seconds = settle_seconds
        self._home = namespaces.open_netns(host_netns or _OWN_NETNS)
        is_foreign = bool(host_netns)
        self._workers = Workers(self._home, is_foreign=is_foreign, limit=min(threads, _QUICK))
        self._waiters = Workers(self._home, is_foreign=is_foreign, limit=threads)

    def close(self, seconds: float = 30.0) -> None:
        """Let running steps end and the threads go; blocks until then, or until time is over."""
        is_over = [pool.close(seconds) for pool in (self._workers, self._waiters)]
        if all(is_over):  # else a thread that hangs may come back, and must find its way home
            os.close(self._home)

    def stuck(self, seconds: float) -> list[Stuck]:
        """Give the threads that are at one step for so long."""
        return [*self._workers.stuck(seconds), *self._waiters.stuck(seconds)]

    async def run(
        self,
        job: Callable[[Worker], T],
        undo: Callable[[Worker, T], None] | None = None,
        *,
        waits: bool = False,
    ) -> T:
        """Carry out a step of one's own; see `Workers.run`.

        Args:
            job: what to do.
            undo: takes it back.
            waits: the step mostly waits for the kernel (or a program), as a removal does.
        """
        return await (self._waiters if waits else self._workers).run(job, undo)

    async def check_netns(self, path: str) -> Netns:
        """Verify that a path is a network namespace.

        Raises:
            MissingNetns: nothing is there (code 8).
            BadInput: something else is there (code 8).
        """
        return await self.run(lambda _worker: namespaces.identify(path))

    async def link_names(self, netns: str) -> frozenset[str]:
        """Names of the links in a namespace.

        Raises:
            PlanesError: as `check_netns`.
        """

        def step(worker: Worker) -> frozenset[str]:
            with worker.sandbox(netns) as sandbox:
                return frozenset(
                    link.name for link in read_links(sandbox.channel.dump(get_links()))
                )

        return await self.run(step)

    async def remove_links(self, netns: str, names: Sequence[str]) -> None:
        """Remove links of a sandbox as one group; links or a namespace that are gone are fine.

        Raises:
            PlanesError: a path that is no namespace, or a link the kernel will not remove.
        """
        if not netns or not names:
            return
        try:
            await self.run(
                lambda worker: removal.remove_links(worker, netns, tuple(names)), waits=True
            )
        except MissingNetns:
            return

    async def facts(self, netns: str = "") -> Facts:
        """Read links, addresses and routes of a namespace, "" for the host.

        Raises:
            PlanesError: as `check_netns`.
        """

        def step(worker: Worker) -> Facts:
            if not netns:
                return read_facts(worker.host)
            with worker.sandbox(netns) as sandbox:
                return read_facts(sandbox.channel)

        return await self.run(step)

    async def settle(self, netns: str, setup: Setup, link: Link) -> None:
        """Wait for duplicate address detection, without holding a thread; then add the routes.

        Raises:
            PlanesError: an address is a duplicate, or the kernel refuses a route.
        """
        await self._wait_until_settled(netns, link)
        await self.run(lambda worker: _add_routes(worker, netns, setup, link))

    async def _wait_until_settled(self, netns: str, link: Link) -> None:
        for _step in range(round(self._settle_seconds / _SETTLE_STEP_SECONDS)):
            await asyncio.sleep(_SETTLE_STEP_SECONDS)
            if await self.run(lambda worker: _is_settled(worker, netns, link)):
                return
        seconds = self._settle_seconds
        await self.run(lambda worker: _give_up(worker, netns, link, seconds))


def _is_settled(worker: Worker, netns: str, link: Link) -> bool:
    with worker.sandbox(netns) as sandbox:
        return configure.is_settled(sandbox, link)


def _give_up(worker: Worker, netns: str, link: Link, seconds: float) -> None:
    with worker.sandbox(netns) as sandbox:
        configure.give_up_settling(sandbox, link, seconds)


def _add_routes(worker: Worker, netns: str, setup: Setup, link: Link) -> None:
    with worker.sandbox(netns) as sandbox:
        configure.add_routes(sandbox, setup, link)
