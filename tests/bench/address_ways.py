"""Three ways to hand out addresses of one range to the pods of many nodes.

Blocks of nodes are ours. An object for each address is created under the address's name. A pool
object has all addresses of the range in one map, and a lease lets one node at a time change it:
whereabouts' way, as described of its version 0.9.4 (GC, flat file and overlap check by GET left
out, one client for all calls: all of that is in its favour).
"""

from __future__ import annotations

import asyncio
import random
import time
from concurrent.futures import Executor
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final, Protocol

from planes.kube.addresses.address_book import KubeAddressBook
from planes.kube.api import KubeApi, PatchKind, Query
from planes.kube.errors import AlreadyExists
from planes.kube.resources import LEASES, Resource
from planes.model.errors import BadInput, Conflict, JsonObject, NotFound
from planes.run.clock import SystemClock
from planes.store.protocol import AddressOwner
from tests.support.planes import make_plane

_GROUP: Final = "bench.netplane.io"
POOLS: Final = Resource(_GROUP, "v1", "benchpools", "BenchPool", is_namespaced=False)
RESERVATIONS: Final = Resource(
    _GROUP, "v1", "benchreservations", "BenchReservation", is_namespaced=False
)
POOL_NAME: Final = "10.64.0.0-16"
PLANE: Final = make_plane("bench", subnets=[{"cidr": "10.64.0.0/16"}])

_FIRST: Final = int(ip_address("10.64.0.1"))
_SYSTEM: Final = "kube-system"
_LEASE: Final = "whereabouts"
_LEASE_SECONDS: Final = 1.5
_RETRY_SECONDS: Final = 0.5
_JITTER: Final = 1.2
_TRIES: Final = 100


class Way(Protocol):
    """One node's allocator."""

    async def allocate(self, number: int) -> None:
        """Take an address for the node's pod of that number."""
        ...


def crd(resource: Resource) -> JsonObject:
    """Return the definition of a kind whose `spec` is not looked at."""
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    version = {
        "name": resource.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
    }
    names = {"plural": resource.plural, "singular": resource.kind.lower(), "kind": resource.kind}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.plural}.{resource.group}"},
        "spec": {
            "group": resource.group,
            "scope": "Cluster",
            "names": names,
            "versions": [version],
        },
    }


class Blocks:
    """Netplane's: a node takes a block, and hands its addresses out of files."""

    def __init__(self, api: KubeApi, node: str, folder: Path, executor: Executor) -> None:
        self._node = node
        self._book = KubeAddressBook(api, node, folder / node, SystemClock(), executor=executor)

    async def allocate(self, number: int) -> None:
        owner = AddressOwner(
            f"{self._node}-{number:016}", "net1", "ns", f"pod-{number}", "", self._node
        )
        await self._book.claim(PLANE, owner)


class ObjectEach:
    """An object for each address. It is free nearly always: a node tries a part of its own first.

    Args:
        index: of the node.
    """

    def __init__(self, api: KubeApi, node: str, index: int) -> None:
        self._api = api
        self._node = node
        self._next = _FIRST + index * 2000

    async def allocate(self, number: int) -> None:
        while True:
            self._next += 1
            name = str(ip_address(self._next))
            try:
                await self._api.create(RESERVATIONS, reservation(name, f"ns/{self._node}-{number}"))
            except AlreadyExists:
                continue
            return


class LeasedPool:
    """One object with all addresses, under one lease for the cluster."""

    def __init__(self, api: KubeApi, node: str) -> None:
        self._api = api
        self._node = node
        self._seen: tuple[str, float] = ("", 0.0)

    async def allocate(self, number: int) -> None:
        identity = f"ns/{self._node}-{number}"
        while not await self._has_lease(identity):
            await asyncio.sleep(_RETRY_SECONDS * (1 + random.random() * _JITTER))  # noqa: S311
        try:
            async for _page in self._api.pages(Query(POOLS)):
                pass
            for _ in range(_TRIES):
                if await self._take(identity):
                    return
        finally:
            await self._release(identity)

    async def _take(self, identity: str) -> bool:
        pool = await self._api.get(POOLS, POOL_NAME)
        held = pool["spec"]["allocations"]
        offset = next(number for number in range(1, 65535) if str(number) not in held)
        facts = {"id": f"{identity}-id".ljust(64, "0"), "podref": identity, "ifname": "net1"}
        change = [
            {
                "op": "test",
                "path": "/metadata/resourceVersion",
                "value": pool["metadata"]["resourceVersion"],
            },
            {"op": "add", "path": f"/spec/allocations/{offset}", "value": facts},
        ]
        try:
            await self._api.patch(POOLS, POOL_NAME, change, kind=PatchKind.JSON)
        except (BadInput, Conflict):
            return False
        name = str(ip_address(_FIRST - 1 + offset))
        await self._api.create(RESERVATIONS, reservation(f"wb.{name}", identity))
        return True

    async def _has_lease(self, identity: str) -> bool:
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        spec: dict[str, Any] = {
            "holderIdentity": identity,
            "leaseDurationSeconds": 2,
            "acquireTime": now,
            "renewTime": now,
        }
        try:
            lease = await self._api.get(LEASES, _LEASE, namespace=_SYSTEM)
        except NotFound:
            lease = None
        try:
            if lease is None:
                metadata = {"name": _LEASE, "namespace": _SYSTEM}
                await self._api.create(
                    LEASES, {"metadata": metadata, "spec": spec}, namespace=_SYSTEM
                )
                return True
            version = str(lease["metadata"]["resourceVersion"])
            if version != self._seen[0]:
                self._seen = (version, time.monotonic())
            is_held = bool(lease["spec"].get("holderIdentity"))
            if is_held and time.monotonic() - self._seen[1] < _LEASE_SECONDS:
                return False
            await self._api.replace(LEASES, {**lease, "spec": spec})
        except Conflict:
            return False
        return True

    async def _release(self, identity: str) -> None:
        lease = await self._api.get(LEASES, _LEASE, namespace=_SYSTEM)
        if lease["spec"].get("holderIdentity") == identity:
            spec = {**lease["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}
            await self._api.replace(LEASES, {**lease, "spec": spec})


def reservation(name: str, podref: str) -> JsonObject:
    """Return an object for one address."""
    return {
        "apiVersion": RESERVATIONS.api_version,
        "kind": RESERVATIONS.kind,
        "metadata": {"name": name},
        "spec": {"podref": podref, "ifname": "net1", "containerid": "0" * 64},
    }
