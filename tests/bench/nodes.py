"""A node and its sandboxes as network namespaces with random names, and threads inside them.

Invariant: every namespace is called `np-b-…` and is removed after its block; the machine's own
namespace is never changed.
"""

from __future__ import annotations

import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cni.net import namespaces
from planes.cli.interrupts import held_back
from tests.bench.table import SkippedError
from tests.support.node.netns import Namespace, run, why_no_link_kind, why_no_reference

_BARRIER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Node:
    """A host with a card `eth1` (carrier on) and sandboxes."""

    host: Namespace
    sandboxes: Sequence[Namespace]


def require(*plugins: str) -> None:
    """Raise an error unless kernel features and reference plugins are available.

    Raises:
        SkippedError: something is missing; the text is the reason.
    """
    reasons = (why_no_link_kind("macvlan"), *map(why_no_reference, plugins))
    reason = next(filter(None, reasons), "")
    if reason:
        raise SkippedError(reason)


@contextmanager
def node(sandboxes: int) -> Iterator[Node]:
    """Make a node for a while."""
    with ExitStack() as stack:
        host, far = (stack.enter_context(_namespace(kind)) for kind in ("host", "far"))
        host.ip("link", "add", "eth1", "type", "veth", "peer", "name", "eth1", "netns", far.name)
        for end in (host, far):
            end.ip("link", "set", "eth1", "up")
            end.ip("link", "set", "lo", "up")
        made = [stack.enter_context(_namespace("pod")) for _ in range(sandboxes)]
        yield Node(host, made)


@contextmanager
def _namespace(kind: str) -> Iterator[Namespace]:
    made = Namespace(f"np-b-{os.getpid()}-{kind}{secrets.token_hex(4)}")
    try:
        with held_back():
            run("ip", "netns", "add", made.name)
        yield made
    finally:
        # Ctrl-C may come before it is made: what is there decides.
        with held_back():
            if Path(made.path).exists():
                run("ip", "netns", "del", made.name)


@dataclass(frozen=True, slots=True)
class Burst:
    """Milliseconds of calls that were begun at once: of each, and of all together."""

    each: list[float]
    whole: float


class Crew:
    """Threads inside a namespace, each of which makes one call of a burst.

    Args:
        home: where they live; what they spawn starts there.
        size: how many calls a burst has.
    """

    def __init__(self, home: Namespace, size: int) -> None:
        self._size = size
        self._barrier = threading.Barrier(size)
        self._pool = ThreadPoolExecutor(size, initializer=move_to, initargs=(home.path,))

    def close(self) -> None:
        """End the threads."""
        self._barrier.abort()
        self._pool.shutdown()

    def burst(self, work: Callable[[int], object]) -> Burst:
        """Call the work with 0 … size - 1, all at once.

        Raises:
            Exception: the first failure.
        """

        def one(number: int) -> tuple[float, float]:
            self._barrier.wait(_BARRIER_SECONDS)
            begin = time.perf_counter()
            work(number)
            return begin, time.perf_counter()

        futures = [self._pool.submit(one, number) for number in range(self._size)]
        times = [future.result() for future in futures]
        whole = max(end for _, end in times) - min(begin for begin, _ in times)
        return Burst([(end - begin) * 1e3 for begin, end in times], whole * 1e3)


@contextmanager
def crew(home: Namespace, size: int) -> Iterator[Crew]:
    """Make a crew for a while."""
    made = Crew(home, size)
    try:
        yield made
    finally:
        made.close()


def move_to(path: str) -> None:
    """Move the calling thread into a namespace, where it stays."""
    fd = namespaces.open_netns(path)
    try:
        namespaces.enter(fd)
    finally:
        os.close(fd)
