"""Metrics of the watches: how fresh each is, and how often it was listed or begun anew."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from prometheus_client import Counter, Gauge

from planes.run.metrics import Metrics


class WatchMetrics:
    """The metric families for all watches of a process."""

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
        """Return the metrics of one watch."""
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
    """The metrics of one watch."""

    lists: Counter
    starts: Counter
    failures: Counter
    faults: Counter
    objects: Gauge
