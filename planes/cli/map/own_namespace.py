"""Reads for a user who may list the pods of one namespace only."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace

from planes.kube.api import Page, Query, ReadApi
from planes.kube.resources import IPBLOCKS, PODS, Resource
from planes.model.errors import Denied, JsonObject


class OwnNamespace:
    """Lists pods of one namespace; of IPBlocks what the user may list, which may be nothing.

    Args:
        api: of the user.
        namespace: whose pods are listed.
    """

    def __init__(self, api: ReadApi, namespace: str) -> None:
        self._api = api
        self._namespace = namespace

    async def get(
        self, resource: Resource, name: str, *, namespace: str = "", is_metadata_only: bool = False
    ) -> JsonObject:
        """Read one object, as `ReadApi` says."""
        return await self._api.get(
            resource, name, namespace=namespace, is_metadata_only=is_metadata_only
        )

    async def pages(self, query: Query) -> AsyncGenerator[Page, None]:
        """List in pages, as `ReadApi` says."""
        if query.resource == PODS:
            query = replace(query, namespace=self._namespace)
        try:
            async for page in self._api.pages(query):
                yield page
        except Denied:
            if query.resource != IPBLOCKS:
                raise
