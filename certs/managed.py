"""The certificates that a webhook replica manages itself, put together for its program.

Invariant: `run` never ends by itself, and no error ends it; while the API server is down the last
good pair is served.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from certs.ca_bundles import CaBundles
from certs.cluster import CONFIGURATIONS, SECRET, Issuing, KubeAuthority
from certs.issue import Lifetimes
from certs.metrics import CertificateMetrics
from certs.policy import Idle, RenewalSettings, WaitServed, WaitTrusted
from certs.replicas import Replicas
from certs.rotate import Rotator
from certs.serving import RotatingContext
from certs.serving_policy import ServingPolicy
from planes.kube.api import KubeApi
from planes.run.clock import Clock

# The leader's clock may be ahead: a certificate backdated by a day is valid everywhere at once.
CLUSTER_LIFETIMES: Final = Lifetimes(backdate=timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Replica:
    """Which replica of which Service this is.

    Attributes:
        names: further names for the certificate.
    """

    namespace: str
    service: str
    pod: str
    names: tuple[str, ...] = ()

    @property
    def all_names(self) -> tuple[str, ...]:
        """All names by which clients may call the Service."""
        host = f"{self.service}.{self.namespace}.svc"
        return tuple(dict.fromkeys((host, f"{host}.cluster.local", *self.names)))


class ManagedCertificates:
    """Issues, rotates and serves the certificate of a replica, together with the other replicas.

    Args:
        context: the listener's; it serves a pair as soon as API servers trust it.
        is_leader: reports whether this replica leads now.
        serials: returns a new serial number (`cryptography.x509.random_serial_number`).
        settings: None for the defaults.
    """

    def __init__(
        self,
        api: KubeApi,
        context: RotatingContext,
        replica: Replica,
        *,
        is_leader: Callable[[], bool],
        clock: Clock,
        metrics: CertificateMetrics,
        serials: Callable[[], int],
        lifetimes: Lifetimes = CLUSTER_LIFETIMES,
        settings: RenewalSettings | None = None,
    ) -> None:
        namespace, names = replica.namespace, replica.all_names
        settings = settings or RenewalSettings(frozenset(names))
        self._replicas = Replicas(
            api, clock, namespace=namespace, prefix=replica.service, pod=replica.pod
        )
        self._serving_policy = ServingPolicy(
            context,
            clock=clock,
            metrics=metrics,
            spread=settings.spread,
            what=f"Secret {namespace}/{SECRET}",
        )
        authority = KubeAuthority(
            api,
            namespace=namespace,
            issuing=Issuing(names, lifetimes, serials),
            ca_bundles=CaBundles(api, CONFIGURATIONS),
            replicas=self._replicas,
            serving_policy=self._serving_policy,
            is_leader=is_leader,
        )
        self._rotator = Rotator(authority, settings, clock=clock, metrics=metrics)

    def is_trusted(self) -> bool:
        """Report whether the served pair is valid and, as last read, trusted by every webhook."""
        return self._serving_policy.is_trusted()

    async def reconcile(self) -> Idle | WaitTrusted | WaitServed:
        """Take the steps that are due for this replica, and return what to wait for.

        Raises:
            PlanesError: the API server does not answer or refuses, or a webhook configuration
                does not exist; `run` retries.
        """
        return await self._rotator.reconcile()

    async def run(self) -> None:
        """Reconcile periodically until cancelled, then report that nothing is served any more.

        Stop it after the listener.
        """
        try:
            await self._rotator.run()
        finally:
            await asyncio.shield(self._replicas.leave())
