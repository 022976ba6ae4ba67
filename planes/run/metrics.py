"""Metrics in a registry of our own, and the HTTP port with `/metrics` and the probes of health.

Invariant: no global registry. What counts has a `Metrics` passed in.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
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
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from planes.run.clock import Clock, SystemClock
from planes.run.listening.bounds import Bounds
from planes.run.listening.connections import NAMELESS, Handler, set_aside
from planes.run.listening.port import Port

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

# Admission answers in 0.1 ms, a native ADD in milliseconds, an executed plugin in seconds.
SECONDS_BUCKETS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)

START_SECONDS: Final = 20.0
"""After these a process counts as started, ready or not."""
_LOOK_SECONDS: Final = 0.1
PROBLEMS: Final = "/problems"
"""The path that lists what is wrong now."""
# Exactly these: a proxy in front of a pod's ports forwards from others (127.0.0.6).
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "::ffff:127.0.0.1"})

BOUNDS: Final = Bounds(
    connections=16,
    waiting=32,
    hello_seconds=2.0,
    silent_seconds=2.0,
    idle_seconds=60.0,
    # An answer takes some turns of the event loop. With the usual 8, all 16 places went to other
    # peers within two turns, and under a flood one probe in seven found its connection closed.
    handshakes=1,
)
"""A scraper and the probes keep a few connections. Any user of a node may reach the port, and has
no more of the process's descriptors than these."""


class _Family(Collector):
    """A gauge whose rows are computed at each scrape."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        rows: Callable[[], Iterable[tuple[Sequence[str], float]]],
    ) -> None:
        self._name = name
        self._text = text
        self._labels = labels
        self._rows = rows

    def describe(self) -> Iterable[Metric]:
        """Return the family without rows: registering must not compute them."""
        return [GaugeMetricFamily(self._name, self._text, labels=self._labels)]

    def collect(self) -> Iterable[Metric]:
        """Return the family as of now."""
        family = GaugeMetricFamily(self._name, self._text, labels=self._labels)
        for values, value in self._rows():
            family.add_metric(values, value)
        return [family]


class Metrics:
    """A registry of metrics `netplane_…` and of those of the process."""

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

    def family(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        rows: Callable[[], Iterable[tuple[Sequence[str], float]]],
    ) -> None:
        """Make a gauge `netplane_<name>` whose rows are computed at each scrape.

        Args:
            name: without our prefix.
            text: what it counts.
            labels: the names of its labels.
            rows: returns label values, in the order of `labels`, and the value; how many rows there
                are is bounded by the caller.
        """
        self.registry.register(_Family(f"netplane_{name}", text, tuple(labels), rows))

    def render(self) -> bytes:
        """Return all values in the Prometheus text format (`CONTENT_TYPE`)."""
        return generate_latest(self.registry)


class Rendering:
    """Renders metrics, and returns the same text for ten times as long as that took.

    So a client that asks in a loop costs a tenth of a processor at most.
    """

    def __init__(self, metrics: Metrics, clock: Clock) -> None:
        self._metrics = metrics
        self._clock = clock
        self._text = b""
        self._until = float("-inf")

    def text(self) -> bytes:
        """Return the values of now, or of a moment ago."""
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
    problems: Callable[[], str] | None = None,
    clock: Clock | None = None,
) -> None:
    """Serve `/metrics` over plain HTTP until cancelled, within `BOUNDS`.

    Args:
        metrics: what is served; counts the peers turned away here, too.
        host: "" for every address.
        port: where to listen.
        unready: returns why the process is not ready, "" where it is. With it `/healthz` and
            `/livez` (the event loop runs) and `/readyz` (503 and the reason, or 200) are served,
            and `/startz`, which answers once the process is ready, or has been up for
            `START_SECONDS`: a startup probe of it spares the readiness probe a failure.
        problems: returns what is wrong now, served at `/problems` to programs of this machine only,
            since it names objects of tenants.
        clock: default: the machine's.

    Raises:
        Unavailable: the address cannot be listened on.
    """
    refusals = metrics.counter("metrics_refusals", "Peers turned away from this port", ["reason"])
    listening = Port(
        _answers(metrics, clock or SystemClock(), unready, problems),
        BOUNDS,
        turned_away=lambda reason: refusals.labels(reason).inc(),
    )
    remedy = "choose another --metrics HOST:PORT"
    await listening.open(host, port, remedy=remedy, what=" for metrics")
    try:
        await asyncio.Event().wait()
    finally:
        await listening.drain(1.0)


def _answers(
    metrics: Metrics,
    clock: Clock,
    unready: Callable[[], str] | None,
    problems: Callable[[], str] | None,
) -> Handler:
    alive, ready, started = {"/healthz", "/livez"}, "/readyz", "/startz"
    rendering, until = Rendering(metrics, clock), clock.monotonic() + START_SECONDS

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        path = request.path
        is_health = unready is not None and path in {*alive, ready, started}
        if path == PROBLEMS and problems is not None and _is_local(request):
            return web.Response(text=problems(), headers=NAMELESS)
        if path != "/metrics" and not is_health:
            return _text(404, "cannot find this path")
        if request.method not in {"GET", "HEAD"}:
            return _text(405, "cannot answer: this path takes GET")
        if path == "/metrics":
            headers = {"Content-Type": CONTENT_TYPE, **NAMELESS}
            return web.Response(body=rendering.text(), headers=headers)
        if unready is not None and path == started:
            with set_aside(request) as has_gone:
                while unready() and clock.monotonic() < until and not has_gone():
                    await clock.sleep(_LOOK_SECONDS)
        reason = unready() if unready is not None and path == ready else ""
        return _text(503 if reason else 200, reason or "ok")

    return answer


def _is_local(request: web.BaseRequest) -> bool:
    """Report whether the request comes from this machine, or from inside this pod."""
    transport = request.transport
    peer = transport.get_extra_info("peername") if transport is not None else None
    return isinstance(peer, tuple) and peer[0] in _LOOPBACK


def _text(status: int, text: str) -> web.Response:
    return web.Response(status=status, text=f"{text}\n", headers=NAMELESS)
