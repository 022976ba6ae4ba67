"""A thread pool for short blocking work that lives with threads that hang.

`concurrent.futures.ThreadPoolExecutor` neither replaces a thread that hangs nor lets the process
end before it does not any more.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from planes.run.crew import Crew, Stuck

T = TypeVar("T")

_CLOSE_SECONDS: Final = 1.0


class Threads(ThreadPoolExecutor):
    """The pool; of that type because an event loop takes no other as its own.

    Args:
        limit: most threads that work at once.
        name: of the threads.
    """

    def __init__(self, limit: int, name: str) -> None:
        super().__init__(1, thread_name_prefix=name)  # it never starts a thread of its own
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._crew = Crew(self._serve, name=name, limit=limit)
        self._is_over = False

    def submit(self, fn: Callable[..., T], /, *args: Any, **kwargs: Any) -> Future[T]:
        """Have a function called in a thread.

        Raises:
            RuntimeError: the pool was shut down, or no thread can be started.
        """
        if self._is_over:
            raise RuntimeError("cannot schedule new futures after shutdown")
        future: Future[T] = Future()
        self._work.put((future, lambda: fn(*args, **kwargs)))
        if not self._crew.enlist():
            raise RuntimeError("cannot start a thread")
        return future

    def stuck(self, seconds: float) -> list[Stuck]:
        """Give the threads that are at one piece of work for so long."""
        return self._crew.stuck(seconds)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads go; those that hang are left behind."""
        if not self._is_over:
            self._is_over = True
            self._crew.dismiss(lambda: self._work.put(None), _CLOSE_SECONDS if wait else 0.0)

    def _serve(self) -> None:
        while (given := self._work.get()) is not None:
            future, work = given
            self._crew.begin()
            try:
                _carry_out(future, work)
            finally:
                self._crew.end()
            del given, future, work
            if self._crew.is_surplus():
                return
        self._crew.leave()


def _carry_out(future: Future[T], work: Callable[[], T]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = work()
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
