"""Read from a cluster whether Netplane is well: a dozen requests, and lists by pages.

What the user may not read is named in `unknown`. Nothing is watched, and no object is kept whole.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from certs.ca_bundles import KINDS
from certs.cluster import CONFIGURATIONS, SECRET
from planes.cli.reading.events import seconds_of
from planes.cli.reading.plane_conditions import PlaneStatusSeen, plane_seen
from planes.cli.status.certificate_dates import roots_of, serving_of
from planes.cli.status.cluster_facts import (
    CertificateSeen,
    ClusterSeen,
    DaemonSeen,
    LeaderSeen,
    ReadyReplicas,
    StatusFault,
)
from planes.cli.status.daemon_pods import daemon_seen
from planes.cli.status.recent_events import recent
from planes.kube.api import Query, ReadApi
from planes.kube.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    LEASES,
    NODES,
    PLANES,
    PODS,
    SECRETS,
    Resource,
)
from planes.model.errors import Denied, JsonObject, NotFound
from planes.model.lines import one_line
from planes.model.names import NETPLANE_NAMESPACE
from planes.run.clock import Clock

WEBHOOK: Final = "netplane-webhook"
DAEMON: Final = "netplane-cni"
_LABEL: Final = "app.kubernetes.io/name"
_LONGEST: Final = 253
_APPLY: Final = "apply the manifests: kubectl apply -k …; docs/cluster.md says how"

T = TypeVar("T")


async def cluster_seen(api: ReadApi, clock: Clock) -> ClusterSeen:
    """Read all that `netplane status` judges.

    Raises:
        Unavailable: the API server does not answer.
        PlanesError: it answers with something else than a refusal.
    """
    reading = _StatusReading(api, clock.now())
    webhook = await reading.known(reading.replicas(DEPLOYMENTS, WEBHOOK, "replicas"))
    leader = await reading.known(reading.leader())
    certificates = await reading.certificates()
    wanted = await reading.known(reading.replicas(DAEMON_SETS, DAEMON, ""))
    nodes = await reading.known(reading.nodes())
    pods = await reading.known(reading.daemon_pods())
    planes = await reading.known(reading.planes())
    events = await reading.known(recent(api, reading.now))
    return ClusterSeen(
        webhook=webhook,
        leader=leader,
        certificates=certificates,
        daemons=wanted,
        nodes=nodes,
        daemon_pods=pods,
        planes=planes,
        events=events,
        absent=tuple(reading.absent),
        unknown=tuple(dict.fromkeys(reading.unknown)),
    )


@dataclass(slots=True)
class _StatusReading:
    api: ReadApi
    now: float
    absent: list[StatusFault] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    async def known(self, reading: Awaitable[T]) -> T | None:
        """Return what was read; what may not be read is unknown, what is not there is a fault."""
        try:
            return await reading
        except Denied as error:
            self.unknown.append(f"not known: {error}")
        except NotFound as error:
            self.absent.append(StatusFault(error.message, _APPLY))
        return None

    async def replicas(self, kind: Resource, name: str, key: str) -> ReadyReplicas:
        obj = await self.api.get(kind, name, namespace=NETPLANE_NAMESPACE)
        spec, status = _object(obj.get("spec")), _object(obj.get("status"))
        containers = _object(_object(spec.get("template")).get("spec")).get("containers")
        image = ""
        if isinstance(containers, list) and containers:
            image = one_line(str(_object(containers[0]).get("image") or ""), _LONGEST)
        if key:
            wanted, ready = spec.get(key, 1), status.get("readyReplicas", 0)
        else:
            wanted, ready = status.get("desiredNumberScheduled", 0), status.get("numberReady", 0)
        return ReadyReplicas(_number(wanted), _number(ready), image)

    async def leader(self) -> LeaderSeen:
        try:
            obj = await self.api.get(LEASES, WEBHOOK, namespace=NETPLANE_NAMESPACE)
        except NotFound:  # the first leader makes it
            return LeaderSeen("", None)
        spec = _object(obj.get("spec"))
        renewed = seconds_of(str(spec.get("renewTime") or ""))
        holder = one_line(str(spec.get("holderIdentity") or ""), _LONGEST)
        return LeaderSeen(holder, None if renewed is None else max(0.0, self.now - renewed))

    async def certificates(self) -> tuple[CertificateSeen, ...] | None:
        found: list[CertificateSeen] = []
        for kind in KINDS:
            obj = await self.known(self.api.get(kind, CONFIGURATIONS))
            if obj is not None:
                found.append(roots_of(kind, obj, self.now))
        # The keys beside it are not asked for, and not sent.
        secret = await self.known(
            self.api.get(SECRETS, SECRET, namespace=NETPLANE_NAMESPACE, is_metadata_only=True)
        )
        if secret is not None:
            found.append(serving_of(secret, self.now))
        return tuple(found) or None

    async def nodes(self) -> tuple[str, ...]:
        query = Query(NODES, is_metadata_only=True)
        return tuple(
            sorted([obj["metadata"]["name"] async for obj in self._each(query) if _is_linux(obj)])
        )

    async def daemon_pods(self) -> tuple[DaemonSeen, ...]:
        query = Query(PODS, namespace=NETPLANE_NAMESPACE, labels=f"{_LABEL}={DAEMON}")
        found = [daemon_seen(obj) async for obj in self._each(query)]
        return tuple(sorted((one for one in found if one), key=lambda one: (one.node, one.pod)))

    async def planes(self) -> tuple[PlaneStatusSeen, ...]:
        found = [plane_seen(obj) async for obj in self._each(Query(PLANES))]
        return tuple(sorted(found, key=lambda one: one.name))

    async def _each(self, query: Query) -> AsyncIterator[JsonObject]:
        async for page in self.api.pages(query):
            for obj in page.items:
                yield obj


def _is_linux(obj: JsonObject) -> bool:
    labels = obj["metadata"].get("labels") or {}
    return bool(labels.get("kubernetes.io/os", "linux") == "linux")


def _number(value: Any) -> int:
    return value if isinstance(value, int) and value > 0 else 0


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
