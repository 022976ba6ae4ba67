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

from planes.model.errors import Unavailable

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST

# Admission answers in 0.1 ms, a native ADD in milliseconds, an executed plugin in seconds.
SECONDS_BUCKETS: Final = (
    *(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025),
    *(0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)


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


async def serve(
    metrics: Metrics, host: str, port: int, *, unready: Callable[[], str] | None = None
) -> None:
    """Serve `/metrics` over plain HTTP until cancelled.

    Args:
        metrics: what is shown.
        host: "" for every address.
        port: where to listen.
        unready: says why the process is not ready, "" where it is; with it `/healthz` and `/livez`
            (the event loop turns) and `/readyz` (503 and the reason, or 200) are served too.

    Raises:
        Unavailable: the address cannot be listened on.
    """

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=metrics.render(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", answer)
    if unready is not None:
        _add_health(app, unready)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        await asyncio.Event().wait()
    except OSError as error:
        raise Unavailable(
            f"cannot listen on {host}:{port} for metrics: {error.strerror or error}",
            remedy="choose another --metrics HOST:PORT",
        ) from error
    finally:
        await runner.cleanup()


def _add_health(app: web.Application, unready: Callable[[], str]) -> None:
    async def alive(_: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def ready(_: web.Request) -> web.Response:
        reason = unready()
        return web.Response(status=503 if reason else 200, text=f"{reason or 'ok'}\n")

    app.router.add_get("/healthz", alive)
    app.router.add_get("/livez", alive)
    app.router.add_get("/readyz", ready)
