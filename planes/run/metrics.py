"""Metrics on a registry of our own, and the plain HTTP endpoint that shows them, and health.

Invariant: no global registry; whoever counts is given a `Metrics`, so two of them never meet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from planes.run.clock import Clock, SystemClock
from planes.run.listening.bounds import Bounds
from planes.run.listening.connections import NAMELESS, Handler
from planes.run.listening.port import Port

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

# Admission answers in 0.1 ms, a native ADD in milliseconds, an executed plugin in seconds.
SECONDS_BUCKETS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)

BOUNDS: Final = Bounds(
    connections=16,
    waiting=32,
    hello_seconds=2.0,
    silent_seconds=2.0,
    idle_seconds=60.0,
    # It takes some turns of the event loop to answer a peer; with the usual 8 all 16 places went to
    # others within two, and under a flood one probe in seven found its connection closed.
    greetings=1,
)
"""A scraper and the probes keep a few connections. Whoever reaches the port, which may be any user
of a node, holds no more of the process's descriptors than these."""


class Metrics:
    """A registry with our name in front of everything, and the process's own numbers."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry if registry is not None else CollectorRegistry()
        ProcessCollector(registry=self.registry)

    def counter(self, name: str, text: str, labels: Sequence[str] = ()) -> Counter:
        """Make a counter `netplane_<name>_total`."""
        return Counter(name, text, labels, namespace="netplane", registry=self.registry)

    def gauge(self, name: str, text: str, labels: Sequence[str] = ()) -> Gauge:
        """Make a gauge `netplane_<name>`."""
        return Gauge(name, text, labels, namespace="netplane", registry=self.registry)

    def seconds(self, name: str, text: str, labels: Sequence[str] = ()) -> Histogram:
        """Make a histogram of durations, `netplane_<name>_seconds`."""
        return Histogram(
            f"{name}_seconds",
            text,
            labels,
            namespace="netplane",
            registry=self.registry,
            buckets=SECONDS_BUCKETS,
        )

    def render(self) -> bytes:
        """Give all values in the Prometheus text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)


class Rendering:
    """Renders metrics, and gives the same text for a while after: ten times as long as it took.

    So whoever asks in a loop gets a tenth of a processor at most.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._text = b""
        self._until = float("-inf")

    def text(self) -> bytes:
        """Give the values as of now, or of a moment ago."""
        started = self._clock.monotonic()
        if started >= self._until:
            self._text = self._metrics.render()
            ended = self._clock.monotonic()
            self._until = ended + 10 * (ended - started)
        return self._text


async def serve(
    metrics: Metrics,
    host: str,
    port: int,
    *,
    unready: Callable[[], str] | None = None,
    clock: Clock | None = None,
) -> None:
    """Serve `/metrics` over plain HTTP until cancelled, within `BOUNDS`.

    Args:
        metrics: what is shown; also how many peers were turned away here, and why.
        host: "" for every address.
        port: where to listen.
        unready: says why the process is not ready, "" where it is; with it `/healthz` and `/livez`
            (the event loop turns) and `/readyz` (503 and the reason, or 200) are served too.
        clock: default: the machine's.

    Raises:
        Unavailable: the address cannot be listened on.
    """
    refusals = metrics.counter("metrics_refusals", "Peers turned away from this port", ["reason"])
    door = Port(
        _answers(Rendering(metrics, clock or SystemClock()), unready),
        BOUNDS,
        turned_away=lambda reason: refusals.labels(reason).inc(),
    )
    remedy = "choose another --metrics HOST:PORT"
    await door.open(host, port, remedy=remedy, what=" for metrics")
    try:
        await asyncio.Event().wait()
    finally:
        await door.drain(1.0)


def _answers(rendering: Rendering, unready: Callable[[], str] | None) -> Handler:
    alive, ready = {"/healthz", "/livez"}, "/readyz"

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        is_health = unready is not None and (path in alive or path == ready)
        if path != "/metrics" and not is_health:
            return _said(404, "cannot find this path")
        if request.method not in {"GET", "HEAD"}:
            return _said(405, "cannot answer: this path takes GET")
        if path == "/metrics":
            headers = {"Content-Type": CONTENT_TYPE, **NAMELESS}
            return web.Response(body=rendering.text(), headers=headers)
        reason = unready() if unready is not None and path == ready else ""
        return _said(503 if reason else 200, reason or "ok")

    return answer


def _said(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=NAMELESS)
