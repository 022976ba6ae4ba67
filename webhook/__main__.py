"""The webhook program: settings, store, certificates, listener; supervised until a signal.

Whatever stops it from starting is one line on stderr and an exit status (2: settings, 1: the
machine), never a traceback. The certificate is in place before the first connection is taken.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TextIO

from cryptography import x509

from certs.issue import Lifetimes
from certs.metrics import CertificateMetrics
from certs.policy import Settings as RotationSettings
from certs.rotate import Rotator
from certs.serving import RotatingContext
from certs.standalone import DirectoryAuthority
from planes.model.errors import PlanesError
from planes.run import logs
from planes.run import metrics as exposition
from planes.run.clock import Clock, SystemClock
from planes.run.metrics import Metrics
from planes.run.supervise import Service, supervise
from planes.store.directory import DirStore
from webhook import settings as configuration
from webhook.app import JUDGES, App
from webhook.limits import Limits
from webhook.metrics import ReviewMetrics
from webhook.server import Server
from webhook.settings import Settings


async def serve(settings: Settings, clock: Clock) -> int:
    """Run the webhook until a signal; the exit status.

    Raises:
        PlanesError: it cannot start.
    """
    metrics = Metrics()
    context = RotatingContext()
    rotator = _rotator(settings, context, metrics, clock)
    await rotator.turn()
    store = DirStore(
        settings.manifests,
        settings.state_dir,
        clock=clock,
        namespace_isolation=settings.namespace_isolation,
        global_namespaces=settings.global_namespaces,
    )
    reviews = ReviewMetrics(metrics, JUDGES)
    limits = Limits()
    app = App(store, metrics=reviews, limits=limits, is_served=_is_served(context, clock))
    server = Server(
        app.handle,
        drain=app.drain,
        context=context.listener,
        limits=limits,
        metrics=reviews,
        grace_seconds=settings.drain_grace,
    )
    await server.start(*settings.listen)
    services: dict[str, Service] = {"certificates": rotator.run, "store": store.run}
    if settings.metrics is not None:
        host, port = settings.metrics
        services["metrics"] = lambda: exposition.serve(metrics, host, port)
    services["listener"] = server.run
    return await supervise(services, drain_seconds=settings.drain_grace + limits.body_seconds + 2)


def main(argv: Sequence[str], env: Mapping[str, str], stderr: TextIO) -> int:
    """Run the program; its exit status."""
    try:
        settings = configuration.read(argv, env)
    except PlanesError as error:
        print(f"{configuration.PROGRAM}: {error}", file=stderr)
        return 2
    logs.configure(settings.log_level, stderr)
    try:
        return asyncio.run(serve(settings, SystemClock()))
    except PlanesError as error:
        print(f"{configuration.PROGRAM}: {error}", file=stderr)
        return 1


def run() -> None:
    """Enter from the console script."""
    sys.exit(main(sys.argv[1:], os.environ, sys.stderr))


def _rotator(
    settings: Settings, context: RotatingContext, metrics: Metrics, clock: Clock
) -> Rotator:
    counted = CertificateMetrics(metrics)
    authority = DirectoryAuthority(
        settings.cert_dir,
        settings.names,
        context,
        metrics=counted,
        lifetimes=Lifetimes(),
        serials=x509.random_serial_number,
    )
    rotation = RotationSettings(frozenset(settings.names))
    return Rotator(authority, rotation, clock=clock, metrics=counted)


def _is_served(context: RotatingContext, clock: Clock) -> Callable[[], bool]:
    def answer() -> bool:
        now = datetime.fromtimestamp(clock.now(), UTC)
        return context.pair is not None and context.pair.certificate.is_valid_at(now)

    return answer


if __name__ == "__main__":
    run()
