"""The changes in a `FakeKube`, for running watches and for those that begin later."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from planes.kube.api import Change, Kind
from planes.kube.errors import Expired
from planes.kube.resources import Resource
from planes.model.errors import JsonObject

Selects = Callable[[JsonObject], bool]


class Ended(Exception):
    """The server ended the watch in good order."""


@dataclass(frozen=True, slots=True)
class Step:
    """One write: the object before (None: created) and after (None: deleted)."""

    version: int
    resource: Resource
    before: JsonObject | None
    after: JsonObject | None

    def change(self, resource: Resource, selects: Selects) -> Change | None:
        """Return what a watch with this selection sees of it; who leaves it is deleted to it."""
        if self.resource != resource:
            return None
        if self.after is not None and selects(self.after):
            was_selected = self.before is not None and selects(self.before)
            return Change(Kind.MODIFIED if was_selected else Kind.ADDED, self.after)
        if self.before is not None and selects(self.before):
            metadata = {**self.before["metadata"], "resourceVersion": str(self.version)}
            return Change(Kind.DELETED, {**self.before, "metadata": metadata})
        return None


@dataclass(frozen=True, slots=True)
class Bookmark:
    """Send all watches a bookmark."""

    version: int

    def change(self, resource: Resource, _: Selects) -> Change:
        """Return it as a watch sees it."""
        return Change(
            Kind.BOOKMARK,
            {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "metadata": {"resourceVersion": str(self.version)},
            },
        )


@dataclass(frozen=True, slots=True)
class Stop:
    """End a watch."""

    error: Exception

    def change(self, _resource: Resource, _selects: Selects) -> None:
        """Raise what the watch ends with."""
        raise self.error


Event = Step | Bookmark | Stop
Events = asyncio.Queue[Event]


class History:
    """All steps since the last `compact`, and the queues of the running watches."""

    def __init__(self) -> None:
        self._steps: list[Step] = []
        self._oldest = 0
        self._queues: list[tuple[Resource, Events]] = []

    @property
    def watches(self) -> int:
        """How many watches run."""
        return len(self._queues)

    def add(self, step: Step) -> None:
        """Keep a step and tell the running watches."""
        self._steps.append(step)
        for resource, queue in self._queues:
            if resource == step.resource:
                queue.put_nowait(step)

    def tell(self, event: Event) -> None:
        """Send something to the running watches."""
        for _, queue in self._queues:
            queue.put_nowait(event)

    def compact(self, version: int) -> None:
        """Forget how it came to this version."""
        self._steps.clear()
        self._oldest = version

    def check(self, version: int) -> None:
        """Raise Expired where this version is forgotten."""
        if version < self._oldest:
            raise Expired(
                f"cannot go on from version {version}: too old ({self._oldest})",
                remedy="list again",
            )

    def attach(self, resource: Resource, version: int) -> Events:
        """Return the queue of a new watch of a kind, filled with what came after a version."""
        self.check(version)
        queue: Events = asyncio.Queue()
        for step in self._steps:
            if step.version > version and step.resource == resource:
                queue.put_nowait(step)
        self._queues.append((resource, queue))
        return queue

    def detach(self, queue: Events) -> None:
        """Forget a watch that has ended."""
        self._queues = [one for one in self._queues if one[1] is not queue]
