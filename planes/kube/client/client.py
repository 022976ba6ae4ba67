"""`KubeApi` over HTTPS: raw JSON in, raw JSON out.

Lists come in pages of one moment, the newest unless the query allows an older one; a watch goes on
from there. No object is decoded into a model, so unknown fields pass through.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from types import MappingProxyType
from typing import Any, Final, Self

import orjson

from planes.kube.api import Change, Kind, LogQuery, Page, PatchKind, Query
from planes.kube.client.answers import check_listed, check_named, decoded, no_answer
from planes.kube.client.listing import ListReading
from planes.kube.client.pod_log import end_of, log_request
from planes.kube.client.request import JSON, Request, encoded
from planes.kube.client.skim import bound_of
from planes.kube.client.status_errors import Asked, refusal_of_status
from planes.kube.client.transport import Transport
from planes.kube.resources import Resource
from planes.model.errors import BadInput, JsonObject, NotFound, Unavailable
from planes.run.backoff import Randomness

PAGE_SIZE: Final = 100  # a page is decoded at one go: 2 ms for pods of 5 kB, 500 take 10
METADATA_PAGES: Final = 2  # times as many objects without spec and status
LIST_SECONDS: Final = 300.0  # until a page is complete: a server may send all there is as one
WATCH_SECONDS: Final = 300.0  # up to twice as long, so that not all clients come back at once

_NO_NAMES: Final = frozenset({"", ".", ".."})
_KINDS: Final[Mapping[str, Kind]] = MappingProxyType({str(kind): kind for kind in Kind})
_METADATA: Final = f"{JSON};as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_METADATA_LIST: Final = f"{JSON};as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


class Client:
    """Implements `KubeApi` over a `Transport`, which it closes."""

    def __init__(
        self,
        transport: Transport,
        *,
        page_size: int = PAGE_SIZE,
        randomness: Randomness = random.random,
    ) -> None:
        self._transport = transport
        self._page_size = page_size
        self._randomness = randomness

    @property
    def server(self) -> str:
        """The host and port of the API server, for texts."""
        return self._transport.server

    @property
    def namespace(self) -> str:
        """The namespace of the kubeconfig's context or of the pod's account, "" for none."""
        return self._transport.namespace

    @property
    def running_plugin(self) -> str:
        """The name of the credential plugin that has begun and not ended, "" where none has."""
        return self._transport.running_plugin

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @property
    def server_date(self) -> str:
        """The header Date of the last response, "" where there was none."""
        return self._transport.server_date

    async def close(self) -> None:
        """Close all connections."""
        await self._transport.close()

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        """Read one object, live; `is_metadata_only` as in `Query`.

        Raises:
            NotFound: there is none.
        """
        asked = Asked("get", resource, namespace, name)
        found = await self._ask(asked, "GET", accept=_METADATA if is_metadata_only else JSON)
        check_named(asked, found)
        return found

    async def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        """List in pages, all of one moment.

        Raises:
            Expired: it took so long that the moment is gone, or the server has not come as far as
                `at_least`: begin again.
        """
        asked = Asked("list", query.resource, query.namespace)
        size = self._page_size * (METADATA_PAGES if query.is_metadata_only else 1)
        selection = _selection(query)
        params = {**selection, **_moment(query.at_least, size)}
        while True:
            accept = _METADATA_LIST if query.is_metadata_only else JSON
            path = query.resource.path(query.namespace)
            request = Request(asked, "GET", path, params=params, accept=accept)
            reading = ListReading(bound_of(query.resource))
            last: Sequence[JsonObject] = ()
            try:
                async with (
                    aclosing(self._transport.chunks(request, LIST_SECONDS)) as chunks,
                    aclosing(reading.run(chunks)) as parts,
                ):
                    async for items in parts:
                        check_listed(asked, items)
                        if last:
                            yield Page(last, "")
                        last = items
            except orjson.JSONDecodeError as error:
                raise no_answer(asked, "JSON") from error
            if reading.is_cut:
                raise Unavailable(f"cannot {asked}: the answer ended half-way")
            if not reading.resource_version:
                raise no_answer(asked, "a list")
            yield Page(last, reading.resource_version)
            if not reading.more:
                return
            params = {**selection, "limit": str(size), "continue": reading.more}

    async def watch(self, query: Query, resource_version: str) -> AsyncGenerator[Change, None]:
        """Follow changes after a version; ends when the server closes the stream in good order.

        Raises:
            Expired: the version is too old: list again.
            Unavailable: the stream broke, or nothing (no bookmark either) came for too long.
        """
        asked = Asked("watch", query.resource, query.namespace)
        params = {
            **_selection(query),
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": resource_version,
            "timeoutSeconds": str(round(WATCH_SECONDS * (1 + self._randomness()))),
        }
        accept = _METADATA if query.is_metadata_only else JSON
        path = query.resource.path(query.namespace)
        request = Request(asked, "GET", path, params=params, accept=accept, is_stream=True)
        bound = bound_of(query.resource)
        async with aclosing(self._transport.lines(request, bound)) as lines:
            async for line in lines:
                yield _change(asked, decoded(asked, line) if isinstance(line, bytes) else line)

    async def log(self, query: LogQuery) -> bytes:
        """Return the end of a container's log: whole lines, each with its time (RFC 3339) first.

        Raises:
            NotFound: there is no such pod.
            BadInput: the container has no log, or not that of an earlier run.
        """
        request = log_request(query)
        if _NO_NAMES & {query.namespace, query.pod, query.container}:
            raise BadInput(f"cannot {request.asked}: that is not the name of a container")
        async with aclosing(self._transport.chunks(request)) as chunks:
            return await end_of(chunks, query.size)

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        """Create an object; return it as the server has it.

        Raises:
            AlreadyExists: the name is taken.
        """
        metadata = obj.get("metadata", {})
        name = metadata.get("name") or metadata.get("generateName", "")
        asked = Asked("create", resource, namespace, name)
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        request = Request(asked, "POST", resource.path(namespace), body=encoded(asked, whole))
        return decoded(asked, await self._transport.send(request))

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        """Write an object whole (PUT); `metadata.resourceVersion` in it is compared and swapped.

        Raises:
            Conflict: it was written since by another client.
            NotFound: it is gone.
        """
        metadata = obj["metadata"]
        asked = Asked("replace", resource, metadata.get("namespace", ""), metadata["name"])
        whole = {"apiVersion": resource.api_version, "kind": resource.kind, **obj}
        return await self._ask(asked, "PUT", whole, subresource=subresource)

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
        """Change an object; `metadata.uid` or `resourceVersion` in a merge patch are conditions.

        Raises:
            NotFound: it is gone.
            Conflict: a condition does not hold.
            BadInput: a JSON patch's `test` failed, or the result is not valid.
        """
        asked = Asked("patch", resource, namespace, name)
        return await self._ask(asked, "PATCH", patch, subresource=subresource, content_type=kind)

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        """Delete an object; one that is gone already is fine.

        With `uid` only that very object, with `resource_version` only as it was read.

        Raises:
            Conflict: there is another object of that name now, or it was written since.
        """
        options: JsonObject = {"apiVersion": "v1", "kind": "DeleteOptions"}
        conditions = {"uid": uid, "resourceVersion": resource_version}
        if preconditions := {key: value for key, value in conditions.items() if value}:
            options["preconditions"] = preconditions
        try:
            await self._ask(Asked("delete", resource, namespace, name), "DELETE", options)
        except NotFound:
            return

    async def _ask(
        self,
        asked: Asked,
        method: str,
        body: Any = None,
        *,
        subresource: str = "",
        content_type: str = JSON,
        accept: str = JSON,
    ) -> JsonObject:
        resource, namespace, name = asked.resource, asked.namespace, asked.name
        if name in _NO_NAMES or (resource.is_namespaced and namespace in _NO_NAMES):
            raise BadInput(f"cannot {asked}: that is not the name of an object")
        request = Request(
            asked,
            method,
            resource.path(namespace, name, subresource),
            body=None if body is None else encoded(asked, body),
            content_type=content_type,
            accept=accept,
        )
        return decoded(asked, await self._transport.send(request))


def _selection(query: Query) -> dict[str, str]:
    selectors = {"labelSelector": query.labels, "fieldSelector": query.fields}
    return {key: text for key, text in selectors.items() if text}


def _moment(at_least: str, size: int) -> dict[str, str]:
    """Return the parameters for which servers list from their cache where `at_least` allows it.

    They ignore a limit with version "0", unless the cache is not ready; with any other version a
    limit would have them read etcd.
    """
    if at_least in {"", "0"}:
        return {"limit": str(size), **({"resourceVersion": "0"} if at_least else {})}
    return {"resourceVersion": at_least, "resourceVersionMatch": "NotOlderThan"}


def _change(asked: Asked, event: JsonObject) -> Change:
    kind, obj = event.get("type"), event.get("object")
    if not isinstance(obj, dict):
        raise Unavailable(f"cannot {asked}: an event has no object")
    if kind == "ERROR":
        raise refusal_of_status(asked, 410 if obj.get("code") == 410 else 503, obj)
    known = _KINDS.get(kind) if isinstance(kind, str) else None
    if known is None or not isinstance(obj.get("metadata"), dict):
        raise Unavailable(f"cannot {asked}: an event is of an unknown kind")
    return Change(known, obj)
