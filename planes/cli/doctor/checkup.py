"""Run checks side by side, each within a deadline.

A check may wait for ever in the kernel: a file system that hangs, a socket that nobody reads. So
each runs in a thread of its own that nobody waits for beyond its deadline, and the end of the
program does not wait for it either.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

from planes.cli.doctor.diagnosis import CannotCheck, Diagnosis
from planes.model.errors import PlanesError
from planes.model.lines import one_line

T = TypeVar("T")

CHECK_SECONDS: Final = 20.0
FACT_SECONDS: Final = 12.0
"""Shorter: a check that waits for facts says which ones it lacks."""
_MOST_OF_A_CHECK: Final = 200
_LONGEST_REASON: Final = 300


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: one word, in results.
        title: what is looked at, for people.
        look: yields what is wrong; raises `CannotCheck` where it cannot look.
    """

    name: str
    title: str
    look: Callable[[], Iterable[Diagnosis]]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of one check.

    Attributes:
        unchecked: why it, or its rest, was not made; "" where it was.
    """

    name: str
    title: str
    found: tuple[Diagnosis, ...]
    unchecked: str = ""


class _Work(threading.Thread):
    """Work whose result is asked for within a deadline."""

    def __init__(self, name: str, work: Callable[[], Any]) -> None:
        super().__init__(name=f"doctor-{name}", daemon=True)
        self._work = work
        self.value: Any = None
        self.reason = ""

    def run(self) -> None:
        """Do the work; an error of any kind is a reason."""
        try:
            self.value = self._work()
        except PlanesError as failed:
            self.reason = str(failed)
        except OSError as failed:
            cause = failed.strerror or str(failed)
            self.reason = f"{failed.filename}: {cause}" if failed.filename else cause
        except Exception as failed:  # a check that fails must not end the others
            self.reason = f"{type(failed).__name__}: {failed}"


class Gathered(Generic[T]):
    """Facts that several checks need; read once, by the first that asks.

    Args:
        what: names them in the reason of a check that lacks them.
        read: reads them.
        seconds: the longest a check waits for them.
    """

    def __init__(self, what: str, read: Callable[[], T], seconds: float = FACT_SECONDS) -> None:
        self._what = what
        self._seconds = seconds
        self._work = _Work("facts", read)
        self._lock = threading.Lock()
        self._deadline = 0.0

    def value(self) -> T:
        """Return the facts.

        Raises:
            CannotCheck: they cannot be read, or not in time.
        """
        with self._lock:
            if not self._deadline:
                self._deadline = time.monotonic() + self._seconds
                self._work.start()
        self._work.join(max(0.0, self._deadline - time.monotonic()))
        if self._work.is_alive():
            raise CannotCheck(f"no end of reading {self._what} within {self._seconds:.0f} s")
        if self._work.reason:
            raise CannotCheck(f"{self._what}: {self._work.reason}")
        found: T = self._work.value
        return found


def examine(checks: Sequence[Check], seconds: float = CHECK_SECONDS) -> tuple[CheckResult, ...]:
    """Run all checks side by side; return their results in order, after `seconds` at most."""
    runs = [(_Findings(check), check) for check in checks]
    for run, _ in runs:
        run.work.start()
    deadline = time.monotonic() + seconds
    results = []
    for run, check in runs:
        run.work.join(max(0.0, deadline - time.monotonic()))
        reason = run.work.reason
        if run.work.is_alive():
            reason = f"it did not end within {seconds:.0f} s"
        reason = one_line(reason, _LONGEST_REASON)
        results.append(CheckResult(check.name, check.title, tuple(run.found), reason))
    return tuple(results)


class _Findings:
    """What a check has found so far: that of one that hangs later is not lost."""

    def __init__(self, check: Check) -> None:
        self.found: list[Diagnosis] = []
        self.work = _Work(check.name, lambda: self._collect(check))

    def _collect(self, check: Check) -> None:
        for one in check.look():
            if len(self.found) == _MOST_OF_A_CHECK:
                raise CannotCheck(f"it finds more than {_MOST_OF_A_CHECK}: the first are shown")
            self.found.append(one)
