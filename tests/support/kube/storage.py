"""The objects of a `FakeKube` by kind, namespace and name; each write makes a step of history."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from planes.kube.api import Change, Kind, Query
from planes.kube.errors import AlreadyExists
from planes.kube.resources import Resource
from planes.model.errors import JsonObject, NotFound
from planes.run.clock import Clock
from tests.support.kube.history import Ended, History, Step
from tests.support.kube.objects import born, copied, shown, written
from tests.support.kube.selectors import matches_fields, matches_labels

Key = tuple[Resource, str, str]


class Storage:
    """Everything stored, and how it came to be so.

    Attributes:
        version: that of the last write.
    """

    def __init__(self, clock: Clock) -> None:
        self.version = 0
        self.history = History()
        self._clock = clock
        self._objects: dict[Key, JsonObject] = {}
        self._births = 0

    def find(self, resource: Resource, name: str, namespace: str) -> JsonObject | None:
        """Return the stored object itself, None where there is none."""
        return self._objects.get(_key(resource, name, namespace))

    def need(self, verb: str, resource: Resource, name: str, namespace: str) -> JsonObject:
        """Return the stored object itself or raise NotFound."""
        found = self.find(resource, name, namespace)
        if found is None:
            raise NotFound(f"cannot {verb} {resource.kind} {namespace}/{name}: not found")
        return found

    def select(self, query: Query) -> list[JsonObject]:
        """Return the stored objects of a query, in the order of their names."""
        keys = sorted(
            (key for key in self._objects if key[0] == query.resource), key=lambda key: key[1:]
        )
        return [self._objects[key] for key in keys if _selects(query, self._objects[key])]

    def create(self, resource: Resource, obj: JsonObject, namespace: str) -> JsonObject:
        """Store a new object."""
        self._births += 1
        new = born(resource, obj, self._births, self._clock.now())
        if resource.is_namespaced:
            new["metadata"]["namespace"] = namespace
        name = new["metadata"]["name"]
        key = _key(resource, name, namespace)
        if key in self._objects:
            raise AlreadyExists(f"cannot create {resource.kind} {namespace}/{name}: already exists")
        return self._keep(key, None, new)

    def put(
        self, resource: Resource, old: JsonObject, new: JsonObject, subresource: str = ""
    ) -> JsonObject:
        """Store a write over an object; one that changes nothing makes no step."""
        whole = written(resource, old, new, subresource)
        if whole == old:
            return old
        metadata = whole["metadata"]
        key = _key(resource, metadata["name"], metadata.get("namespace", ""))
        if "deletionTimestamp" in metadata and not metadata.get("finalizers"):
            self.remove(*key)
            return whole
        return self._keep(key, old, whole)

    def delete(self, old: JsonObject, key: Key) -> None:
        """Take an object away; one with finalizers is only marked."""
        if not old["metadata"].get("finalizers"):
            self.remove(*key)
        elif "deletionTimestamp" not in old["metadata"]:
            marked = copied(old)
            marked["metadata"]["deletionTimestamp"] = "2027-01-15T08:00:00Z"
            self._keep(key, old, marked)

    def remove(self, resource: Resource, name: str, namespace: str) -> None:
        """Take an object away at once."""
        old = self._objects.pop(_key(resource, name, namespace), None)
        if old is not None:
            self.version += 1
            self.history.add(Step(self.version, resource, old, None))

    async def follow(self, query: Query, version: int) -> AsyncGenerator[Change, None]:
        """Return the changes after a version; after 0 what is there now comes first."""

        def renders(obj: JsonObject) -> JsonObject:
            return shown(obj, query.is_metadata_only)

        if version == 0:
            version = self.version
            for obj in self.select(query):
                yield Change(Kind.ADDED, renders(obj))
        queue = self.history.attach(query.resource, version)
        try:
            while True:
                change = (await queue.get()).change(query.resource, lambda o: _selects(query, o))
                if change is not None:
                    yield Change(change.kind, renders(change.obj))
        except Ended:
            return
        finally:
            self.history.detach(queue)

    def _keep(self, key: Key, old: JsonObject | None, new: JsonObject) -> JsonObject:
        self.version += 1
        new["metadata"]["resourceVersion"] = str(self.version)
        self._objects[key] = new
        self.history.add(Step(self.version, key[0], old, new))
        return new


def _key(resource: Resource, name: str, namespace: str) -> Key:
    return resource, name, namespace if resource.is_namespaced else ""


def _selects(query: Query, obj: JsonObject) -> bool:
    metadata = obj["metadata"]
    if query.namespace and metadata.get("namespace", query.namespace) != query.namespace:
        return False
    return matches_labels(query.labels, metadata.get("labels") or {}) and matches_fields(
        query.fields, query.resource, obj
    )
