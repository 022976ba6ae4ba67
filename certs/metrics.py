"""Metrics of certificates: when they expire, which were served or refused, rotation steps."""

from __future__ import annotations

from datetime import datetime

from planes.run.metrics import Metrics


class CertificateMetrics:
    """The metrics of the pair that the listener serves."""

    def __init__(self, metrics: Metrics) -> None:
        self._expiry = metrics.gauge(
            "certificate_expiry_timestamp_seconds", "When the served certificate ends (Unix time)"
        )
        self._loads = metrics.counter(
            "certificate_loads", "Certificates taken into service, or refused", ["result"]
        )
        self._steps = metrics.counter("certificate_steps", "Steps of rotation taken", ["step"])
        self._failures = metrics.counter(
            "certificate_turn_failures", "Turns of rotation that ended in an error"
        )
        self._trusted = metrics.gauge(
            "certificate_trusted", "1 while clients are seen to trust the served certificate"
        )
        for result in ("served", "refused"):
            self._loads.labels(result)

    def served(self, not_after: datetime) -> None:
        """Record that new handshakes get this pair."""
        self._loads.labels("served").inc()
        self._expiry.set(not_after.timestamp())

    def trusted(self, *, is_trusted: bool) -> None:
        """Record whether all webhook configurations trust the served certificate, as last read."""
        self._trusted.set(is_trusted)

    def refused(self) -> None:
        """Count a broken pair, in whose place the last good one is served."""
        self._loads.labels("refused").inc()

    def step(self, name: str) -> None:
        """Count a step that was carried out."""
        self._steps.labels(name).inc()

    def failed(self) -> None:
        """Count a failed reconcile."""
        self._failures.inc()
