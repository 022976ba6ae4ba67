"""The webhook of a cluster: watched state, certificates the API server trusts, and a controller.

It starts whatever is missing yet: without a plane, without the Plane kind, with the API server
away. Until then it is not ready, and says why. Stopping goes backwards: the listener drains, the
leader's work ends, then the lease is given back.
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
from planes.kube.access import connect
from planes.kube.api import KubeApi
from planes.kube.fenced import FencedApi
from planes.kube.lease import Leadership
from planes.kube.store import KubeStore
from planes.run.clock import Clock
from planes.run.heap import settle_heap
from planes.run.metrics import Metrics
from planes.run.supervise import Service, supervise
from webhook.assembly import Assembly
from webhook.controller.controller import Controller, ControllerMetrics, Hands
from webhook.readiness import unready_reasons
from webhook.settings import PROGRAM, OnCluster, Settings
from webhook.standalone import directory_rotator, shows_valid


async def serve(settings: Settings, cluster: OnCluster, clock: Clock) -> int:
    """Run the webhook until a signal; the exit status.

    Raises:
        PlanesError: it cannot start.
    """
    agent = f"{PROGRAM}/{version('netplane')}"
    async with connect(cluster.kubeconfig, user_agent=agent, clock=clock) as api:
        return await _serve(settings, cluster, api, clock)


async def _serve(settings: Settings, cluster: OnCluster, api: KubeApi, clock: Clock) -> int:
    metrics = Metrics()
    context = RotatingContext()
    leadership = _leadership(cluster, api, metrics, clock)
    store = KubeStore.for_admission(
        api,
        clock=clock,
        namespace_isolation=settings.namespace_isolation,
        global_namespaces=settings.global_namespaces,
        nad_policy=settings.nad_policy,
    )
    store.measure(metrics)
    if settings.cert_dir is not None:
        certificates = _from_files(settings.cert_dir, context, metrics, clock)
    else:
        replica = Replica(cluster.namespace, cluster.service, cluster.pod, settings.names)
        certificates = _managed(replica, context, api, leadership, metrics=metrics, clock=clock)
    assembly = Assembly(
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
        is_patient=True,
    )
    await assembly.listen()
    hands = Hands(
        api=FencedApi(api, leadership.check),
        store=store,
        clock=clock,
        metrics=ControllerMetrics(metrics),
        chance=random.random,
    )
    services: dict[str, Service] = {
        "store": store.run,
        "heap": lambda: settle_heap(lambda: store.is_synced, clock),
        "lease": leadership.run,
        "certificates": certificates.run,
        "controller": lambda: leadership.lead(lambda: Controller(hands).run()),
        **assembly.services(),
    }
    return await supervise(services, drain_seconds=assembly.drain_seconds)


@dataclass(frozen=True, slots=True)
class _Certificates:
    """What runs for the listener's certificate, and whether it may be relied on."""

    run: Service
    is_trusted: Callable[[], bool]


def _leadership(cluster: OnCluster, api: KubeApi, metrics: Metrics, clock: Clock) -> Leadership:
    leader = metrics.gauge("leader", "1 while this replica leads")
    return Leadership(
        api,
        clock,
        namespace=cluster.namespace,
        name=cluster.service,
        # A container that was started anew is not the one that took the lease.
        identity=f"{cluster.pod}_{secrets.token_hex(4)}",
        chance=random.random,
        tell=leader.set,
    )


def _managed(
    replica: Replica,
    context: RotatingContext,
    api: KubeApi,
    leadership: Leadership,
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
    """Follow files that somebody else renews and has the API server trust."""
    rotator = directory_rotator(cert_dir, (), context, metrics, clock, is_theirs=True)
    return _Certificates(rotator.run, shows_valid(context, clock))
