"""Wait for watched state where a review shows that it is behind.

The API server asks about pods of marked namespaces alone. A namespace that is not known here, or
not marked, was made or labelled a moment ago, and the watch is about to tell: to answer now would
refuse the pod, or leave it without its planes. Most waits last a few milliseconds.
"""

from __future__ import annotations

from typing import Final

from planes.model.objects import Namespace
from planes.run.clock import Clock
from planes.store.protocol import Store
from webhook.marks import is_marked
from webhook.review import Review

_LOOK_SECONDS: Final = 0.01
_MOST_REMEMBERED: Final = 1024
_MOST_WAITING: Final = 64


class Patience:
    """Waits, but not for ever, and not twice for the same.

    Args:
        seconds: the longest wait; less than the API server's for the answer.
    """

    def __init__(self, store: Store, clock: Clock, seconds: float = 1.0) -> None:
        self._store = store
        self._clock = clock
        self._seconds = seconds
        self._in_vain: dict[str, Namespace | None] = {}
        self._waiting: dict[object, None] = {}

    def is_behind(self, review: Review) -> bool:
        """Tell whether a review is about a pod whose namespace must have changed since."""
        if review.operation != "CREATE" or review.resource != "pods" or not self._store.is_synced:
            return False
        namespace = self._store.namespace(review.namespace)
        if namespace is not None and is_marked(namespace):
            return False
        return (
            review.namespace not in self._in_vain
            or self._in_vain[review.namespace] is not namespace
        )

    async def wait(self, review: Review) -> None:
        """Wait until the namespace is seen as it must be, or the time is over.

        Too many at once are peers that ask about namespaces of their own invention: who has waited
        longest is answered then, so that those who wait never hold every connection.
        """
        if len(self._waiting) >= _MOST_WAITING:
            del self._waiting[next(iter(self._waiting))]
        turn = object()
        self._waiting[turn] = None
        try:
            await self._watch(review, turn)
        finally:
            self._waiting.pop(turn, None)

    async def _watch(self, review: Review, turn: object) -> None:
        deadline = self._clock.monotonic() + self._seconds
        while turn in self._waiting and self.is_behind(review):
            if self._clock.monotonic() >= deadline:
                if len(self._in_vain) >= _MOST_REMEMBERED:
                    self._in_vain.clear()
                # Whoever asks about unmarked namespaces has other rules than ours.
                self._in_vain[review.namespace] = self._store.namespace(review.namespace)
                return
            await self._clock.sleep(_LOOK_SECONDS)
