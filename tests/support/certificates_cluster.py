"""A cluster for certificates: a fake API server with both webhook configurations, and replicas."""

from __future__ import annotations

from base64 import b64decode, b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from certs import secret
from certs.bundle import Bundle, Certificate, Pair, verify
from certs.ca_bundles import KINDS
from certs.cluster import CONFIGURATIONS, SECRET
from certs.issue import Lifetimes
from certs.managed import CLUSTER_LIFETIMES, ManagedCertificates, Replica
from certs.metrics import CertificateMetrics
from certs.policy import RenewalSettings
from certs.serving import RotatingContext
from planes.kube.api import KubeApi
from planes.kube.resources import LEASES, MUTATING_HOOKS, SECRETS, VALIDATING_HOOKS, Resource
from planes.model.errors import JsonObject, PlanesError
from planes.run.clock import Clock
from planes.run.metrics import Metrics
from tests.support.certificates import counting, make_root, make_serving
from tests.support.clock import FakeClock
from tests.support.kube.fake_kube import FakeKube

NAMESPACE = "netplane-system"
SERVICE = "netplane-webhook"
EVERYBODY = "*"
ENTRIES = {MUTATING_HOOKS: ("pods", "namespaces"), VALIDATING_HOOKS: ("pods", "planes", "nads")}


def configuration(kind: Resource, bundle: bytes = b"") -> JsonObject:
    """Make a webhook configuration as the manifests have it, or with a caBundle."""
    client: JsonObject = {"service": {"namespace": NAMESPACE, "name": SERVICE, "path": "/x"}}
    if bundle:
        client["caBundle"] = b64encode(bundle).decode()
    return {
        "apiVersion": kind.api_version,
        "kind": kind.kind,
        "metadata": {"name": CONFIGURATIONS, "labels": {"app.kubernetes.io/name": "netplane"}},
        "webhooks": [
            {"name": f"{each}.netplane.io", "clientConfig": client, "sideEffects": "None"}
            for each in ENTRIES[kind]
        ],
    }


class Cluster:
    """What replicas meet, and what a test looks at or breaks."""

    def __init__(self, clock: FakeClock | None = None, *, is_installed: bool = True) -> None:
        self.clock = clock or FakeClock()
        self.api = FakeKube(clock=self.clock)
        self.leader = ""  # a pod's name, or EVERYBODY
        self.ship_secret()
        if is_installed:
            self.install()

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now(), UTC)

    def install(self, bundle: bytes = b"") -> None:
        """Apply both configurations anew, without our caBundle."""
        for kind in KINDS:
            self.api.put_object(kind, configuration(kind, bundle))

    def ship_secret(self) -> None:
        """Apply the Secret as the manifests have it, without data, where there is none."""
        metadata = {"name": SECRET, "namespace": NAMESPACE}
        self.api.put_object(
            SECRETS,
            {
                "apiVersion": SECRETS.api_version,
                "kind": SECRETS.kind,
                "type": "Opaque",
                "metadata": metadata,
            },
        )

    def replica(self, pod: str, **options: Any) -> Member:
        """Make a replica; the first one leads."""
        self.leader = self.leader or pod
        return Member(self, pod, **options)

    @property
    def secret(self) -> JsonObject:
        found = self.api.object(SECRETS, SECRET, NAMESPACE)
        assert found is not None
        return found

    @property
    def kept(self) -> Bundle:
        return secret.read(self.secret, "Secret").bundle

    def change_secret(self, **data: bytes | None) -> None:
        """Put other contents into the Secret, as somebody's kubectl would; None removes a key.

        Keys are written with _ for a dot.
        """
        obj = self.secret
        for name, content in data.items():
            key = name.replace("_", ".")
            obj["data"].pop(key, None)
            if content is not None:
                obj["data"][key] = b64encode(content).decode()
        self.api.put_object(SECRETS, obj)

    def remove_secret(self) -> None:
        self.api.remove_object(SECRETS, SECRET, NAMESPACE)

    def bundles(self) -> list[bytes]:
        """Return the caBundle of every entry of both configurations."""
        return [
            b64decode(entry["clientConfig"].get("caBundle", ""))
            for kind in KINDS
            for entry in (self.api.object(kind, CONFIGURATIONS) or {"webhooks": []})["webhooks"]
        ]

    def trusted(self) -> list[list[str]]:
        """Return the ids of the roots in every entry."""
        return [
            [root.id for root in Certificate.parse_all(pem, "caBundle")] if pem else []
            for pem in self.bundles()
        ]

    def serving(self) -> dict[str, str]:
        """Return what each replica's Lease says it shows."""
        return {
            lease["spec"]["holderIdentity"]: lease["metadata"]["annotations"]["netplane.io/serving"]
            for lease in self.api.objects(LEASES, NAMESPACE)
        }


