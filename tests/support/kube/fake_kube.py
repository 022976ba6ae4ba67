"""An API server in memory: `planes.kube.api.KubeApi` without a wire.

It keeps what tests rely on of the real one: versions, preconditions, selectors, pages of one
moment, watches with a history. What a schema, an admission plugin or the garbage collector would
do is not here. Nothing outside holds an object of it: copies go in, copies come out.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from planes.kube.api import Change, LogQuery, Page, PatchKind, Query
from planes.kube.resources import PODS, Resource
from planes.model.errors import BadInput, Conflict, JsonObject, PlanesError, Unavailable
from planes.run.clock import Clock
from tests.support.clock import FakeClock
from tests.support.kube.history import Bookmark, Ended, Stop
from tests.support.kube.objects import WITH_STATUS, copied, is_custom, listed, shown
from tests.support.kube.patch import merged, patched
from tests.support.kube.storage import Storage

Request = tuple[str, str, str, str]


@dataclass(slots=True)
class _Trap:
    """What happens before the next requests of a kind: an error, or somebody else's write."""

    verb: str
    resource: Resource | None
    times: int
    spring: Callable[[], None]


class FakeKube:
    """A whole API server for one test.

    Attributes:
        requests: all so far as (verb, resource, namespace, name); the verbs are those of RBAC
            (get list watch create update patch delete), a subresource reads `pods/status`; of a
            list each page is one request.
        lists: what `at_least` each list was asked with; it always gets the newest.
        page_size: how many objects a page has at most.
        logs: of containers, as (namespace, pod, container, whether of the run before).
    """

    def __init__(self, *objects: tuple[Resource, JsonObject], clock: Clock | None = None) -> None:
        self.requests: list[Request] = []
        self.lists: list[str] = []
        self.page_size = 500
        self.logs: dict[tuple[str, str, str, bool], bytes] = {}
        self._storage = Storage(clock or FakeClock())
        self._traps: list[_Trap] = []
        for resource, obj in objects:
            self.put_object(resource, obj)

    # What tests arrange and look at; none of it is logged as a request.

    @property
    def watches(self) -> int:
        """How many watches run."""
        return self._storage.history.watches

    @property
    def resource_version(self) -> str:
        """The version of the last write."""
        return str(self._storage.version)

    def put_object(self, resource: Resource, obj: JsonObject) -> JsonObject:
        """Create or overwrite an object and its status, as somebody else's requests would."""
        storage, whole = self._storage, copied(obj)
        metadata = whole.get("metadata", {})
        metadata.pop("resourceVersion", None)
        metadata.pop("uid", None)
        namespace = metadata.get("namespace", "")
        old = storage.find(resource, metadata.get("name", ""), namespace)
        if old is None:
            stored = storage.create(resource, whole, namespace)
        else:
            stored = storage.put(resource, old, whole)
        if resource in WITH_STATUS and "status" in whole:
            status = {**copied(stored), "status": whole["status"]}
            stored = storage.put(resource, stored, status, "status")
        return shown(stored)

    def objects(self, resource: Resource, namespace: str = "") -> list[JsonObject]:
        """Return all objects of a kind in the order of their names."""
        return [shown(obj) for obj in self._storage.select(Query(resource, namespace))]

    def object(self, resource: Resource, name: str, namespace: str = "") -> JsonObject | None:
        """Return one object, None where there is none."""
        found = self._storage.find(resource, name, namespace)
        return None if found is None else shown(found)

    def remove_object(self, resource: Resource, name: str, namespace: str = "") -> None:
        """Take an object away at once, finalizers or not."""
        self._storage.remove(resource, name, namespace)

    def fail_next(
        self,
        error: PlanesError,
        *,
        verb: str = "",
        resource: Resource | None = None,
        times: int = 1,
    ) -> None:
        """Let the next requests of a kind fail before they have any effect ("": any verb)."""

        def spring() -> None:
            raise error

        self._traps.append(_Trap(verb, resource, times, spring))

    def before_next(
        self, action: Callable[[], None], *, verb: str = "", resource: Resource | None = None
    ) -> None:
        """Let somebody else act just before the next request of a kind."""
        self._traps.append(_Trap(verb, resource, 1, action))

    def expire(self) -> None:
        """Compact the history: to go on from any version so far is Expired."""
        self._storage.version += 1
        self._storage.history.compact(self._storage.version)

    def bookmark(self) -> None:
        """Send all running watches a bookmark of now."""
        self._storage.history.tell(Bookmark(self._storage.version))

    def cut_watches(self, error: PlanesError | None = None) -> None:
        """Break all running watches (Unavailable unless told otherwise)."""
        broken = Unavailable("cannot watch: the connection broke", remedy="it is tried again")
        self._storage.history.tell(Stop(error or broken))

    def end_watches(self) -> None:
        """End all running watches in good order."""
        self._storage.history.tell(Stop(Ended()))

    # planes.kube.api.KubeApi

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        """Read one object."""
        self._asked("get", resource, namespace, name)
        return shown(self._storage.need("get", resource, name, namespace), is_metadata_only)

    async def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        """List in pages, all of one moment."""
        self.lists.append(query.at_least)
        self._asked("list", query.resource, query.namespace)
        version = self._storage.version
        items = self._storage.select(query)
        for start in range(0, max(len(items), 1), self.page_size):
            if start:
                self._asked("list", query.resource, query.namespace)
                self._storage.history.check(version)
            part = items[start : start + self.page_size]
            metadata_only = query.is_metadata_only
            yield Page([listed(query.resource, o, metadata_only) for o in part], str(version))

    async def watch(self, query: Query, resource_version: str) -> AsyncGenerator[Change, None]:
        """Follow changes after a version."""
        self._asked("watch", query.resource, query.namespace)
        changes = self._storage.follow(query, int(resource_version or 0))
        async with contextlib.aclosing(changes):
            async for change in changes:
                yield change

    async def log(self, query: LogQuery) -> bytes:
        """Return a log of `logs`."""
        self._asked("get", PODS, query.namespace, query.pod, "log")
        self._storage.need("get", PODS, query.pod, query.namespace)
        key = (query.namespace, query.pod, query.container, query.is_previous)
        if key not in self.logs:
            raise BadInput(f"cannot get log of Pod {query.namespace}/{query.pod}: it has none")
        return self.logs[key][-query.size :]

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        """Create an object."""
        metadata = obj.get("metadata", {})
        self._asked("create", resource, namespace, metadata.get("name", ""))
        if metadata.get("resourceVersion"):
            raise BadInput("cannot create: resourceVersion should not be set")
        is_there = bool(namespace) and metadata.get("namespace", namespace) == namespace
        if resource.is_namespaced and not is_there:
            raise BadInput("cannot create: the namespace is not that of the request")
        return shown(self._storage.create(resource, obj, namespace))

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        """Write an object whole."""
        metadata = obj["metadata"]
        name, namespace = metadata["name"], metadata.get("namespace", "")
        self._asked("update", resource, namespace, name, subresource)
        old = self._storage.need("replace", resource, name, namespace)
        if is_custom(resource) and not metadata.get("resourceVersion"):
            raise BadInput(f"cannot replace {resource.kind} {name}: resourceVersion is missing")
        return shown(self._storage.put(resource, old, obj, subresource))

    async def patch(
        self,
        resource: Resource,
        name: str,
        patch: Mapping[str, Any] | Sequence[Mapping[str, Any]],
        *,
        namespace: str = "",
        subresource: str = "",
        kind: PatchKind = PatchKind.MERGE,
    ) -> JsonObject:
        """Change an object."""
        self._asked("patch", resource, namespace, name, subresource)
        old = self._storage.need("patch", resource, name, namespace)
        if isinstance(patch, Mapping) != (kind is PatchKind.MERGE):
            raise BadInput(f"cannot patch {resource.kind} {name}: this is not a {kind}")
        new = merged(old, patch) if isinstance(patch, Mapping) else patched(old, patch)
        return shown(self._storage.put(resource, old, new, subresource))

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        """Delete an object; one with finalizers is only marked."""
        self._asked("delete", resource, namespace, name)
        old = self._storage.find(resource, name, namespace)
        if old is None:
            return
        if uid and uid != old["metadata"]["uid"]:
            raise Conflict(f"cannot delete {resource.kind} {name}: Precondition failed: UID")
        if resource_version and resource_version != old["metadata"]["resourceVersion"]:
            raise Conflict(f"cannot delete {resource.kind} {name}: Precondition failed: version")
        self._storage.delete(old, (resource, name, namespace if resource.is_namespaced else ""))

    def _asked(
        self, verb: str, resource: Resource, namespace: str, name: str = "", subresource: str = ""
    ) -> None:
        served = f"{resource.plural}/{subresource}" if subresource else resource.plural
        self.requests.append((verb, served, namespace, name))
        for trap in list(self._traps):
            if trap.verb in {"", verb} and trap.resource in {None, resource}:
                trap.times -= 1
                if trap.times <= 0:
                    self._traps.remove(trap)
                trap.spring()
