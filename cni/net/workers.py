"""A bounded pool of threads for kernel work, all of them in the host's namespace.

Invariant: a thread is in another namespace only inside a block of `Inside`. One that could not
return ends after its job, since its next job would run in a sandbox.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from cni.net import namespaces
from cni.net.channel import Channel
from planes.model.errors import Internal, PlanesError, Unavailable
from planes.run.jobs import Job
from planes.run.shielded import ShieldedFuture, shielded
from planes.run.worker_threads import StuckThread, WorkerThreads

T = TypeVar("T")

SANDBOX_MOST: Final = 1 << 15
"""Links, addresses, routes or rules that are listed of a sandbox, some 0.3 s of processor time.

A pod can make hundreds of thousands, and threads and interpreter are shared by all pods.
"""


class OpenSandbox:
    """An open sandbox: the descriptor of its namespace, for new links, and its netlink socket.

    A context manager, which closes it.

    Args:
        worker: in whose thread it is used.
        path: of its namespace.
        most: the longest listing that is read from it; 0 for any.

    Raises:
        MissingNetns: it is gone.
        BadInput: the path is no network namespace.
    """

    def __init__(self, worker: Worker, path: str, most: int) -> None:
        self._worker = worker
        self._most = most
        self._channel: Channel | None = None
        self.fd = namespaces.open_netns(path)

    def __enter__(self) -> OpenSandbox:
        """Return it."""
        return self

    def __exit__(self, *_raised: object) -> None:
        """Close it."""
        self.close()

    def inside(self) -> Inside:
        """Return what enters the namespace for a block, to open sockets and to write sysctls."""
        return Inside(self._worker, self)

    @property
    def channel(self) -> Channel:
        """Return the netlink socket in the namespace."""
        if self._channel is None or self._channel.is_closed:
            with self.inside():
                pass
        if self._channel is None:  # unreachable: `inside` opens it or raises
            raise Internal("cannot open a netlink socket in the sandbox")
        return self._channel

    def open_channel(self) -> None:
        """Open the netlink socket in the namespace that the thread is in, unless it is open."""
        if self._channel is None or self._channel.is_closed:
            self._channel = Channel(most=self._most)

    def close(self) -> None:
        """Close the socket and the descriptor."""
        if self._channel is not None:
            self._channel.close()
        os.close(self.fd)


class Inside:
    """The calling thread is in a sandbox inside the block, whose netlink socket is opened as well.

    Args:
        worker: of the thread.
        sandbox: the sandbox.
    """

    def __init__(self, worker: Worker, sandbox: OpenSandbox) -> None:
        self._worker = worker
        self._sandbox = sandbox

    def __enter__(self) -> None:
        """Enter the namespace.

        Raises:
            PlanesError: not permitted, or no netlink socket can be opened.
        """
        namespaces.enter(self._sandbox.fd)
        try:
            self._sandbox.open_channel()
        except BaseException:
            self._leave()
            raise

    def __exit__(self, *_raised: object) -> None:
        """Return to the host's namespace.

        Raises:
            Internal: the thread cannot return; it is ended after its job.
        """
        self._leave()

    def _leave(self) -> None:
        try:
            namespaces.enter(self._worker.home)
        except PlanesError as error:
            self._worker.is_lost = True
            raise Internal("cannot return to the host's network namespace") from error


class Worker:
    """Passed to each job: the host's netlink socket, and access to sandboxes."""

    def __init__(self, home: int) -> None:
        self._home = home
        self._host: Channel | None = None
        self.is_lost = False

    @property
    def home(self) -> int:
        """Return the descriptor of the host's namespace, for links that are moved there."""
        return self._home

    @property
    def host(self) -> Channel:
        """Return the netlink socket in the host's namespace, kept by the thread."""
        if self._host is None:
            self._host = Channel()
        return self._host

    def drop_host(self) -> None:
        """Close the host's socket: after a failed job there may be unread answers in it."""
        if self._host is not None:
            self._host.close()
            self._host = None

    def sandbox(self, path: str, *, most: int = SANDBOX_MOST) -> OpenSandbox:
        """Open a sandbox, which the caller closes.

        Args:
            path: of its namespace.
            most: the longest listing that is read from it; 0 for any.

        Raises:
            MissingNetns: it is gone.
            BadInput: the path is no network namespace.
        """
        return OpenSandbox(self, path, most)


class Workers:
    """The pool; threads are started when there are jobs, spare ones while some hang.

    Args:
        home: descriptor of the host's namespace.
        is_foreign: whether that is another namespace than this process's.
        limit: most threads that work at once.
    """

    def __init__(self, home: int, *, is_foreign: bool, limit: int) -> None:
        self._home = home
        self._is_foreign = is_foreign
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._threads = WorkerThreads(self._serve, name="kernel", limit=limit)
        self._is_closed = False

    async def run(
        self, job: Callable[[Worker], T], undo: Callable[[Worker, T], None] | None = None
    ) -> T:
        """Run a job in a thread, to its end even when the caller is cancelled.

        Args:
            job: called with the worker of the thread.
            undo: a job that reverses the first one; run where the caller was cancelled and the
                first one succeeded all the same.
        """
        if undo is None:
            return await shielded(self._submit(job))
        reverse = undo
        return await shielded(
            self._submit(job),
            lambda result: self._submit(lambda worker: reverse(worker, result)),
        )

    def stuck(self, seconds: float) -> list[StuckThread]:
        """Return the threads that have been busy with one job for at least so long."""
        return self._threads.stuck(seconds)

    def _submit(self, work: Callable[[Worker], T]) -> ShieldedFuture[T]:
        job = Job(work)
        if self._is_closed:
            raise Internal("cannot do kernel work: the runtime is shutting down")
        if not self._threads.expect_job():
            raise Unavailable("cannot do kernel work: no thread can be started")
        self._jobs.put(job)
        return job.done

    def _serve(self) -> None:
        worker = Worker(self._home)
        failure = self._enter_host()
        is_fit = failure is None
        while is_fit:
            job = self._jobs.get()
            if job is None:
                break
            self._threads.begin_job()
            if not job.carry_out(worker):
                worker.drop_host()
            self._threads.end_job()
            is_fit = not worker.is_lost and not self._threads.is_surplus()
        if failure is not None:
            self._refuse(failure)
        worker.drop_host()
        self._threads.end_thread()

    def _refuse(self, failure: PlanesError) -> None:
        job = self._jobs.get()
        if job is not None:
            job.refuse(failure)
        self._threads.end_job()

    def _enter_host(self) -> PlanesError | None:
        if not self._is_foreign:
            return None
        try:
            namespaces.enter(self._home)
        except PlanesError as error:
            return error
        return None

    def close(self, seconds: float) -> bool:
        """End the threads after their running jobs; report whether they ended in the time given."""
        self._is_closed = True
        return self._threads.stop(lambda: self._jobs.put(None), seconds)
