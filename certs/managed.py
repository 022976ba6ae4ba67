"""The self-managed certificates of one webhook replica, wired: what its program runs and asks.

Invariant: `run` never ends by itself and no failure ends it; while the API server is away the
last good pair stays in service.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from certs.cluster import CONFIGURATIONS, SECRET, Issuing, KubeAuthority
from certs.issue import Lifetimes
from certs.metrics import CertificateMetrics
from certs.policy import Idle, Settings, WaitServed, WaitTrusted
from certs.replicas import Replicas
from certs.rotate import Rotator
from certs.serving import RotatingContext
from certs.showing import Showing
from certs.verifiers import Verifiers
from planes.kube.api import KubeApi
from planes.run.clock import Clock

# Whoever leads may have a clock that is ahead: a day early is valid everywhere all the same.
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
        """Everything that clients may call the Service."""
        host = f"{self.service}.{self.namespace}.svc"
        return tuple(dict.fromkeys((host, f"{host}.cluster.local", *self.names)))


class ManagedCertificates:
    """Keeps the certificate of a replica's listener right, together with the other replicas.

    Args:
        context: the listener's; it is shown a pair as soon as verifiers accept it.
        is_leader: tells whether this replica may act now.
        serials: gives a fresh serial number (`cryptography.x509.random_serial_number`).
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
        settings: Settings | None = None,
    ) -> None:
        namespace, names = replica.namespace, replica.all_names
        settings = settings or Settings(frozenset(names))
        self._replicas = Replicas(
            api, clock, namespace=namespace, prefix=replica.service, pod=replica.pod
        )
        self._showing = Showing(
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
            verifiers=Verifiers(api, CONFIGURATIONS),
            replicas=self._replicas,
            showing=self._showing,
            is_leader=is_leader,
        )
        self._rotator = Rotator(authority, settings, clock=clock, metrics=metrics)

    def is_trusted(self) -> bool:
        """Tell whether what is shown is valid and, as last seen, trusted by every configuration."""
        return self._showing.is_trusted()

    async def turn(self) -> Idle | WaitTrusted | WaitServed:
        """Look, and take what steps are this replica's to take; what there is to wait for.

        Raises:
            PlanesError: the API server does not answer or refuses, or a webhook configuration
                is not there; `run` tries again.
        """
        return await self._rotator.turn()

    async def run(self) -> None:
        """Take turns until cancelled, then say that nothing is shown any more.

        To be stopped after the listener.
        """
        try:
            await self._rotator.run()
        finally:
            await asyncio.shield(self._replicas.leave())