class Member:
    """One replica of the webhook, as far as certificates go."""

    def __init__(
        self,
        cluster: Cluster,
        pod: str,
        *,
        clock: Clock | None = None,
        api: KubeApi | None = None,
        names: tuple[str, ...] = (),
        serials: Callable[[], int] | None = None,
        lifetimes: Lifetimes = CLUSTER_LIFETIMES,
        settings: RenewalSettings | None = None,
        is_leader: Callable[[], bool] | None = None,
    ) -> None:
        self.pod = pod
        self.failures: list[str] = []
        self.metrics = Metrics()
        self.context = RotatingContext()
        self._cluster = cluster
        # Different numbers for each, so that a test can tell who made what.
        first = 0x1000 * (1 + sum(pod.encode()) % 251)
        self.certificates = ManagedCertificates(
            api or cluster.api,
            self.context,
            Replica(NAMESPACE, SERVICE, pod, names),
            is_leader=is_leader or (lambda: cluster.leader in {pod, EVERYBODY}),
            clock=clock or cluster.clock,
            metrics=CertificateMetrics(self.metrics),
            serials=serials or counting(first),
            lifetimes=lifetimes,
            settings=settings,
        )
        self.reconcile = self.certificates.reconcile
        self.is_trusted = self.certificates.is_trusted

    @staticmethod
    def names_with(names: tuple[str, ...]) -> tuple[str, ...]:
        """Return all names of a certificate with these further ones."""
        return Replica(NAMESPACE, SERVICE, "any", names).all_names

    @property
    def shown(self) -> Pair:
        assert self.context.pair is not None
        return self.context.pair

    async def try_reconcile(self) -> None:
        """Reconcile once; an error is kept in `failures`."""
        try:
            await self.reconcile()
        except PlanesError as exc:
            self.failures.append(str(exc))

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.registry.get_sample_value(f"netplane_{name}", labels) or 0.0


async def look_on(cluster: Cluster, *members: Member, seconds: float) -> None:
    """Let time pass in steps of ten seconds, and reconcile each replica at every step."""
    for _ in range(round(seconds / 10)):
        cluster.clock.advance(10)
        for member in members:
            await member.try_reconcile()


def check(cluster: Cluster, *members: Member) -> None:
    """See that what each member shows is trusted by every entry, and that each knows."""
    for member in members:
        for pem in cluster.bundles():
            roots = Certificate.parse_all(pem, "caBundle")
            verify(member.shown, roots, cluster.now, member.pod)
        assert member.is_trusted()


async def settled(cluster: Cluster) -> tuple[Member, Member]:
    """Return two replicas, the first of which leads, after two minutes without a fault."""
    one, two = cluster.replica("one"), cluster.replica("two")
    await look_on(cluster, one, two, seconds=120)
    check(cluster, one, two)
    return one, two


def foreign_pair(cluster: Cluster) -> tuple[Pair, Pair]:
    """Return a root that is not ours, and a pair that it signed."""
    root = make_root(cluster.now, 0x900)
    return root, make_serving(root, cluster.now, 0x901)
