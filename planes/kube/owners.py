"""Whether the workload that a pod names is there, by UID: read live, remembered for a minute.

Invariant: where that cannot be told, an error says so; nothing is believed for want of an answer.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
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
from planes.model.owners import form_doubt, keeps_for_workloads
from planes.model.spec.plane_spec import Plane
from planes.run.clock import Clock

_REMEMBERED_SECONDS: Final = 60.0
_MOST_REMEMBERED: Final = 1024

_RESOURCES: Final[Mapping[str, Resource]] = {
    one.kind: one for one in (STATEFUL_SETS, REPLICA_SETS, DAEMON_SETS, DEPLOYMENTS, JOBS)
}


class LiveOwners:
    """Compares owner references with what they refer to, where a plane's addresses hang on it.

    Args:
        api: the API server.
        clock: says how long an answer is remembered.
        planes: gives the planes as they are now.
    """

    def __init__(self, api: KubeApi, clock: Clock, planes: Callable[[], Iterable[Plane]]) -> None:
        self._api = api
        self._clock = clock
        self._planes = planes
        self._believed: OrderedDict[tuple[str, ...], float] = OrderedDict()

    async def doubt(self, pod: Pod) -> str:
        """Say why a pod is not of the workload it names, "" where it is, or where that is all one.

        Raises:
            PlanesError: the API server does not tell.
        """
        if not keeps_for_workloads(self._planes(), pod.namespace):
            return ""
        form = form_doubt(pod)
        if form:
            return form
        key = (pod.namespace, pod.owner_kind, pod.owner_name, pod.owner_uid, pod.deployment)
        if self._believed.get(key, 0.0) > self._clock.monotonic():
            return ""
        found = await self._compare(pod)
        if not found:
            self._believed[key] = self._clock.monotonic() + _REMEMBERED_SECONDS
            self._believed.move_to_end(key)
            if len(self._believed) > _MOST_REMEMBERED:
                self._believed.popitem(last=False)
        return found

    async def _compare(self, pod: Pod) -> str:
        kind, name = pod.owner_kind, pod.owner_name
        meta = await self._metadata(kind, pod.namespace, name)
        if meta.get("uid") != pod.owner_uid:
            return _another(kind, name)
        if not pod.deployment:
            return ""
        owners = meta.get("ownerReferences") or ()
        none: Mapping[str, Any] = {}
        deployment = next((one for one in owners if one.get("controller") is True), none)
        if deployment.get("kind") != "Deployment" or deployment.get("name") != pod.deployment:
            return f"{kind} {name} is not of Deployment {pod.deployment}"
        live = await self._metadata("Deployment", pod.namespace, pod.deployment)
        is_same = live.get("uid") == deployment.get("uid")
        return "" if is_same else _another("Deployment", pod.deployment)

    async def _metadata(self, kind: str, namespace: str, name: str) -> Mapping[str, Any]:
        """Read what an object is; {} where there is none."""
        try:
            found = await self._api.get(
                _RESOURCES[kind], name, namespace=namespace, is_metadata_only=True
            )
        except NotFound:
            return {}
        metadata: Mapping[str, Any] = found.get("metadata") or {}
        return metadata


def _another(kind: str, name: str) -> str:
    return f"there is no {kind} {name} with the UID that the pod names"
