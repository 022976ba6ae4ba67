"""Wait for the watch of namespaces where a review shows that it is behind.

The API server sends reviews of pods in namespaces with the joined label alone. A namespace that is
not known here, or has no label, was created or labelled just now, and its watch event is yet to
come. Answering at once would refuse the pod, or leave it without its planes. Most waits last a few
milliseconds.
"""

from __future__ import annotations

from typing import Final

from planes.model.objects import Namespace
from planes.run.clock import Clock
from planes.store.protocol import Store
from webhook.joined_label import has_joined_label
from webhook.review import Review

_POLL_SECONDS: Final = 0.01
_MOST_REMEMBERED: Final = 1024
_MOST_WAITING: Final = 64


class WatchLag:
    """Waits within a limit, and not twice for the same state of a namespace.

    Args:
        seconds: the longest wait; less than the API server's for the answer.
    """

    def __init__(self, store: Store, clock: Clock, seconds: float = 1.0) -> None:
        self._store = store
        self._clock = clock
        self._seconds = seconds
        self._timed_out: dict[str, Namespace | None] = {}
        self._waiting: dict[object, None] = {}

    def is_behind(self, review: Review) -> bool:
        """Report whether the store lacks what the API server knows of a pod's namespace."""
        if review.operation != "CREATE" or review.resource != "pods" or not self._store.is_synced:
            return False
        namespace = self._store.namespace(review.namespace)
        if namespace is not None and has_joined_label(namespace):
            return False
        return (
            review.namespace not in self._timed_out
            or self._timed_out[review.namespace] is not namespace
        )

    async def wait(self, review: Review) -> None:
        """Wait until the watch has shown the namespace with its label, or the time is over.

        Where too many reviews wait, as peers invent namespaces, the one that has waited longest is
        answered: so waiting reviews never hold every connection.
        """
        if len(self._waiting) >= _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        ticket = object()
        self._waiting[ticket] = None
        try:
            await self._watch(review, ticket)
        finally:
            self._waiting.pop(ticket, None)

    async def _watch(self, review: Review, ticket: object) -> None:
        deadline = self._clock.monotonic() + self._seconds
        while ticket in self._waiting and self.is_behind(review):
            if self._clock.monotonic() >= deadline:
                if len(self._timed_out) >= _MOST_REMEMBERED:
                    self._timed_out.clear()
                # Another webhook configuration may have no namespaceSelector.
                self._timed_out[review.namespace] = self._store.namespace(review.namespace)
                return
            await self._clock.sleep(_POLL_SECONDS)
