"""Write events about planes, for `kubectl describe plane`; one that fails is only logged."""

from __future__ import annotations

import logging
from typing import Final, Literal

from planes.kube.api import KubeApi
from planes.kube.resources import EVENTS, PLANES
from planes.kube.store.event_objects import event_object
from planes.model.errors import PlanesError
from planes.run.clock import Clock, rfc3339
from webhook.controller.objects import PlaneSeen

_log = logging.getLogger(__name__)

# Where Kubernetes keeps events about objects that are in no namespace.
_NAMESPACE: Final = "default"


class PlaneEvents:
    """Writes events about planes."""

    def __init__(self, api: KubeApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock

    async def tell(
        self, seen: PlaneSeen, kind: Literal["Normal", "Warning"], reason: str, message: str
    ) -> None:
        """Write an event; never raises."""
        now = self._clock.now()
        name = f"{seen.plane.name}.{int(now * 1e9):x}"
        involved = {
            "apiVersion": PLANES.api_version,
            "kind": PLANES.kind,
            "name": seen.plane.name,
            "uid": seen.uid,
        }
        event = event_object(
            name,
            _NAMESPACE,
            involved,
            kind=kind,
            reason=reason,
            message=message,
            moment=rfc3339(now),
        )
        facts = {"plane": seen.plane.name, "reason": reason, "text": message}
        _log.info("plane event", extra=facts)
        try:
            await self._api.create(EVENTS, event, namespace=_NAMESPACE)
        except PlanesError as error:
            _log.warning("event not written", extra={**facts, "cause": str(error)})
