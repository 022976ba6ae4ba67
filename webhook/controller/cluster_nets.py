"""Read the cluster's own networks from the API server.

Of pods: `spec.podCIDRs` of nodes, which the controller manager assigns. A cluster network with an
IPAM of its own (Calico, Cilium) leaves it empty or unused; its pool is not known here. A kubelet
may write its own node's while that is empty. Of Services: ServiceCIDR objects
(networking.k8s.io/v1, served since 1.33). Of nodes: the InternalIP that each kubelet reports. A
node that reports a wrong address causes a warning that names it, and no more.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any, Final

from planes.kube.api import KubeApi, Query
from planes.kube.resources import NODES, SERVICE_CIDRS, Resource
from planes.model.addresses import IPAddress, IPNetwork, parse_address, parse_network
from planes.model.errors import BadInput, JsonObject, NotFound, PlanesError
from planes.model.state.cluster_nets import ClusterNets
from planes.run.clock import Clock

_log = logging.getLogger(__name__)

READ_SECONDS: Final = 3600.0
"""All nodes are read for it, and that is much on a large cluster."""
TRY_SECONDS: Final = 60.0
_MOST_NODES: Final = 20_000
_MOST_OF_NODE: Final = 8


class ClusterReader:
    """Knows the cluster's networks, as of the last hour.

    Attributes:
        nets: empty until they were read.
    """

    def __init__(self, api: KubeApi, clock: Clock) -> None:
        self._api = api
        self._clock = clock
        self.nets = ClusterNets()

    async def run(self) -> None:
        """Read now and every hour until cancelled."""
        while True:
            try:
                self.nets = await self._read()
            except PlanesError as error:
                _log.warning("the cluster's networks not read", extra={"reason": str(error)})
                await self._clock.sleep(TRY_SECONDS)
            else:
                await self._clock.sleep(READ_SECONDS)

    async def _read(self) -> ClusterNets:
        pods: set[tuple[IPNetwork, str]] = set()
        nodes: list[tuple[IPAddress, str]] = []
        async for node in self._objects(NODES):
            if len(nodes) < _MOST_NODES:
                named = _networks(node.get("spec"), "podCIDRs")
                pods.update((network, _name(node)) for network in named)
                nodes += _addresses(node)
        services: set[IPNetwork] = set()
        try:
            async for obj in self._objects(SERVICE_CIDRS):
                services.update(_networks(obj.get("spec"), "cidrs"))
        except NotFound:
            pass  # an API server before 1.33
        return ClusterNets.of(pods, services, nodes)

    async def _objects(self, resource: Resource) -> AsyncIterator[JsonObject]:
        # Not the newest: the API server answers it without reading all of etcd.
        async with aclosing(self._api.pages(Query(resource, at_least="0"))) as pages:
            async for page in pages:
                for obj in page.items:
                    yield obj


def _networks(spec: Any, key: str) -> Iterator[IPNetwork]:
    found = spec.get(key) if isinstance(spec, dict) else None
    for text in found[:_MOST_OF_NODE] if isinstance(found, list) else ():
        try:
            yield parse_network(str(text))
        except BadInput:
            continue


def _name(node: JsonObject) -> str:
    return str((node.get("metadata") or {}).get("name", ""))


def _addresses(node: JsonObject) -> Iterator[tuple[IPAddress, str]]:
    status = node.get("status")
    found = status.get("addresses") if isinstance(status, dict) else None
    for each in found[:_MOST_OF_NODE] if isinstance(found, list) else ():
        if isinstance(each, dict) and each.get("type") == "InternalIP":
            try:
                yield parse_address(str(each.get("address", ""))), _name(node)
            except BadInput:
                continue
