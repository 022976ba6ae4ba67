"""Tell of a plane what `kubectl describe plane` should show; an event that fails is only logged."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Final, Literal

from planes.kube.api import KubeApi
from planes.kube.resources import EVENTS, PLANES
from planes.model.errors import PlanesError
from planes.model.events import COMPONENT
from planes.run.clock import Clock
from webhook.controller.books import PlaneSeen

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
        moment = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        name = f"{seen.plane.name}.{int(now * 1e9):x}"
        event = {
            "apiVersion": EVENTS.api_version,
            "kind": EVENTS.kind,
            "metadata": {"name": name, "namespace": _NAMESPACE},
            "involvedObject": {
                "apiVersion": PLANES.api_version,
                "kind": PLANES.kind,
                "name": seen.plane.name,
                "uid": seen.uid,
            },
            "type": kind,
            "reason": reason,
            "message": message,
            "count": 1,
            "firstTimestamp": moment,
            "lastTimestamp": moment,
            "source": {"component": COMPONENT},
            "reportingComponent": COMPONENT,
            "reportingInstance": "",
        }
        facts = {"plane": seen.plane.name, "reason": reason, "text": message}
        _log.info("plane event", extra=facts)
        try:
            await self._api.create(EVENTS, event, namespace=_NAMESPACE)
        except PlanesError as error:
            _log.warning("event not written", extra={**facts, "cause": str(error)})
