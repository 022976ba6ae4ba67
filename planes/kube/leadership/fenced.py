"""A `KubeApi` through which only the leader can write.

Invariant: no write begins once the leadership is over, also where the event loop was blocked and
work that should have been cancelled still runs. Reads are always allowed.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Any

from planes.kube.api import Change, KubeApi, Page, PatchKind, Query
from planes.kube.resources import Resource
from planes.model.errors import JsonObject


class FencedApi:
    """Implements `KubeApi` over another one.

    Args:
        check: called before each write; raises where this replica does not lead.
    """

    def __init__(self, api: KubeApi, check: Callable[[], None]) -> None:
        self._api = api
        self._check = check

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        """Read one object, live."""
        return await self._api.get(
            resource, name, namespace=namespace, is_metadata_only=is_metadata_only
        )

    def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        """List in pages, all of one moment."""
        return self._api.pages(query)

    def watch(self, query: Query, resource_version: str) -> AsyncGenerator[Change, None]:
        """Follow changes after a version."""
        return self._api.watch(query, resource_version)

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        """Create an object, as the leader."""
        self._check()
        return await self._api.create(resource, obj, namespace=namespace)

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        """Write an object whole, as the leader."""
        self._check()
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
        """Change an object, as the leader."""
        self._check()
        return await self._api.patch(
            resource, name, patch, namespace=namespace, subresource=subresource, kind=kind
        )

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        """Delete an object, as the leader."""
        self._check()
        await self._api.delete(
            resource, name, namespace=namespace, uid=uid, resource_version=resource_version
        )
