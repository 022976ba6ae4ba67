"""A bounded pool of threads that carry out kernel work, all at home in the host's namespace.

A thread leaves home only inside `Worker.inside`. One that could not come back is retired with
its job, since whatever it did next would happen in somebody's sandbox.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

from cni.net import namespaces
from cni.net.channel import Channel
from planes.model.errors import Internal, PlanesError, Unavailable
from planes.run.crew import Crew, Stuck
from planes.run.jobs import Job, Outcome, ended

T = TypeVar("T")


class Sandbox:
    """An open sandbox: its descriptor, for placing links, and its netlink socket."""

    def __init__(self, worker: Worker, fd: int, path: str) -> None:
        self._worker = worker
        self.fd = fd
        self.path = path
        self._channel: Channel | None = None

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Be inside, for writing sysctls; opens the socket on the way, to enter only once."""
        with self._worker.inside(self.fd):
            if self._channel is None:
                self._channel = Channel()
            yield

    @property
    def channel(self) -> Channel:
        """The socket inside."""
        if self._channel is None:
            with self.inside():
                pass
        if self._channel is None:  # unreachable: `inside` opens it or raises
            raise Internal("cannot open a netlink socket in the sandbox")
        return self._channel

    def close(self) -> None:
        """Close the socket."""
        if self._channel is not None:
            self._channel.close()


class Worker:
    """What a job has while it runs: the host's netlink socket, and a way into sandboxes."""

    def __init__(self, home: int) -> None:
        self._home = home
        self._host: Channel | None = None
        self.is_lost = False

    @property
    def host(self) -> Channel:
        """The socket in the host's namespace, kept for the life of the thread."""
        if self._host is None:
            self._host = Channel()
        return self._host

    def drop_host(self) -> None:
        """Close the host's socket: after a failed job nobody knows what is still unread in it."""
        if self._host is not None:
            self._host.close()
            self._host = None

    @contextmanager
    def sandbox(self, path: str) -> Iterator[Sandbox]:
        """Have a sandbox open.

        Raises:
            MissingNetns: it is gone.
            BadInput: the path is no network namespace.
        """
        fd = namespaces.open_netns(path)
        sandbox = Sandbox(self, fd, path)
        try:
            yield sandbox
        finally:
            sandbox.close()
            os.close(fd)

    @contextmanager
    def inside(self, netns: int) -> Iterator[None]:
        """Be inside a namespace for opening sockets and writing sysctls, no longer."""
        namespaces.enter(netns)
        try:
            yield
        finally:
            try:
                namespaces.enter(self._home)
            except PlanesError as error:
                self.is_lost = True
                raise Internal("cannot return to the host's network namespace") from error


class Workers:
    """The pool; threads start when there is work for them, spare ones while some hang.

    Args:
        home: descriptor of the host's namespace.
        is_foreign: True where that is not the namespace this process runs in.
        limit: most threads at work at once.
    """

    def __init__(self, home: int, *, is_foreign: bool, limit: int) -> None:
        self._home = home
        self._is_foreign = is_foreign
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._crew = Crew(self._serve, name="kernel", limit=limit)
        self._is_closed = False

    async def run(
        self, job: Callable[[Worker], T], undo: Callable[[Worker, T], None] | None = None
    ) -> T:
        """Carry out a job in a thread, to its end even when the caller is cancelled.

        Args:
            job: what to do; gets the thread's sockets and its way into sandboxes.
            undo: job that takes back what the first did, for when it succeeded although the
                caller was cancelled.
        """
        if undo is None:
            return await ended(self._submit(job))
        take_back = undo
        return await ended(
            self._submit(job),
            lambda result: self._submit(lambda worker: take_back(worker, result)),
        )

    def stuck(self, seconds: float) -> list[Stuck]:
        """Give the threads that are at one job for so long."""
        return self._crew.stuck(seconds)

    def _submit(self, work: Callable[[Worker], T]) -> Outcome[T]:
        job = Job(work)
        if self._is_closed:
            raise Internal("cannot do kernel work: the runtime is shutting down")
        if not self._crew.enlist():
            raise Unavailable("cannot do kernel work: no thread can be started")
        self._jobs.put(job)
        return job.done

    def _serve(self) -> None:
        worker = Worker(self._home)
        failure = self._settle_in()
        is_fit = failure is None
        while is_fit:
            job = self._jobs.get()
            if job is None:
                break
            self._crew.begin()
            if not job.carry_out(worker):
                worker.drop_host()
            self._crew.end()
            is_fit = not worker.is_lost and not self._crew.is_surplus()
        if failure is not None:
            self._refuse(failure)
        worker.drop_host()
        self._crew.leave()

    def _refuse(self, failure: PlanesError) -> None:
        job = self._jobs.get()
        if job is not None:
            job.refuse(failure)
        self._crew.end()

    def _settle_in(self) -> PlanesError | None:
        if not self._is_foreign:
            return None
        try:
            namespaces.enter(self._home)
        except PlanesError as error:
            return error
        return None

    def close(self, seconds: float) -> bool:
        """Let running jobs end, then the threads; tells whether they did in the time given."""
        self._is_closed = True
        return self._crew.dismiss(lambda: self._jobs.put(None), seconds)
