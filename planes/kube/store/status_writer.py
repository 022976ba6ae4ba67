"""Write a pod's network-status: one PATCH of pods/status, conditional on the pod's UID.

Invariant: a status is never written to a pod that was created anew under the same name, and writes
for one pod take effect in the order of the calls.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from planes.kube.api import KubeApi
from planes.kube.resources import PODS
from planes.kube.store.pod_views import PodView
from planes.model.errors import Conflict, NotFound, Unavailable
from planes.model.names import STATUS_ANNOTATION
from planes.model.objects import Pod
from planes.run.locks import KeyedLocks

_TRIES: Final = 3
# A DEL waits no longer for an API server that is away; the next ADD writes the status anew.
WITHDRAW_SECONDS: Final = 2.0

_log = logging.getLogger(__name__)


class StatusWriter:
    """Writes the network-status of pods.

    Args:
        api: the API server.
        pods: what is known of pods; it notes each write.
    """

    def __init__(self, api: KubeApi, pods: PodView) -> None:
        self._api = api
        self._pods = pods
        self._locks = KeyedLocks()

    async def put(self, pod: Pod, status: str) -> None:
        """Write a pod's network-status; a pod that is gone is tolerated.

        Raises:
            PlanesError: it could not be written.
        """
        async with self._locks.hold(pod.key):
            await self._write(pod, self._uid(pod), status)

    async def withdraw(self, namespace: str, name: str) -> None:
        """Remove the network-status of a pod that goes on to exist without a sandbox.

        On a pod that is being deleted or has ended the annotation stays.

        Raises:
            PlanesError: it could not be written in time.
        """
        async with self._locks.hold(f"{namespace}/{name}"):
            seen = self._pods.seen(namespace, name)
            if seen is None or seen.is_leaving or STATUS_ANNOTATION not in seen.pod.annotations:
                return
            try:
                async with asyncio.timeout(WITHDRAW_SECONDS):
                    await self._write(seen.pod, seen.pod.uid, None)
            except TimeoutError as error:
                raise Unavailable(
                    f"cannot withdraw the network-status of pod {seen.pod.key}: "
                    f"no answer within {WITHDRAW_SECONDS:g} s"
                ) from error

    def _uid(self, pod: Pod) -> str:
        """Return the UID the API server knows: a kubelet knows a static pod by another."""
        seen = self._pods.seen(pod.namespace, pod.name)
        return seen.pod.uid if seen is not None and seen.pod.is_static else pod.uid

    async def _write(self, pod: Pod, uid: str, status: str | None) -> None:
        metadata: dict[str, Any] = {"annotations": {STATUS_ANNOTATION: status}}
        if uid:
            metadata["uid"] = uid
        facts = {"pod": pod.key, "uid": uid}
        for _ in range(_TRIES):
            try:
                written = await self._api.patch(
                    PODS,
                    pod.name,
                    {"metadata": metadata},
                    namespace=pod.namespace,
                    subresource="status",
                )
            except NotFound:
                _log.info("pod is gone, its network-status is not needed", extra=facts)
                return
            except Conflict:
                if not await self._is_there(pod, uid):
                    _log.info("pod was created anew, the old one has no status", extra=facts)
                    return
            else:
                self._pods.note(written)
                return
        raise Unavailable(
            f"cannot write the network-status of pod {pod.key}: others write it at the same time",
            remedy="try again",
        )

    async def _is_there(self, pod: Pod, uid: str) -> bool:
        try:
            found = await self._api.get(PODS, pod.name, namespace=pod.namespace)
        except NotFound:
            return False
        return not uid or found["metadata"].get("uid") == uid
