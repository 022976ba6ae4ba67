"""A `KubeApi` in which other tasks run before and after every request."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any

from planes.kube.api import Change, KubeApi, Page, PatchKind, Query
from planes.kube.resources import Resource
from planes.model.errors import JsonObject


class Interleaved:
    """Waits a random number of turns of the event loop around each request, by a seed.

    Attributes:
        on_write: called right after each write of a resource took effect.
    """

    def __init__(self, api: KubeApi, seed: int, *, most: int = 5) -> None:
        self.on_write: Callable[[Resource], None] = lambda _: None
        self._api = api
        self._random = random.Random(seed)  # noqa: S311 - for tests, to be repeated
        self._most = most

    async def _others(self) -> None:
        for _ in range(self._random.randint(0, self._most)):
            await asyncio.sleep(0)

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        """Read one object."""
        await self._others()
        obj = await self._api.get(
            resource, name, namespace=namespace, is_metadata_only=is_metadata_only
        )
        await self._others()
        return obj

    async def pages(self, query: Query) -> AsyncIterator[Page]:
        """List in pages."""
        await self._others()
        async for page in self._api.pages(query):
            yield page
        await self._others()

    def watch(self, query: Query, resource_version: str) -> AsyncIterator[Change]:
        """Follow changes."""
        return self._api.watch(query, resource_version)

    async def create(
        self, resource: Resource, obj: JsonObject, *, namespace: str = ""
    ) -> JsonObject:
        """Create an object."""
        await self._others()
        made = await self._api.create(resource, obj, namespace=namespace)
        self.on_write(resource)
        await self._others()
        return made

    async def replace(
        self, resource: Resource, obj: JsonObject, *, subresource: str = ""
    ) -> JsonObject:
        """Write an object whole."""
        await self._others()
        made = await self._api.replace(resource, obj, subresource=subresource)
        self.on_write(resource)
        await self._others()
        return made

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
        await self._others()
        made = await self._api.patch(
            resource, name, patch, namespace=namespace, subresource=subresource, kind=kind
        )
        self.on_write(resource)
        await self._others()
        return made

    async def delete(
        self,
        resource: Resource,
        name: str,
        *,
        namespace: str = "",
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        """Delete an object."""
        await self._others()
        await self._api.delete(
            resource, name, namespace=namespace, uid=uid, resource_version=resource_version
        )
        self.on_write(resource)
        await self._others()
