"""Check by UID whether the workload that a pod names exists: read live, cached for a minute.

Invariant: where that cannot be read, an error is raised; no pod is believed without a response.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from planes.kube.api import KubeApi
from planes.kube.resources import (
    DAEMON_SETS,
    DEPLOYMENTS,
    JOBS,
    REPLICA_SETS,
    STATEFUL_SETS,
    Resource,
)
from planes.model.errors import NotFound
from planes.model.objects import Pod
from planes.model.owners import form_doubt, has_reservations_by_owner
from planes.model.spec.plane_spec import Plane
from planes.run.clock import Clock

_REMEMBERED_SECONDS: Final = 60.0
_MOST_REMEMBERED: Final = 1024

_RESOURCES: Final[Mapping[str, Resource]] = {
    one.kind: one for one in (STATEFUL_SETS, REPLICA_SETS, DAEMON_SETS, DEPLOYMENTS, JOBS)
}


class LiveOwners:
    """Compares owner references with their objects, where a plane reserves addresses for workloads.

    Args:
        api: the API server.
        clock: limits how long a result is cached.
        planes: returns the planes as they are now.
    """

    def __init__(self, api: KubeApi, clock: Clock, planes: Callable[[], Iterable[Plane]]) -> None:
        self._api = api
        self._clock = clock
        self._planes = planes
        self._believed: OrderedDict[tuple[str, ...], float] = OrderedDict()

    async def doubt(self, pod: Pod) -> str:
        """Return why a pod is not of the workload it names; "" where it is, or no plane cares.

        Raises:
            PlanesError: the API server cannot be read.
        """
        if not has_reservations_by_owner(self._planes(), pod.namespace):
            return ""
        form = form_doubt(pod)
        if form:
            return form
        key = (pod.namespace, pod.owner_kind, pod.owner_name, pod.owner_uid, pod.deployment)
        if self._believed.get(key, 0.0) > self._clock.monotonic():
            return ""
        found = (await compare_owner(self._api, Owner.of(pod))).doubt
        if not found:
            self._believed[key] = self._clock.monotonic() + _REMEMBERED_SECONDS
            self._believed.move_to_end(key)
            if len(self._believed) > _MOST_REMEMBERED:
                self._believed.popitem(last=False)
        return found


@dataclass(frozen=True, slots=True)
class Owner:
    """The workload that a pod names, and the Deployment above it, "" for none."""

    namespace: str
    kind: str
    name: str
    uid: str
    deployment: str = ""

    @classmethod
    def of(cls, pod: Pod) -> Owner:
        """Return the one that a pod names; `owners.form_doubt` says whether it can."""
        return cls(pod.namespace, pod.owner_kind, pod.owner_name, pod.owner_uid, pod.deployment)


@dataclass(frozen=True, slots=True)
class OwnerCheck:
    """What comes of comparing an owner with what is there.

    Attributes:
        doubt: why it is not there, with the UID that is named; "" where it is.
        deployment_uid: of the Deployment above it, "" for none.
    """

    doubt: str = ""
    deployment_uid: str = ""


async def compare_owner(api: KubeApi, owner: Owner) -> OwnerCheck:
    """Compare an owner with what is there, live.

    Raises:
        PlanesError: the API server does not tell.
    """
    meta = await _metadata(api, owner.kind, owner.namespace, owner.name)
    if meta.get("uid") != owner.uid:
        return OwnerCheck(_another(owner.kind, owner.name))
    if not owner.deployment:
        return OwnerCheck()
    owners = meta.get("ownerReferences") or ()
    none: Mapping[str, Any] = {}
    above = next((one for one in owners if one.get("controller") is True), none)
    if above.get("kind") != "Deployment" or above.get("name") != owner.deployment:
        return OwnerCheck(f"{owner.kind} {owner.name} is not of Deployment {owner.deployment}")
    live = await _metadata(api, "Deployment", owner.namespace, owner.deployment)
    if not live.get("uid") or live["uid"] != above.get("uid"):
        return OwnerCheck(_another("Deployment", owner.deployment))
    return OwnerCheck(deployment_uid=str(live["uid"]))


async def _metadata(api: KubeApi, kind: str, namespace: str, name: str) -> Mapping[str, Any]:
    """Read what an object is; {} where there is none."""
    try:
        found = await api.get(_RESOURCES[kind], name, namespace=namespace, is_metadata_only=True)
    except NotFound:
        return {}
    metadata: Mapping[str, Any] = found.get("metadata") or {}
    return metadata


def _another(kind: str, name: str) -> str:
    return f"there is no {kind} {name} with the UID that the pod names"
