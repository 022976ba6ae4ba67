"""Kernel work as awaitable steps, which run in worker threads.

The host's namespace is that of the process, or one that is passed in. Invariant: no method changes
the namespace of its caller, and a cancelled caller is told when the running step has ended.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TypeVar

from cni.net import namespaces, removal
from cni.net.errors import MissingNetns
from cni.net.facts import Facts, read_facts
from cni.net.workers import Worker, Workers
from planes.model.errors import PlanesError
from planes.run.worker_threads import StuckThread

T = TypeVar("T")
AfterRemoval = Callable[[Worker, PlanesError | None], None]

_OWN_NETNS = "/proc/thread-self/ns/net"
# Steps that do not wait are Python and short system calls: more threads only contend for the
# interpreter and for the kernel's one lock of links. With two, 32 pods at once take 10 % less
# processor time than with four. One that waits for a host-local lock is replaced after a while
# (`planes.run.worker_threads.SLOW_SECONDS`).
_QUICK = 2


class Kernel:
    """Kernel work for one host namespace.

    Args:
        host_netns: path of the host's namespace, "" for that of this process.
        threads: most steps that wait at once; of other steps fewer run at once.
        settle_seconds: the longest wait for duplicate address detection, as the reference plugins'.

    Attributes:
        settle_seconds: see above.
    """

    def __init__(
        self, host_netns: str = "", *, threads: int = 8, settle_seconds: float = 5.0
    ) -> None:
        self.settle_seconds = settle_seconds
        self._home = namespaces.open_netns(host_netns or _OWN_NETNS)
        is_foreign = bool(host_netns)
        self._workers = Workers(self._home, is_foreign=is_foreign, limit=min(threads, _QUICK))
        self._waiters = Workers(self._home, is_foreign=is_foreign, limit=threads)

    def close(self, seconds: float = 30.0) -> None:
        """End the threads after their running steps; blocks until then, at most so long."""
        is_over = [pool.close(seconds) for pool in (self._workers, self._waiters)]
        if all(is_over):  # else a thread that hangs may still need it to return to the host
            os.close(self._home)

    def stuck(self, seconds: float) -> list[StuckThread]:
        """Return the threads that have been busy with one step for at least so long."""
        return [*self._workers.stuck(seconds), *self._waiters.stuck(seconds)]

    async def run(
        self,
        job: Callable[[Worker], T],
        undo: Callable[[Worker, T], None] | None = None,
        *,
        waits: bool = False,
    ) -> T:
        """Run a step in a worker thread; see `Workers.run`.

        Args:
            job: the step.
            undo: reverses it.
            waits: whether it mostly waits for the kernel or a program, as a removal does.
        """
        return await (self._waiters if waits else self._workers).run(job, undo)

    async def remove_links(
        self, netns: str, names: Sequence[str], then: AfterRemoval | None = None
    ) -> None:
        """Remove links of a sandbox as one group; missing links or a missing namespace are fine.

        Args:
            netns: path of the sandbox's namespace, "" for none.
            names: of the links.
            then: called in the same thread afterwards, with the error of the removal or None.

        Raises:
            PlanesError: a path that is no namespace, or a link the kernel will not remove; not
                where `then` is given.
        """
        wanted = tuple(names) if netns else ()
        if not wanted and then is None:
            return

        def job(worker: Worker) -> None:
            error: PlanesError | None = None
            try:
                if wanted:
                    removal.remove_links(worker, netns, wanted)
            except MissingNetns:
                pass
            except PlanesError as failed:
                error = failed
            if then is not None:
                then(worker, error)
            elif error is not None:
                raise error

        await self.run(job, waits=True)

    async def facts(self, netns: str = "") -> Facts:
        """Read links, addresses and routes of a namespace, "" for the host.

        Raises:
            MissingNetns: nothing is there (code 8).
            PlanesError: something else is there, or the kernel refuses.
        """

        def step(worker: Worker) -> Facts:
            if not netns:
                return read_facts(worker.host)
            with worker.sandbox(netns) as sandbox:
                return read_facts(sandbox.channel)

        return await self.run(step)
