"""Write an event in each namespace whose labels ask for a plane that it does not get.

It was labelled before the plane was created, while no webhook was asked, or its plane was deleted.
It gets an event about the same fault at most once an hour: the event's name is made from what it
says, and the API server takes a name once. The number of events at a time is bounded, for each
namespace and for all together.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import Final

from planes.kube.api import KubeApi
from planes.kube.errors import AlreadyExists
from planes.kube.resources import EVENTS, NAMESPACES
from planes.kube.store.event_objects import event_object, name_by_content
from planes.model.errors import Finding, JsonObject, NotFound, PlanesError, Unavailable
from planes.run.clock import Clock, rfc3339
from planes.run.token_bucket import Buckets

_log = logging.getLogger(__name__)

REASON: Final = "PlaneMissing"
AGAIN_SECONDS: Final = 3600.0
"""An API server keeps events for an hour by default."""
NAMESPACE_BURST: Final = 4
NAMESPACE_PER_SECOND: Final = 1 / 600
GRACE_SECONDS: Final = 30.0
"""One `kubectl apply` may label a namespace a moment before it creates the plane."""
MOST_AT_ONCE: Final = 50
"""Events in one resync of all namespaces; the others follow in the next."""
_MOST_FAILED: Final = 3
"""In one resync: while the API server is away, each costs a deadline."""


class LabelFaults:
    """Writes an event into each namespace whose labels of planes are at fault."""

    def __init__(self, api: KubeApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self._told: dict[str, tuple[str, float]] = {}
        self._since: dict[str, tuple[str, float]] = {}
        self._shares = Buckets(clock, NAMESPACE_BURST, NAMESPACE_PER_SECOND)

    async def tell(self, faults: Iterable[tuple[str, tuple[Finding, ...]]]) -> None:
        """Write events about new faults of namespaces, those with the oldest event first."""
        now = self._clock.monotonic()
        due: list[tuple[float, str, str, str]] = []
        since: dict[str, tuple[str, float]] = {}
        for namespace, findings in faults:
            message = "; ".join(map(str, findings))
            name = name_by_content(namespace, message)
            before, when = self._since.get(namespace, ("", now))
            since[namespace] = name, when if before == name else now
            told, last = self._told.get(namespace, ("", 0.0))
            is_new = told != name or now >= last + AGAIN_SECONDS
            if is_new and now >= since[namespace][1] + GRACE_SECONDS:
                due.append((last, namespace, name, message))
        self._since = since
        self._told = {each: told for each, told in self._told.items() if each in since}
        failed = 0
        for _, namespace, name, message in sorted(due)[:MOST_AT_ONCE]:
            if not self._shares.take(namespace):
                continue
            try:
                await self._write(namespace, name, message)
            except Unavailable as error:
                facts = {"object": namespace, "cause": str(error)}
                _log.warning("event not written yet", extra=facts)
                failed += 1
                if failed == _MOST_FAILED:
                    return
                continue
            self._told[namespace] = name, now

    async def _write(self, namespace: str, name: str, message: str) -> None:
        """Write the event; one that the API server refuses is not tried again.

        Raises:
            Unavailable: the API server is away; it is to be written later.
        """
        # In the namespace itself, where its users may read it.
        involved: JsonObject = {
            "apiVersion": NAMESPACES.api_version,
            "kind": NAMESPACES.kind,
            "name": namespace,
            "namespace": namespace,
        }
        event = event_object(
            name,
            namespace,
            involved,
            kind="Warning",
            reason=REASON,
            message=message,
            moment=rfc3339(self._clock.now()),
        )
        try:
            await self._api.create(EVENTS, event, namespace=namespace)
        except (AlreadyExists, NotFound):
            pass  # written before, by this or another leader; or the namespace is gone
        except Unavailable:
            raise
        except PlanesError as error:
            _log.warning("event not written", extra={"object": namespace, "cause": str(error)})
