"""A bounded pool of threads that carry out kernel work, all at home in the host's namespace.

A thread leaves home only inside `Worker.inside`. One that could not come back is retired with
its job, since whatever it did next would happen in somebody's sandbox.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Any, TypeVar

from cni.net import namespaces
from cni.net.channel import Channel
from planes.model.errors import Internal, PlanesError, Unavailable
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
    """The pool; threads start when there is work for them.

    Args:
        home: descriptor of the host's namespace.
        is_foreign: True where that is not the namespace this process runs in.
        limit: most threads at once.
    """

    def __init__(self, home: int, *, is_foreign: bool, limit: int) -> None:
        self._home = home
        self._is_foreign = is_foreign
        self._limit = limit
        self._jobs: SimpleQueue[Job[Any] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._pending = 0
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

    def _submit(self, work: Callable[[Worker], T]) -> Outcome[T]:
        job = Job(work)
        with self._lock:
            if self._is_closed:
                raise Internal("cannot do kernel work: the runtime is shutting down")
            self._pending += 1
            self._start_if_needed()
            if not self._threads:
                self._pending -= 1
                raise Unavailable("cannot do kernel work: no thread can be started")
            self._jobs.put(job)
        return job.done

    def _start_if_needed(self) -> None:
        if len(self._threads) < min(self._pending, self._limit):
            thread = threading.Thread(target=self._serve, name="kernel", daemon=True)
            self._threads.add(thread)
            try:
                thread.start()
            except RuntimeError:  # out of threads: those that run will do it
                self._threads.discard(thread)

    def _serve(self) -> None:
        worker = Worker(self._home)
        failure = self._settle_in()
        is_fit = failure is None
        while is_fit:
            job = self._jobs.get()
            if job is None:
                break
            if not job.carry_out(worker):
                worker.drop_host()
            is_fit = not worker.is_lost
            with self._lock:
                self._pending -= 1
        if failure is not None:
            self._refuse(failure)
        worker.drop_host()
        with self._lock:
            self._threads.discard(threading.current_thread())
            self._start_if_needed()

    def _refuse(self, failure: PlanesError) -> None:
        job = self._jobs.get()
        if job is not None:
            job.refuse(failure)
        with self._lock:
            self._pending -= 1

    def _settle_in(self) -> PlanesError | None:
        if not self._is_foreign:
            return None
        try:
            namespaces.enter(self._home)
        except PlanesError as error:
            return error
        return None

    def close(self) -> None:
        """Let running jobs end, then the threads."""
        with self._lock:
            self._is_closed = True
            threads = list(self._threads)
        for _thread in threads:
            self._jobs.put(None)
        for thread in threads:
            thread.join()
