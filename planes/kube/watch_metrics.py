"""What an operator sees of the watches: how fresh each is, and how often it had to begin again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from planes.run.metrics import Metrics


class WatchMetrics:
    """The families for all watches of a process; `of` gives one watch its own."""

    def __init__(self, metrics: Metrics) -> None:
        self._lists = metrics.counter("watch_lists", "Whole listings", ["watch"])
        self._starts = metrics.counter("watch_starts", "Watches begun or resumed", ["watch"])
        self._failures = metrics.counter("watch_failures", "Lists and watches failed", ["watch"])
        self._faults = metrics.counter(
            "watch_faults", "Objects that could not be taken over: a bug", ["watch"]
        )
        self._objects = metrics.gauge("watch_objects", "Objects the server has", ["watch"])
        self._silent = metrics.gauge(
            "watch_silent_seconds", "Since the server was last heard of", ["watch"]
        )

    def of(self, name: str, silent_seconds: Callable[[], float]) -> WatchCounts:
        """Give what one watch counts on."""
        self._silent.labels(name).set_function(silent_seconds)
        return WatchCounts(
            self._lists.labels(name),
            self._starts.labels(name),
            self._failures.labels(name),
            self._faults.labels(name),
            self._objects.labels(name),
        )


@dataclass(frozen=True, slots=True)
class WatchCounts:
    """The numbers of one watch."""

    lists: Counter
    starts: Counter
    failures: Counter
    faults: Counter
    objects: Gauge
