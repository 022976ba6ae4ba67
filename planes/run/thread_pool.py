"""A thread pool for short blocking work, some threads of which may hang.

`concurrent.futures.ThreadPoolExecutor` does not replace a thread that hangs, and the process cannot
end while one does.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from planes.run.worker_threads import StuckThread, WorkerThreads

T = TypeVar("T")

_CLOSE_SECONDS: Final = 1.0


class ThreadPool(ThreadPoolExecutor):
    """The pool, a ThreadPoolExecutor since an event loop takes no other as its default.

    Args:
        limit: most threads that work at once.
        name: of the threads.
    """

    def __init__(self, limit: int, name: str) -> None:
        super().__init__(1, thread_name_prefix=name)  # it never starts a thread of its own
        self._work: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._workers = WorkerThreads(self._serve, name=name, limit=limit)
        self._is_over = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Call a function in a thread.

        Raises:
            RuntimeError: the pool was shut down, or no thread can be started.
        """
        future: Future[T] = Future()
        self.carry_out(lambda: _carry_out(future, lambda: fn(*args, **kwargs)))
        return future

    def carry_out(self, work: Callable[[], object]) -> None:
        """Call a function in a thread; what it returns is dropped, and it must not raise.

        Raises:
            RuntimeError: the pool was shut down, or no thread can be started.
        """
        if self._is_over:
            raise RuntimeError("cannot schedule new futures after shutdown")
        self._work.put(work)
        if not self._workers.expect_job():
            raise RuntimeError("cannot start a thread")

    def stuck(self, seconds: float) -> list[StuckThread]:
        """Return the threads that have been busy with one job for at least so long."""
        return self._workers.stuck(seconds)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the threads; those that hang stay behind."""
        if not self._is_over:
            self._is_over = True
            self._workers.stop(lambda: self._work.put(None), _CLOSE_SECONDS if wait else 0.0)

    def _serve(self) -> None:
        while (work := self._work.get()) is not None:
            self._workers.begin_job()
            try:
                work()
            finally:
                self._workers.end_job()
            del work
            if self._workers.is_surplus():
                return
        self._workers.end_thread()


def _carry_out(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
