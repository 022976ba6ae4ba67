"""A connection to an API server that counts requests; implements `KubeApi`."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from planes.kube.api import Change, KubeApi, Page, PatchKind, Query
from planes.kube.resources import Resource
from planes.model.errors import JsonObject

WRITES = ("create", "update", "patch", "delete")


class CountedApi:
    """Counts what is asked of another `KubeApi`, by verb.

    Attributes:
        requests: how many so far.
    """

    def __init__(self, api: KubeApi) -> None:
        self._api = api
        self.requests: Counter[str] = Counter()

    async def get(self, resource: Resource, name: str, **more: Any) -> JsonObject:
        self.requests["get"] += 1
        return await self._api.get(resource, name, **more)

    def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        self.requests["list"] += 1
        return self._api.pages(query)

    def watch(self, query: Query, resource_version: str) -> AsyncGenerator[Change, None]:
        self.requests["watch"] += 1
        return self._api.watch(query, resource_version)

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        self.requests["create"] += 1
        return await self._api.create(resource, obj, namespace=namespace)

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        self.requests["update"] += 1
        return await self._api.replace(resource, obj, subresource=subresource)

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
        self.requests["patch"] += 1
        return await self._api.patch(
            resource, name, patch, namespace=namespace, subresource=subresource, kind=kind
        )

    async def delete(self, resource: Resource, name: str, **more: Any) -> None:
        self.requests["delete"] += 1
        await self._api.delete(resource, name, **more)
