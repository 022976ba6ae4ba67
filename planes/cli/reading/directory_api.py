"""Reads as an API server answers them, out of a manifest directory and a state directory.

Planes, NADs, namespaces and pods are those of the manifests; pods have the network-status that the
daemon published, events are those of its log. Other kinds are empty: one machine has no Node or
IPBlock objects. Invariant: what an earlier file has counts, as for the store.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import orjson

from planes.kube.api import Page, Query
from planes.kube.resources import EVENTS, NADS, NAMESPACES, PLANES, PODS, Resource
from planes.model.errors import BadInput, JsonObject, NotFound
from planes.model.names import STATUS_ANNOTATION
from planes.model.near_names import closest_name, did_you_mean
from planes.run.files import read_regular
from planes.store.manifests import DEFAULT_NAMESPACE, Identity
from planes.store.protocol import Problem
from planes.store.records import MAX_EVENT_BYTES, EventLog, StatusFiles
from planes.store.scan import Look, ManifestDirectory

_KINDS: Final = {one.kind: one for one in (PLANES, NADS, NAMESPACES, PODS)}


class DirectoryApi:
    """Implements `ReadApi` over directories, which are read once, when it is made.

    Args:
        directory: the manifests.
        state_dir: of the daemon; None leaves network-status and events out.

    Attributes:
        problems: what of the manifests is ignored, and why.
    """

    def __init__(self, directory: Path, state_dir: Path | None = None) -> None:
        manifests = ManifestDirectory(directory)
        manifests.refresh(Look.ALL_AT_ONCE)
        self.problems: tuple[Problem, ...] = manifests.problems()
        self._state_dir = state_dir
        self._objects: dict[Resource, dict[tuple[str, str], JsonObject]] = {}
        seen: set[Identity] = set()
        for manifest in manifests.manifests():
            if manifest.identity not in seen:
                seen.add(manifest.identity)
                self._put(manifest.obj)
        self._add_statuses()

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        """Return an object, as `ReadApi` says."""
        found = self._of(resource).get((namespace, name))
        if found is None:
            place = f"{namespace}/{name}" if namespace else name
            beside = [known for space, known in self._of(resource) if space == namespace]
            where = "its name and its namespace (-n)" if namespace else "its name"
            raise NotFound(
                f"cannot find {resource.kind} {place} in the manifests",
                remedy=did_you_mean(closest_name(name, beside), f"look at {where}"),
            )
        return deepcopy(found)

    async def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        """Yield the objects in one page, as `ReadApi` says; label selectors are not understood."""
        if query.labels:
            raise BadInput("cannot select manifests by labels")
        matches = _field_matcher(query.fields)
        items = [
            deepcopy(obj)
            for (namespace, _), obj in self._of(query.resource).items()
            if (not query.namespace or namespace == query.namespace) and matches(obj)
        ]
        yield Page(items, "1")

    def _put(self, obj: JsonObject) -> None:
        resource = _KINDS[str(obj["kind"])]
        meta: Mapping[str, Any] = obj["metadata"]
        namespace = ""
        if resource.is_namespaced:
            namespace = str(meta.get("namespace") or DEFAULT_NAMESPACE)
            obj = {**obj, "metadata": {**meta, "namespace": namespace}}
        self._objects.setdefault(resource, {})[namespace, str(meta["name"])] = obj

    def _add_statuses(self) -> None:
        """Set the network-status of pods as the daemon wrote it, not as manifests bring it."""
        files = StatusFiles(self._state_dir) if self._state_dir is not None else None
        if files is not None:
            files.refresh()
        texts = {} if files is None else files.texts()
        pods = self._objects.get(PODS, {})
        for key, obj in pods.items():
            annotations = dict(obj["metadata"].get("annotations") or {})
            annotations.pop(STATUS_ANNOTATION, None)
            if key in texts:
                annotations[STATUS_ANNOTATION] = texts[key]
            pods[key] = {**obj, "metadata": {**obj["metadata"], "annotations": annotations}}

    def _of(self, resource: Resource) -> Mapping[tuple[str, str], JsonObject]:
        if resource == EVENTS:
            return {(str(number), ""): event for number, event in enumerate(self._events())}
        return self._objects.get(resource, {})

    def _events(self) -> Iterator[JsonObject]:
        if self._state_dir is None:
            return
        try:
            data = read_regular(EventLog(self._state_dir).path, 2 * MAX_EVENT_BYTES)
        except OSError:  # none was written yet, or not for us to read
            return
        for line in data.splitlines():
            try:
                event = orjson.loads(line)
            except orjson.JSONDecodeError:  # cut off by a crash
                continue
            if isinstance(event, dict):
                yield event


def _field_matcher(fields: str) -> Callable[[JsonObject], bool]:
    """Return what tells whether an object has the fields of a selector, e.g. `a.b=c,d!=e`."""
    terms = []
    for term in filter(None, fields.split(",")):
        path, sign, value = term.partition("!=")
        if not sign:
            path, _, value = term.replace("==", "=").partition("=")
        terms.append((path.split("."), bool(sign), value))

    def matches(obj: JsonObject) -> bool:
        return all((_at(obj, path) == value) is not is_other for path, is_other, value in terms)

    return matches


def _at(obj: JsonObject, path: list[str]) -> str:
    value: Any = obj
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool):
        return str(value).lower()
    # An API server compares `spec.hostNetwork=false` with pods that have no such field, too.
    return str(value) if value is not None else ("false" if path[-1] == "hostNetwork" else "")
