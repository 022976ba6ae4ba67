"""Addresses that other IPAMs gave to this node's pods, read from the API server once.

Invariant: a node states facts about its own pods only: of a pool of whereabouts, which is of the
whole cluster, an allocation counts where its pod runs on this node now.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.client.skim import Skimmed
from planes.kube.resources import IP_POOLS, IP_RESERVATIONS, PODS, Resource
from planes.kube.store.pod_views import POD_FIELDS
from planes.model.decide.adoption import Fact
from planes.model.decide.foreign_addresses import (
    annotation_facts,
    pod_ip_facts,
    pool_facts,
    reservation_facts,
)
from planes.model.errors import BadInput, JsonObject, NotFound
from planes.model.objects import Pod

MOST: Final = 1 << 16
"""Facts about pods of one node."""


class ForeignAddresses:
    """Reads pods, pools and reservations.

    Args:
        api: the API server.
        node: this node's name.
    """

    def __init__(self, api: KubeApi, node: str) -> None:
        self._api = api
        self._node = node

    async def facts(self) -> tuple[Fact, ...]:
        """Return what other IPAMs say about this node's pods.

        Raises:
            PlanesError: the API server cannot be read.
        """
        found: list[Fact] = []
        uids: dict[tuple[str, str], str] = {}
        async for obj in self._objects(PODS, f"spec.nodeName={self._node},{POD_FIELDS}"):
            if isinstance(obj, Skimmed):  # its interfaces say what it has
                continue
            try:
                pod = Pod.from_object(obj)
            except BadInput:
                continue
            uids[pod.namespace, pod.name] = pod.uid
            found += annotation_facts(pod)
            found += pod_ip_facts(obj, pod)
        for resource, read in ((IP_POOLS, pool_facts), (IP_RESERVATIONS, reservation_facts)):
            found += [fact async for fact in self._of_own_pods(resource, read, uids)]
        return tuple(found[:MOST])

    async def _of_own_pods(
        self,
        resource: Resource,
        read: Callable[[JsonObject], Iterator[Fact]],
        uids: Mapping[tuple[str, str], str],
    ) -> AsyncIterator[Fact]:
        try:
            async for obj in self._objects(resource):
                for fact in read(obj):
                    uid = uids.get((fact.user.namespace, fact.user.pod))
                    if uid is not None:
                        yield replace(fact, user=replace(fact.user, uid=uid))
        except NotFound:  # whereabouts is not installed
            return

    async def _objects(self, resource: Resource, fields: str = "") -> AsyncIterator[JsonObject]:
        async for page in self._api.pages(Query(resource, fields=fields)):
            for obj in page.items:
                yield obj
