"""The Protocol of an API server: requests and responses over plain dicts.

`Client` implements it over HTTPS, `FakeKube` (tests) in memory. Objects are raw JSON: fields that
we do not read pass through a read-modify-write unchanged. Every call has a deadline of its own and
raises only `PlanesError`s (see `planes.kube.errors` for which).
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from planes.kube.resources import Resource
from planes.model.errors import JsonObject


@dataclass(frozen=True, slots=True)
class Query:
    """What is listed or watched.

    Attributes:
        namespace: "" for all namespaces.
        labels: a label selector as the API takes it.
        fields: a field selector, e.g. `spec.nodeName=node1`.
        is_metadata_only: ask for `PartialObjectMetadata`: no spec, no status.
        at_least: a list may be of any moment since this version, "0" for any at all: servers
            answer it from their cache. "" is the newest, for which etcd may be read from end to
            end, also where a selector leaves nearly nothing: not for a list that every node asks
            for.
    """

    resource: Resource
    namespace: str = ""
    labels: str = ""
    fields: str = ""
    is_metadata_only: bool = False
    at_least: str = ""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """The log of one container that is asked for.

    Attributes:
        namespace: of the pod.
        pod: its name.
        container: one of its containers.
        is_previous: of the run before the last restart.
        lines: at most so many are sent, the newest.
        size: at most so many bytes are kept of them, the newest.
    """

    namespace: str
    pod: str
    container: str
    is_previous: bool = False
    lines: int = 2000
    size: int = 256 << 10


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; the last one has the list's version, where a watch goes on.

    Attributes:
        items: some may be outlines of what was too large, see `planes.kube.client.skim`.
        resource_version: of the whole list; "" where more is to come.
    """

    items: Sequence[JsonObject]
    resource_version: str


class Kind(StrEnum):
    """The type of a watch event."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class Change:
    """One event of a watch; of a bookmark only `metadata.resourceVersion` counts."""

    kind: Kind
    obj: JsonObject


class PatchKind(StrEnum):
    """How a patch is written: the content type it is sent with."""

    MERGE = "application/merge-patch+json"
    JSON = "application/json-patch+json"


class ReadApi(Protocol):
    """The requests that read what is there now."""

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        """Read one object, live; `is_metadata_only` as in `Query`.

        Raises:
            NotFound: there is none.
        """
        ...

    def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        """List in pages, all of one moment.

        Raises:
            Expired: it took so long that the moment is gone, or the server has not come as far as
                `at_least`: begin again.
        """
        ...


class KubeApi(ReadApi, Protocol):
    """The requests that we send to an API server."""

    def watch(self, query: Query, resource_version: str) -> AsyncGenerator[Change, None]:
        """Follow changes after a version, to the end of the stream in good order.

        It ends also when nothing came for so long that only a new stream shows whether the server
        is there.

        Raises:
            Expired: the version is too old: list again.
            Unavailable: the stream broke.
        """
        ...

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        """Create an object; return it as the server has it.

        Raises:
            AlreadyExists: the name is taken.
        """
        ...

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        """Write an object whole (PUT); `metadata.resourceVersion` in it is compared and swapped.

        Raises:
            Conflict: it was written since by another client.
            NotFound: it is gone.
        """
        ...

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
        ...

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
        ...


class LogApi(KubeApi, Protocol):
    """An API server with the logs of its pods, which only commands of users read."""

    async def log(self, query: LogQuery) -> bytes:
        """Return the end of a container's log: whole lines, each with its time (RFC 3339) first.

        Raises:
            NotFound: there is no such pod.
            BadInput: the container has no log, or not that of an earlier run.
        """
        ...
