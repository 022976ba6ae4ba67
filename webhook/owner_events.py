"""Events with admission's warnings on the owner of a pod: its ReplicaSet, Deployment, ….

The API server returns a warning to the client that creates the pod, and that is a controller, which
drops it (issue 10). An owner is believed only where its own controller creates the pod, and where
the owner exists with the UID that the pod names: any peer of the port may send a review in any
user's name, but does not know the UIDs of other namespaces. Each namespace has its own rate limit,
applied before anything is queued: one tenant's pods do not suppress another tenant's events.
"""

from __future__ import annotations

import logging
from collections import OrderedDict, deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from planes.kube.api import KubeApi
from planes.kube.errors import AlreadyExists
from planes.kube.resources import DEPLOYMENTS, EVENTS
from planes.kube.store.event_objects import event_object, name_by_content
from planes.kube.store.owners import Owner, compare_owner
from planes.model.errors import BadInput, JsonObject, NotFound, PlanesError
from planes.model.events import message_of
from planes.model.objects import Pod
from planes.model.owners import form_doubt, is_controller
from planes.run.clock import Clock, rfc3339
from planes.run.token_bucket import Buckets
from webhook.review import Allowed, Answer, Review

_log = logging.getLogger(__name__)

REASON: Final = "PodWarning"
REPEAT_SECONDS: Final = 1800.0
"""An event is not repeated sooner; an API server keeps events for an hour by default."""
NAMESPACE_BURST: Final = 8
NAMESPACE_PER_SECOND: Final = 1 / 60
MOST_QUEUED: Final = 1024
ROUND_SECONDS: Final = 1.0
MOST_OF_ROUND: Final = 20
_MOST_REMEMBERED: Final = 4096


@dataclass(frozen=True, slots=True)
class _OwnerWarning:
    """A workload, and the message about its pods."""

    namespace: str
    api_version: str
    kind: str
    name: str
    uid: str
    message: str

    @property
    def event_name(self) -> str:
        """The name of its event, by content: so that of two replicas only one creates it."""
        return name_by_content(self.name, f"{self.kind}\0{self.uid}\0{self.message}")


class OwnerEvents:
    """Queues warnings, from any thread, and writes them as events while it runs."""

    def __init__(self, api: KubeApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._queue: deque[tuple[_OwnerWarning, str]] = deque()
        self._known: OrderedDict[_OwnerWarning, float] = OrderedDict()
        self._shares = Buckets(clock, NAMESPACE_BURST, NAMESPACE_PER_SECOND)

    def answered(self, path: str, review: Review, answer: Answer) -> None:
        """Queue the warnings of an answer; never raises, and most answers need no event."""
        if not isinstance(answer, Allowed) or not answer.warnings or review.is_dry_run:
            return
        if path != "/validate/pods" or review.operation != "CREATE" or review.subresource:
            return
        try:
            pod = Pod.from_object(review.obj or {}, review.namespace)
        except BadInput:
            return
        if form_doubt(pod) or not is_controller(pod, review.user.name):
            return
        self._enqueue(pod, answer.warnings)

    def _enqueue(self, pod: Pod, warnings: Sequence[str]) -> None:
        text = "; ".join(warnings)
        message = message_of(f"pods start with a warning: {text}")
        warning = _OwnerWarning(
            pod.namespace, pod.owner_api, pod.owner_kind, pod.owner_name, pod.owner_uid, message
        )
        now = self._clock.monotonic()
        if self._known.get(warning, 0.0) > now or len(self._queue) >= MOST_QUEUED:
            return
        if not self._shares.take(pod.namespace):
            return
        self._known[warning] = now + REPEAT_SECONDS
        self._known.move_to_end(warning)
        if len(self._known) > _MOST_REMEMBERED:
            self._known.popitem(last=False)
        self._queue.append((warning, pod.deployment))

    async def run(self) -> None:
        """Write queued events at a limited rate, until cancelled."""
        while True:
            for _ in range(min(len(self._queue), MOST_OF_ROUND)):
                warning, deployment = self._queue.popleft()
                await self._write_all(warning, deployment)
            await self._clock.sleep(ROUND_SECONDS)

    async def _write_all(self, warning: _OwnerWarning, deployment: str) -> None:
        try:
            owner = Owner(warning.namespace, warning.kind, warning.name, warning.uid, deployment)
            found = await compare_owner(self._api, owner)
            if found.doubt:
                facts = {"object": f"{warning.namespace}/{warning.name}", "cause": found.doubt}
                _log.info("event not written", extra=facts)
                return
            await self._write(warning)
            if deployment:
                kind, api_version = DEPLOYMENTS.kind, DEPLOYMENTS.api_version
                above = replace(warning, kind=kind, api_version=api_version, name=deployment)
                # `kubectl describe` finds events by the UID.
                await self._write(replace(above, uid=found.deployment_uid))
        except (AlreadyExists, NotFound):
            pass  # the other replica created it, or the workload or its namespace is gone
        except PlanesError as error:
            facts = {"object": f"{warning.namespace}/{warning.name}", "cause": str(error)}
            _log.warning("event not written", extra=facts)

    async def _write(self, warning: _OwnerWarning) -> None:
        involved: JsonObject = {
            "apiVersion": warning.api_version,
            "kind": warning.kind,
            "name": warning.name,
            "namespace": warning.namespace,
            "uid": warning.uid,
        }
        event = event_object(
            warning.event_name,
            warning.namespace,
            involved,
            kind="Warning",
            reason=REASON,
            message=warning.message,
            moment=rfc3339(self._clock.now()),
        )
        await self._api.create(EVENTS, event, namespace=warning.namespace)
