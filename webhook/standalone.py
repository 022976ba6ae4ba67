"""The webhook of one machine: planes from a directory, certificates in another.

The certificate is there before the first connection is accepted.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from certs.issue import Lifetimes
from certs.metrics import CertificateMetrics
from certs.policy import RenewalSettings
from certs.rotate import Rotator
from certs.serving import RotatingContext
from certs.standalone import DirectoryAuthority
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from planes.run.service_manager import ServiceManager
from planes.run.supervise import supervise
from planes.store.directory import DirStore
from webhook.listener import AdmissionListener
from webhook.readiness import unready_reasons
from webhook.settings import WebhookSettings


async def serve(
    settings: WebhookSettings,
    manifests: Path,
    cert_dir: Path,
    clock: Clock,
    manager: ServiceManager,
) -> int:
    """Run the webhook until a signal and return the exit status.

    Raises:
        PlanesError: it cannot start.
    """
    metrics = Metrics()
    context = RotatingContext()
    rotator = directory_rotator(
        cert_dir, settings.names, context, metrics, clock, is_externally_managed=False
    )
    await rotator.reconcile()
    store = DirStore(
        manifests,
        settings.state_dir,
        clock=clock,
        namespace_isolation=settings.namespace_isolation,
        global_namespaces=settings.global_namespaces,
        nad_policy=settings.nad_policy,
    )
    is_valid = shows_valid(context, clock)
    listener = AdmissionListener(
        settings,
        store,
        context,
        metrics=metrics,
        clock=clock,
        unready=lambda: unready_reasons(store, is_served=is_valid()),
        manager=manager,
    )
    await listener.listen()
    services = {"certificates": rotator.run, "store": store.run, **listener.services()}
    return await supervise(
        services, drain_seconds=listener.drain_seconds, on_stop=listener.begin_to_stop
    )


def directory_rotator(
    cert_dir: Path,
    names: tuple[str, ...],
    context: RotatingContext,
    metrics: Metrics,
    clock: Clock,
    *,
    is_externally_managed: bool,
) -> Rotator:
    """Return a rotator over a directory; it only serves the files where others manage them."""
    counted = CertificateMetrics(metrics)
    authority = DirectoryAuthority(
        cert_dir,
        names,
        context,
        metrics=counted,
        lifetimes=Lifetimes(),
        serials=x509.random_serial_number,
        is_externally_managed=is_externally_managed,
    )
    rotation = RenewalSettings(frozenset(names))
    return Rotator(authority, rotation, clock=clock, metrics=counted)


def shows_valid(context: RotatingContext, clock: Clock) -> Callable[[], bool]:
    """Return a function that reports whether the served certificate is valid now."""

    def is_valid() -> bool:
        now = datetime.fromtimestamp(clock.now(), UTC)
        return context.pair is not None and context.pair.certificate.is_valid_at(now)

    return is_valid
