"""What hangs on behalf of one namespace, and what everybody else's pods then wait for."""

from __future__ import annotations

import fcntl
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.attacks.figures.figure import Figure
from tests.attacks.hanging import AttackedNode, attacked_node, sandboxes

BOUND = 2.0
VISITS = 20
GRACE = 45.0
"""terminationGracePeriodSeconds of the DaemonSet."""


def hanging_plugins() -> Iterator[Figure]:
    """Innocent ADD and DEL while ADDs, then DELs, of one namespace hang; then the daemon's end."""
    for count in (32, 200):
        yield from _measured(f"{count} ADDs of one namespace hang", _adds, count)
    yield from _measured("32 DELs of one namespace hang", _dels, 32)
    yield from _measured("the lock of one network's addresses is held", _locked, 40)


def _measured(
    attack: str, hang: Callable[[AttackedNode, int], Iterator[None]], count: int
) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory(prefix="np-t-") as directory,
        attacked_node(Path(directory)) as made,
    ):
        made.start()
        made.visit("warm")
        with contextmanager(hang)(made, count):
            added, deleted = _visits(made)
            yield Figure(attack, "innocent ADD, slowest of 40", added, BOUND, "s")
            yield Figure(attack, "innocent DEL, slowest of 40", deleted, BOUND, "s")
            yield Figure(attack, "SIGTERM to the daemon's end", _end(made), GRACE, "s")


def _visits(made: AttackedNode) -> tuple[float, float]:
    """Return the slowest ADD and DEL: a pod with a plugin of its own by exec, and one without."""
    taken = [
        made.visit(f"{pod}{number}", f"shop/{pod}")
        for number in range(VISITS)
        for pod in ("works", "plain")
    ]
    return max(add for add, _ in taken), max(delete for _, delete in taken)


def _end(made: AttackedNode) -> float:
    process = made.place.process
    assert process is not None
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    process.wait(2 * GRACE)
    return time.monotonic() - begun


def _adds(made: AttackedNode, count: int) -> Iterator[None]:
    with sandboxes(count) as theirs:
        made.attack(theirs)
        made.until_hanging(8)
        yield


def _dels(made: AttackedNode, count: int) -> Iterator[None]:
    with sandboxes(count) as theirs:
        made.attack(theirs, pod="late")
        for thread in made.threads:
            thread.join(60)
        made.attack(theirs, "DEL", pod="late")
        made.until_hanging(8, "late")
        yield


def _locked(made: AttackedNode, count: int) -> Iterator[None]:
    """Have a foreign process hold host-local's lock, as one that hangs would: threads hang."""
    directory = made.place.directory / "host-local" / "locked"
    directory.mkdir(parents=True, exist_ok=True)
    lock = os.open(directory / "lock", os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    try:
        with sandboxes(count) as theirs:
            made.attack(theirs, pod="locked")
            time.sleep(1)
            yield
    finally:
        os.close(lock)
        for thread in threading.enumerate():
            if thread in made.threads:
                thread.join(5)
