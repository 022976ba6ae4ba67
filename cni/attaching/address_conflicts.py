"""Reports of addresses that somebody on a plane's wire has: an event of the pod, a metric, the log.

Who answered is known by its MAC only, which anybody can choose. Where an interface of this node has
it, the log names its pod: a pod of a plane can answer for addresses that are not its own. The event
is for a tenant, and names pods of the same namespace only.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Final

from prometheus_client import Counter

from cni.ipam.conflicts import AddressConflict
from cni.journal.entry import Entry
from planes.model.events import Event, message_of
from planes.run.metrics import Metrics

_log = logging.getLogger(__name__)
_REASON: Final = "AddressConflict"


class AddressConflicts:
    """Reports conflicts; a call of it neither waits nor fails.

    Args:
        entries: returns what is attached on this node.
        queue: takes events, which are written later.
    """

    def __init__(
        self,
        entries: Callable[[], Iterable[Entry]],
        queue: Callable[[Iterable[Event]], None],
    ) -> None:
        self._entries = entries
        self._queue = queue
        self._counter: Counter | None = None

    def measure(self, metrics: Metrics) -> None:
        """Register the counter; call it once."""
        text = "Addresses of the plane that were in use on its wire when a pod was to get them"
        self._counter = metrics.counter("address_conflicts", text, ["plane"])

    def __call__(self, conflict: AddressConflict) -> None:
        """Count a conflict, log it, and queue its event."""
        owner = conflict.owner
        if self._counter is not None:
            self._counter.labels(conflict.plane).inc(len(conflict.found))
        who = self._pods_with(frozenset(conflict.found.values()))
        pods = [f"{namespace}/{pod}" for namespace, pod in who]
        facts = {"plane": conflict.plane, "addresses": conflict.text, "pods": " ".join(pods)}
        _log.warning("addresses are in use on the wire of a plane", extra=facts)
        if not owner.pod:
            return
        own = [f"pod {namespace}/{pod}" for namespace, pod in who if namespace == owner.namespace]
        named = f", that is {', '.join(own)} on this node" if own else ""
        what = "it is refused" if conflict.is_asked_for else "they rest, and others are tried"
        where = f"{conflict.text} of plane {conflict.plane}"
        text = f"{where}: somebody on the wire answers{named}; {what}"
        event = Event(_REASON, message_of(text), "Warning", owner.namespace, owner.pod, owner.uid)
        self._queue([event])

    def _pods_with(self, macs: frozenset[str]) -> tuple[tuple[str, str], ...]:
        """Return namespace and name of the pods of this node with one of these MACs."""
        found = {
            (entry.namespace, entry.pod)
            for entry in self._entries()
            for one in entry.attachments
            if one.result is not None
            for link in one.result.interfaces
            if link.sandbox and link.mac in macs
        }
        return tuple(sorted(found))
