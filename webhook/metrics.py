"""Metrics of admission: reviews by path and verdict, their time, refusals, connections."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from planes.run.metrics import Metrics

VERDICTS = ("allowed", "patched", "denied", "errored", "unreadable")
REASONS = (
    *("body", "overload"),  # of a request
    *("connections", "descriptors", "hello", "http", "records", "silent", "waiting"),  # of a peer
)


class ReviewMetrics:
    """The metrics of reviews; their label sets are resolved once, here."""

    def __init__(self, metrics: Metrics, paths: Iterable[str]) -> None:
        reviews = metrics.counter("reviews", "Reviews answered", ["path", "verdict"])
        seconds = metrics.seconds("review", "Time to answer a review, body at hand", ["path"])
        refusals = metrics.counter("refusals", "Requests and connections turned away", ["reason"])
        self.connections = metrics.gauge("connections", "Open connections")
        self.unfinished = metrics.gauge("unfinished_bodies", "Bodies on their way")
        self.ready = metrics.gauge("ready", "1 while this replica may be asked")
        self.count = {
            (path, verdict): reviews.labels(path, verdict).inc
            for path in paths
            for verdict in VERDICTS
        }
        self.observe: dict[str, Callable[[float], None]] = {
            path: seconds.labels(path).observe for path in {path for path, _ in self.count}
        }
        self._refusals = refusals
        for reason in REASONS:
            refusals.labels(reason)

    def refused(self, reason: str) -> None:
        """Count a request or connection that was refused."""
        self._refusals.labels(reason).inc()
