"""The webhook of a cluster: watched state, certificates the API server trusts, and a controller.

It starts without planes, without the kind Plane and while the API server is down: it is not ready
then, and `/readyz` says why. It stops in the reverse order: the listener drains, the controller
stops, then the lease is released.
"""

from __future__ import annotations

import random
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from cryptography import x509

from certs.managed import ManagedCertificates, Replica
from certs.metrics import CertificateMetrics
from certs.serving import RotatingContext
from planes.kube.api import KubeApi
from planes.kube.client.access import connect
from planes.kube.leadership.fenced import FencedApi
from planes.kube.leadership.leader_election import LeaderElection
from planes.kube.store.store import KubeStore
from planes.run.clock import Clock
from planes.run.gc_freeze import freeze_while_loading
from planes.run.metrics import Metrics
from planes.run.service_manager import ServiceManager
from planes.run.supervise import Service, supervise
from webhook.controller.controller import Controller, ControllerContext, ControllerMetrics
from webhook.listener import AdmissionListener
from webhook.owner_events import OwnerEvents
from webhook.readiness import unready_reasons
from webhook.settings import PROGRAM, OnCluster, WebhookSettings
from webhook.standalone import directory_rotator, shows_valid


async def serve(
    settings: WebhookSettings, cluster: OnCluster, clock: Clock, manager: ServiceManager
) -> int:
    """Run the webhook until a signal and return the exit status.

    Raises:
        PlanesError: it cannot start.
    """
    agent = f"{PROGRAM}/{version('netplane')}"
    async with connect(cluster.kubeconfig, user_agent=agent, clock=clock) as api:
        return await _serve(settings, cluster, api, clock, manager)


async def _serve(
    settings: WebhookSettings,
    cluster: OnCluster,
    api: KubeApi,
    clock: Clock,
    manager: ServiceManager,
) -> int:
    metrics, context = Metrics(), RotatingContext()
    leadership = _leadership(cluster, api, metrics, clock)
    store = _store(settings, api, metrics, clock)
    if settings.cert_dir is not None:
        certificates = _from_files(settings.cert_dir, context, metrics, clock)
    else:
        replica = Replica(cluster.namespace, cluster.service, cluster.pod, settings.names)
        certificates = _managed(replica, context, api, leadership, metrics=metrics, clock=clock)
    owner_events = OwnerEvents(api, clock)
    listener = AdmissionListener(
        settings,
        store,
        context,
        metrics=metrics,
        clock=clock,
        unready=lambda: unready_reasons(
            store,
            is_served=certificates.is_trusted(),
            unread=store.unread(),
            heard_seconds=store.heard_seconds(),
            lacking="valid and trusted",
        ),
        waits_for_watch=True,
        on_answer=owner_events.answered,
        manager=manager,
    )
    await listener.listen()
    fenced, counts = FencedApi(api, leadership.check), ControllerMetrics(metrics)
    controller_context = ControllerContext(
        fenced, store, store.informers, clock, counts, random.random
    )
    services: dict[str, Service] = {
        "store": store.run,
        "heap": lambda: freeze_while_loading(lambda: store.is_synced, clock),
        "lease": leadership.run,
        "certificates": certificates.run,
        "owner events": owner_events.run,
        "controller": lambda: leadership.lead(lambda: Controller(controller_context).run()),
        **listener.services(),
    }
    return await supervise(
        services, drain_seconds=listener.drain_seconds, on_stop=listener.begin_to_stop
    )


def _store(settings: WebhookSettings, api: KubeApi, metrics: Metrics, clock: Clock) -> KubeStore:
    return KubeStore.for_admission(
        api,
        clock=clock,
        metrics=metrics,
        namespace_isolation=settings.namespace_isolation,
        global_namespaces=settings.global_namespaces,
        nad_policy=settings.nad_policy,
    )


@dataclass(frozen=True, slots=True)
class _Certificates:
    """The service that keeps the listener's certificate, and whether the certificate is trusted."""

    run: Service
    is_trusted: Callable[[], bool]


def _leadership(cluster: OnCluster, api: KubeApi, metrics: Metrics, clock: Clock) -> LeaderElection:
    leader = metrics.gauge("leader", "1 while this replica leads")
    return LeaderElection(
        api,
        clock,
        namespace=cluster.namespace,
        name=cluster.service,
        # A container that was restarted does not hold the lease of the one before it.
        identity=f"{cluster.pod}_{secrets.token_hex(4)}",
        randomness=random.random,
        tell=leader.set,
    )


def _managed(
    replica: Replica,
    context: RotatingContext,
    api: KubeApi,
    leadership: LeaderElection,
    *,
    metrics: Metrics,
    clock: Clock,
) -> _Certificates:
    managed = ManagedCertificates(
        api,
        context,
        replica,
        is_leader=lambda: leadership.is_leader,
        clock=clock,
        metrics=CertificateMetrics(metrics),
        serials=x509.random_serial_number,
    )
    return _Certificates(managed.run, managed.is_trusted)


def _from_files(
    cert_dir: Path, context: RotatingContext, metrics: Metrics, clock: Clock
) -> _Certificates:
    """Serve files that others renew, and whose CA others publish to the API server."""
    rotator = directory_rotator(cert_dir, (), context, metrics, clock, is_externally_managed=True)
    return _Certificates(rotator.run, shows_valid(context, clock))
