"""Read the devices of a pod's resource claims (DRA) from the API server.

Invariant: claims and slices are read only for a pod whose status names claims.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Final

from planes.kube.api import KubeApi, Query
from planes.kube.client.skim import Skimmed
from planes.kube.resources import PODS, RESOURCE_CLAIMS, RESOURCE_SLICES
from planes.model.errors import JsonObject, NotFound, Unavailable
from planes.model.names import shown
from planes.model.state.claimed_devices import (
    AllocatedDevice,
    ClaimedDevice,
    PublishedDevices,
    allocated_devices,
    claims_of_status,
)

SECONDS: Final = 20.0  # as Multus, for all requests together


class DeviceClaims:
    """Looks up the devices of pods.

    Args:
        api: the API server.
        node: this node's name: its slices are read first; "" reads those of the whole driver.
        seconds: the longest that all requests about a pod may take.
    """

    def __init__(self, api: KubeApi, node: str = "", *, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._api = api
        self._node = node

    async def devices(self, namespace: str, name: str, uid: str) -> tuple[ClaimedDevice, ...]:
        """Return the devices of a pod's claims; () for a pod without claims.

        Raises:
            PlanesError: they cannot be read now, or a claim is not reserved for the pod.
        """
        try:
            async with asyncio.timeout(self._seconds):
                return await self._devices(namespace, name, uid)
        except TimeoutError as error:
            raise Unavailable(
                f"cannot read the resource claims of pod {namespace}/{name}: no answer within "
                f"{self._seconds:g} seconds",
                remedy="try again",
            ) from error

    async def _devices(self, namespace: str, name: str, uid: str) -> tuple[ClaimedDevice, ...]:
        try:
            pod = await self._api.get(PODS, name, namespace=namespace)
        except NotFound:
            return ()
        uses = claims_of_status(pod)
        if not uses or uid != pod["metadata"].get("uid"):
            return ()
        allocated: list[AllocatedDevice] = []
        for use in uses:
            claim = await self._claim(namespace, use.name)
            allocated += allocated_devices(claim, use, uid)
        found = PublishedDevices.of(allocated)
        for driver in sorted({one.pool.driver for one in allocated}):
            await self._read_slices(found, driver)
        return found.claimed(allocated)

    async def _claim(self, namespace: str, name: str) -> JsonObject:
        try:
            return await self._api.get(RESOURCE_CLAIMS, name, namespace=namespace)
        except NotFound as error:
            raise Unavailable(
                f"cannot read ResourceClaim {namespace}/{name} (resource.k8s.io/v1): there is none",
                remedy="DRA needs Kubernetes 1.34 or later",
            ) from error

    async def _read_slices(self, found: PublishedDevices, driver: str) -> None:
        """Read the slices of a driver: the node's, and all others where a device is not in them."""
        if self._node:
            await self._read(found, f"spec.driver={driver},spec.nodeName={self._node}")
        if not self._node or any(pool.driver == driver for pool in found.missing):
            await self._read(found, f"spec.driver={driver}")

    async def _read(self, found: PublishedDevices, fields: str) -> None:
        async with aclosing(self._api.pages(Query(RESOURCE_SLICES, fields=fields))) as pages:
            async for page in pages:
                for each in page.items:
                    if isinstance(each, Skimmed):
                        raise Unavailable(
                            f"cannot read a ResourceSlice of {shown(fields)}: it is too large"
                        )
                    found.add(each)
